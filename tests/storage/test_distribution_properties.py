"""Whatever people edit and whichever jobs run: every replica comes to what it is to show.

Two groups, three profiles, and stores that move between them: a channel shows everything of its
group, its registers that without the tables which the profile of their store leaves out.
"""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.distributing import Following, Office, open_office

from stillopen.replication.tables import BARCODE, CUSTOMER, PRICE, PRODUCT

GROUPS = ("Default", "North")
PROFILES = ("Default", "Lean", "Bare")
LEFT_OUT = ((), ("customer",), ("customer", "price"), ("barcode", "price", "product"))
JOBS = (9999, 1010, 1020, 1040, 1070, 1090)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("product"), st.integers(0, 5), st.integers(0, 9)),
        st.tuples(st.just("barcode"), st.integers(0, 5), st.integers(0, 3)),
        st.tuples(st.just("price"), st.integers(0, 5), st.integers(0, 9)),
        st.tuples(st.just("customer"), st.integers(0, 5), st.integers(0, 9)),
        st.tuples(st.just("remove"), st.integers(0, 5), st.integers(0, 1)),
        st.tuples(st.just("register"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("store"), st.integers(0, 2), st.integers(0, 5)),
        st.tuples(st.just("profile"), st.integers(1, 2), st.integers(0, 3)),
        st.tuples(st.just("run"), st.sampled_from(JOBS), st.just(0)),
        st.tuples(st.just("follow"), st.integers(0, 2), st.integers(0, 4)),
        st.tuples(st.just("lost"), st.integers(0, 30), st.just(0)),
    ),
    max_size=40,
)
Pair = tuple[Following, Following]
"""A channel, and a register of its store."""


@settings(deadline=None, max_examples=25)
@given(STEPS, st.sampled_from([4, 1_000]))
async def test_every_replica_comes_to_equal_a_build_from_scratch(
    steps: list[tuple[str, int, int]], rows_min: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with await open_office(Path(folder), rows_min) as office:
            await _play(office, steps)


async def _play(office: Office, steps: list[tuple[str, int, int]]) -> None:
    await office.group("North")
    await office.profile("Lean", "customer")
    await office.profile("Bare", jobs=(1020, 1040))
    pairs: list[Pair] = []
    for number in range(3):
        await office.store(f"S{number}", profile=PROFILES[number])
        channel = await office.replica(f"S{number}")
        pairs.append((channel, await office.till(f"R0-{number}", channel)))
        await office.register(f"R{number}", f"S{number}")
        await channel.step()
    for what, one, two in steps:
        if what == "follow":
            for following in pairs[one]:
                for _ in range(two):
                    await following.step()
        else:
            await _edit(office, what, one, two)
    await office.run()
    for pair in pairs:
        await _compare(office, *pair)


async def _compare(office: Office, channel: Following, till: Following) -> None:
    whole, lean = await office.rows_for(channel.name)
    await channel.catch_up()
    assert await channel.rows() == whole
    await till.catch_up()
    assert await till.rows() == lean
    # Each stands where its channel's copy for it does, that has the same rows.
    stands = {cursor.generation: cursor for cursor in await channel.sink.cursors()}
    at = till.replica.at
    assert stands[at.generation].sequence == at.sequence
    assert stands[at.generation].scope.excluded == at.scope.excluded
    if at.scope.excluded:
        name = f"registers-{at.scope.version}-{'-'.join(at.scope.excluded)}.db"
        assert channel.rows_of_copy(name) == lean


async def _edit(office: Office, what: str, one: int, two: int) -> None:
    match what:
        case "store":
            await office.store(f"S{one}", GROUPS[two % 2], PROFILES[two // 2])
        case "profile":
            await office.profile(PROFILES[one], *LEFT_OUT[two])
        case "remove":
            table, key = (CUSTOMER, f"C{one}") if two else (PRODUCT, f"P{one}")
            await office.remove(table, key)
        case "lost":
            if names := office.shelf.names():
                office.shelf.path(names[one % len(names)]).unlink()
        case "run":
            await office.run(one)
        case _:
            await _put(office, what, one, two)


async def _put(office: Office, what: str, one: int, two: int) -> None:
    match what:
        case "product":
            await office.product(f"P{one}", two)
        case "barcode":
            await office.put(BARCODE, (f"B{one}", f"B{one}", f"P{two}", 0))
        case "price":
            await office.put(PRICE, (f"P{one} {two}", f"P{one}", "EUR", two, two, None))
        case "customer":
            await office.put(CUSTOMER, (f"C{one}", f"{two}", "", ""))
        case _:
            await office.register(f"R{one}", f"S{two}")
