"""What replicas give on and show: registers behind channels, prices of the moment."""

import asyncio
from collections.abc import AsyncIterator, Collection
from functools import partial
from pathlib import Path

import pytest
from tests.support.distributing import Following, Office, two_groups

from stillopen.channel.lines import Lines
from stillopen.channel.tables import SCHEMA
from stillopen.core.parameters import OfflineProfile
from stillopen.replication import package_log
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import Scope
from stillopen.replication.tables import BARCODE, OFFLINE_PROFILE, PRICE, PRODUCT, TAX_GROUP
from stillopen.rpc.wire import profile_to
from stillopen.storage.engine import Session
from stillopen.storage.inline import open_inline


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Headquarters with two stores of two groups."""
    async with two_groups(tmp_path) as begun:
        yield begun


def lines_of(store: Following) -> Lines:
    """What a store's channel gives on."""
    assert store.lines is not None
    return store.lines


async def test_a_register_gets_what_its_channel_relays(office: Office) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    till = await office.till("R1", store)
    await till.catch_up()
    for code in ("APPLE", "PEAR"):
        await office.product(code)
        await office.run()
        await store.catch_up()
    await till.catch_up()
    assert till.got == store.got
    assert await till.rows() == await office.rows("Default")
    assert (till.replica.store_id, till.replica.at) == ("S1", store.replica.at)


