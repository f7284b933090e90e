"""Whatever people edit and whichever jobs run: every replica comes to what its group is to show."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.distributing import Following, Office, open_office

from stillopen.replication.tables import BARCODE, PRODUCT

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("product"), st.integers(0, 5), st.integers(0, 9)),
        st.tuples(st.just("barcode"), st.integers(0, 5), st.integers(0, 3)),
        st.tuples(st.just("remove"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("register"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("move"), st.integers(0, 2), st.integers(0, 1)),
        st.tuples(st.just("run"), st.sampled_from([9999, 1040, 1070, 1090]), st.just(0)),
        st.tuples(st.just("follow"), st.integers(0, 2), st.integers(0, 4)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=25)
@given(STEPS)
async def test_every_replica_comes_to_equal_a_build_from_scratch(
    steps: list[tuple[str, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with await open_office(Path(folder), rows_min=4) as office:
            await _play(office, steps)


async def _play(office: Office, steps: list[tuple[str, int, int]]) -> None:
    await office.group("North")
    stores: list[tuple[Following, Following]] = []
    for number in range(3):
        await office.store(f"S{number}")
        channel = await office.replica(f"S{number}")
        stores.append((channel, await office.till(f"R0-{number}", channel)))
    for what, one, two in steps:
        if what == "follow":
            for following in stores[one]:
                for _ in range(two):
                    await following.step()
        else:
            await _edit(office, what, one, two)
    await office.run()
    for channel, till in stores:
        wanted = await office.rows(await office.group_of(channel.name))
        await channel.catch_up()
        assert await channel.rows() == wanted
        await till.catch_up()
        assert await till.rows() == wanted
        assert till.replica.at == channel.replica.at


async def _edit(office: Office, what: str, one: int, two: int) -> None:
    match what:
        case "product":
            await office.product(f"P{one}", two)
        case "barcode":
            await office.put(BARCODE, (f"B{one}", f"B{one}", f"P{two}", 0))
        case "remove":
            await office.remove(PRODUCT, f"P{one}")
        case "register":
            await office.register(f"R{one}", f"S{two}")
        case "move":
            await office.store(f"S{one}", ("Default", "North")[two])
        case _:
            await office.run(one)