async def test_fifty_registers_told_at_one_moment_cost_the_channel_one_look_and_one_read(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    stands = store.replica.at
    await office.product("APPLE")
    await office.run()
    await store.catch_up()
    lines, looks, reads = lines_of(store), [0], [0]
    look, read = package_log.next_package, lines.replica.copy.shelf.block

    def counted(
        session: Session, end: Cursor, at: Cursor, fresh: Collection[int] = ()
    ) -> Package | package_log.Needs:
        looks[0] += 1
        return look(session, end, at, fresh)

    async def counted_read(name: str, offset: int, size: int) -> bytes:
        reads[0] += 1
        return await read(name, offset, size)

    monkeypatch.setattr(package_log, "next_package", counted)
    monkeypatch.setattr(lines.replica.copy.shelf, "block", counted_read)
    found = await asyncio.gather(*(lines.newest(f"R{n}", stands) for n in range(50)))
    [package] = {each for each in found if each is not None}
    parts = await asyncio.gather(*(lines.block(package, 0, package.size) for _ in range(50)))
    assert [len(each) for each in parts] == [package.size] * 50
    assert (looks, reads) == ([1], [1])


async def test_a_channel_whose_deltas_outgrew_the_snapshot_makes_one_of_its_own(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_log, "DELTAS_BYTES_MIN", 1)
    monkeypatch.setattr(package_log, "DELTAS_MAX", 2)
    await office.run()
    store = await office.replica("S1")
    for number in range(5):
        await office.product(f"P{number}")
        await office.run()
        await store.catch_up()
    till = await office.till("R1", store)
    [snapshot] = await till.catch_up()
    assert (snapshot.base, snapshot.cursor.sequence) == (None, 5)
    assert await till.rows() == await office.rows("Default")
    await office.product("LAST")
    await office.run()
    await store.catch_up()
    [delta] = await till.catch_up()
    assert delta.base == snapshot.cursor


@pytest.mark.parametrize(("state", "gets"), [("ACTIVE", True), ("RETIRED", False)])
async def test_a_retired_register_gets_no_packages(
    office: Office, state: str, *, gets: bool
) -> None:
    await office.register("R1", "S1", state)
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    assert bool(await lines_of(store).newest("R1", Cursor())) is gets


async def test_a_profile_that_pauses_stops_packages_for_registers_alone(office: Office) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    paused = profile_to(OfflineProfile(pause_offline_sync=True)).SerializeToString()
    await office.put(OFFLINE_PROFILE, ("Default", paused))
    await office.run()
    await store.catch_up()
    assert await lines_of(store).newest("R1", Cursor()) is None
    goes_on = profile_to(OfflineProfile()).SerializeToString()
    await office.put(OFFLINE_PROFILE, ("Default", goes_on))
    await office.run()
    await store.catch_up()
    assert await lines_of(store).newest("R1", Cursor()) is not None


async def test_a_product_is_shown_with_the_price_and_tax_of_the_moment(office: Office) -> None:
    await office.put(TAX_GROUP, ("HIGH", "HIGH", 21_000))
    await office.put(PRODUCT, ("APPLE", "Apple", "Apple", "EUR", 100, "HIGH"))
    await office.put(BARCODE, ("4001", "4001", "APPLE", 0))
    await office.put(PRICE, ("APPLE a", "APPLE", "EUR", 80, 1_000, 2_000))
    await office.put(PRICE, ("APPLE b", "APPLE", "EUR", 70, 1_500, None))
    await office.put(PRICE, ("GONE a", "GONE", "EUR", 1, 0, None))
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    prices = [(await store.replica.product("4001", at)).price.minor for at in (999, 1_000, 1_999)]
    assert prices == [100, 80, 70]
    found = await store.replica.product("apple", 0)
    assert (found.tax.group, found.tax.percent_milli, found.barcodes) == ("HIGH", 21_000, ("4001",))
    assert [each.product_id for each in await store.replica.search("40", "", 9, 0)] == ["Apple"]


OLDER, NEWER = Scope((), 1), Scope((), 2)


# Lines: what a channel keeps for registers whose profile leaves tables out


async def with_exclusions(office: Office) -> tuple[Following, Following]:
    """A store whose registers get no prices, and a register of it."""
    await office.put(PRODUCT, ("APPLE", "APPLE", "Apple", "EUR", 100, ""))
    await office.put(PRICE, ("APPLE a", "APPLE", "EUR", 80, 0, None))
    await office.profile("Small", "price")
    await office.store("S1", profile="Small")
    await office.register("R1", "S1")
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    return store, await office.till("R1", store)


async def test_a_register_gets_its_profiles_tables_and_its_channel_all(office: Office) -> None:
    store, till = await with_exclusions(office)
    await till.catch_up()
    assert await store.rows() == await office.rows("Default")
    assert await till.rows() == await office.rows("Default", "price")
    assert till.replica.at.scope.excluded == ("price",)
    assert (await store.replica.product("APPLE", 1)).price.minor == 80
    assert (await till.replica.product("APPLE", 1)).price.minor == 100


async def test_a_change_of_tables_that_are_left_out_sends_registers_nothing(
    office: Office,
) -> None:
    store, till = await with_exclusions(office)
    await till.catch_up()
    await office.put(PRICE, ("APPLE a", "APPLE", "EUR", 70, 0, None))
    await office.run()
    assert len(await store.catch_up()) == 1
    assert await till.catch_up() == []


async def test_a_profile_that_leaves_nothing_out_any_more_brings_a_snapshot_of_all(
    office: Office,
) -> None:
    store, till = await with_exclusions(office)
    await till.catch_up()
    await office.profile("Small")
    await office.run()
    await store.catch_up()
    assert (await till.catch_up())[0].base is None
    assert await till.rows() == await office.rows("Default")
    assert len(await lines_of(store).cursors()) == 1
    assert not list((office.folder / "S1").glob("registers-*"))


async def test_lines_are_there_again_after_a_restart_and_what_nobody_knows_is_not(
    office: Office,
) -> None:
    store, till = await with_exclusions(office)
    await till.catch_up()
    folder = office.folder / "S1"
    stray = folder / "packages" / "left-behind.sqlite.zst"
    stray.write_bytes(b"x")
    wanted = {each.name for each in (folder / "packages").iterdir()} - {stray.name}
    cursors = await lines_of(store).cursors()
    await lines_of(store).begin()
    assert await lines_of(store).cursors() == cursors
    assert {each.name for each in (folder / "packages").iterdir()} == wanted


@pytest.mark.parametrize("how", ["gone", "damaged"])
async def test_a_package_that_is_not_what_it_was_on_the_channels_shelf_is_made_again(
    office: Office, how: str
) -> None:
    await office.run()
    store = await office.replica("S1")
    [snapshot] = await store.catch_up()
    path = store.replica.copy.shelf.path(snapshot.name)
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(b"\xff" * snapshot.size)
        await lines_of(store).refused("R1", snapshot.cursor, "damaged")
    till = await office.till("R1", store)
    await till.catch_up()
    assert await till.rows() == await office.rows("Default")


async def test_registers_that_read_an_older_version_get_it_from_a_newer_channel(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.run()
    for module in ("channel.lines", "replication.replica"):
        monkeypatch.setattr(f"stillopen.{module}.EVERYTHING", NEWER)
    store = await office.replica("S1")
    monkeypatch.setattr("stillopen.replication.replica.EVERYTHING", OLDER)
    await store.catch_up()
    assert await store.rows() == await office.rows("Default")  # from older headquarters
    till = await office.till("R1", store)
    assert await till.catch_up() == []  # headquarters is asked for it first
    assert [cursor.scope for cursor in await lines_of(store).cursors()] == [NEWER, OLDER]
    await store.catch_up()
    await till.catch_up()
    assert await till.rows() == await store.rows() == await office.rows("Default")
    await office.product("APPLE")
    await office.run()
    await store.catch_up()
    [delta] = await till.catch_up()
    assert (delta.cursor.scope, delta.base is None) == (OLDER, False)


@pytest.mark.parametrize("place", ["headquarters", "channel"])
async def test_who_comes_from_another_log_is_not_taken_through_what_was_long_ago(
    office: Office, place: str
) -> None:
    store = await office.replica("S1")
    for code in ("APPLE", "PEAR", "PLUM"):
        await office.run()
        await store.catch_up()
        await office.product(code)
    at = store.replica.at
    elsewhere = Cursor(99, 4, b"of a log that was lost")
    source = office.distribution if place == "headquarters" else lines_of(store)
    newcomer = await source.newest("R1" if place == "channel" else "S1", Cursor())
    assert newcomer is not None
    assert newcomer.cursor.sequence < at.sequence  # deltas follow
    package = await source.newest("R1" if place == "channel" else "S1", elsewhere)
    assert package is not None
    assert (package.base, package.cursor.sequence) == (None, at.sequence)


async def test_a_newcomer_is_not_taken_through_what_was_long_ago(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await office.replica("S1")
    for code in ("APPLE", "PEAR"):
        await office.run()
        await store.catch_up()
        await office.product(code)
    till = await office.till("R1", store)
    assert [each.base is None for each in await till.catch_up()] == [True, False]
    monkeypatch.setattr("stillopen.replication.fresh.FRESH_S", -1.0)  # it was made long ago
    another = await office.till("R2", store)
    assert [each.base for each in await another.catch_up()] == [None]
    assert await another.rows() == await till.rows()


async def test_a_register_that_knows_more_than_its_channel_makes_it_build_nothing(
    office: Office,
) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    at = store.replica.at
    before = store.replica.copy.shelf.names()
    ahead = Cursor(at.generation, at.sequence + 3, b"elsewhere")
    assert await lines_of(store).newest("R1", ahead) is None
    assert store.replica.copy.shelf.names() == before


async def test_a_delta_that_came_and_was_not_shown_yet_keeps_no_newcomer_waiting(
    tmp_path: Path,
) -> None:
    engine = await open_inline(tmp_path / "channel.db", SCHEMA, durable=False)
    snapshot = Package(Cursor(7, 1, b"one"), 10)
    delta = Package(Cursor(7, 2, b"two"), 10, snapshot.cursor)

    def keep(session: Session) -> None:
        package_log.keep_snapshot(session, snapshot)
        package_log.keep_delta(session, delta)

    await engine.write(keep)
    found = await engine.read(
        lambda session: package_log.next_package(session, snapshot.cursor, Cursor())
    )
    assert found == snapshot
    await engine.close()


async def test_who_stands_in_a_history_that_was_lost_at_the_same_sequence_gets_a_snapshot(
    tmp_path: Path,
) -> None:
    """A channel lost a delta with its power, and headquarters, restored, made another of it."""
    engine = await open_inline(tmp_path / "channel.db", SCHEMA, durable=False)
    snapshot = Package(Cursor(7, 1, b"one"), 10)
    lost = Package(Cursor(7, 2, b"two, and lost"), 10, snapshot.cursor)
    beyond = Package(Cursor(7, 3, b"three, and lost"), 10, lost.cursor)
    again = Package(Cursor(7, 2, b"two"), 10, snapshot.cursor)

    def keep(session: Session) -> None:
        package_log.keep_snapshot(session, snapshot)
        for delta in (lost, beyond, again, again):
            package_log.keep_delta(session, delta)

    await engine.write(keep)
    found = [
        await engine.read(partial(package_log.next_package, end=again.cursor, at=each.cursor))
        for each in (lost, again, snapshot)
    ]
    assert found == [package_log.Needs.SNAPSHOT, package_log.Needs.NOTHING, again]
    await engine.close()
