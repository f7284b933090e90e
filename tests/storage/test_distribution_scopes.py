"""What registers do without: a log of packages for each set of excluded tables, and no other."""

import errno
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.distributing import Office, open_office

from stillopen.core.errors import Reason, Refused
from stillopen.headquarters.distribution_replicas import replicas, sessions
from stillopen.headquarters.distribution_stock import Stock
from stillopen.replication.package_log import generation_text
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import Scope
from stillopen.replication.tables import CUSTOMER, PRICE, SCHEMA_VERSION
from stillopen.storage.off_loop import inline
from stillopen.v1 import headquarters_pb2

T = TypeVar("T")
LEAN = Cursor(scope=Scope(("customer", "price")))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Headquarters with a store whose registers do without customers and prices."""
    async with await open_office(tmp_path) as begun:
        await begun.profile("Lean", "price", jobs=(1010,))
        await begun.store("S1", profile="Lean")
        await begun.register("R1", "S1")
        yield begun


async def price(office: Office, minor: int) -> None:
    """A price that registers of the store do without."""
    await office.put(PRICE, ("APPLE 0", "APPLE", "EUR", minor, 0, None))


async def logs(office: Office) -> list[tuple[str, str, int]]:
    """The logs that there are: group, what they leave out, where they end."""
    return await office.engine.read(
        lambda session: session.all("SELECT group_id, excluded, sequence FROM group_log")
    )


async def test_a_run_makes_a_package_for_each_log_and_puts_them_in_at_once(office: Office) -> None:
    channel = await office.replica("S1")
    till = await office.till("R1", channel)
    for following in (channel, till):
        await following.catch_up()
    await office.product("APPLE")
    assert await office.run() == 1
    assert await logs(office) == [("Default", "", 2), ("Default", "customer price", 2)]
    for following in (channel, till):
        await following.catch_up()
    whole, lean = await office.rows_for("S1")
    assert await channel.rows() == whole
    assert await till.rows() == lean
    assert till.replica.at.generation != channel.replica.at.generation


async def test_what_a_log_leaves_out_makes_no_package_for_it(office: Office) -> None:
    channel = await office.replica("S1")
    await channel.catch_up()
    before = office.shelf.names()
    await price(office, 5)
    await office.put(CUSTOMER, ("C1", "Ada", "", ""))
    assert await office.run() == 1
    assert await logs(office) == [("Default", "", 2), ("Default", "customer price", 1)]
    assert len(office.shelf.names()) == len(before) + 1
    await office.product("APPLE")
    assert await office.run() == 1
    assert await logs(office) == [("Default", "", 3), ("Default", "customer price", 2)]


async def test_a_scope_that_no_profile_asks_for_gets_nothing(office: Office) -> None:
    await office.ask("S1")
    for excluded in (("product",), ("customer",), ("staff",), ("nonsense",)):
        assert await office.distribution.newest("S1", Cursor(scope=Scope(excluded))) is None
    assert [excluded for _, excluded, _ in await logs(office)] == [""]
    assert await office.distribution.newest("S1", LEAN) is not None


async def test_a_log_that_no_profile_asks_for_any_more_goes_with_its_packages(
    office: Office,
) -> None:
    channel = await office.replica("S1")
    till = await office.till("R1", channel)
    for following in (channel, till):
        await following.catch_up()
    await office.profile("Lean", "customer")
    await office.run()
    assert [excluded for _, excluded, _ in await logs(office)] == [""]
    wanted = await office.engine.read(
        lambda session: session.all("SELECT count(*) FROM kept_package")
    )
    assert len(office.shelf.names()) == wanted[0][0]
    for following in (channel, till):
        await following.catch_up()
    assert await till.rows() == (await office.rows_for("S1"))[1]
    assert [excluded for _, excluded, _ in await logs(office)] == ["", "customer"]


async def test_the_logs_of_a_group_without_stores_go(office: Office) -> None:
    await office.group("North")
    await office.ask("S1")
    await office.store("S1", "North")
    await office.run()
    assert await logs(office) == []


async def test_a_newer_replica_gets_the_newest_version_that_headquarters_knows(
    office: Office,
) -> None:
    newer = Cursor(scope=Scope((), SCHEMA_VERSION + 5))
    package = await office.distribution.newest("S1", newer)
    assert package is not None
    assert package.cursor.scope.version == SCHEMA_VERSION
    stands = replace(package.cursor, scope=newer.scope)
    assert await office.distribution.newest("S1", stands) is None
    await office.product("APPLE")
    await office.run()
    delta = await office.distribution.newest("S1", stands)
    assert delta is not None
    assert delta.base == package.cursor


async def test_an_older_version_has_a_log_of_its_own_until_nobody_stands_on_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await office.distribution.newest("S1", Cursor(scope=Scope((), 1)))
    assert old is not None
    for module in ("distribution_logs", "distribution_snapshots"):
        monkeypatch.setattr(f"stillopen.headquarters.{module}.SCHEMA_VERSION", 3)
    new = await office.distribution.newest("S1", Cursor(scope=Scope((), 3)))
    assert new is not None
    assert new.cursor.generation != old.cursor.generation
    assert await office.distribution.newest("S1", old.cursor) is None  # it stands there
    await office.product("APPLE")
    await office.run()
    assert len(await logs(office)) == 2
    await office.engine.write(
        lambda session: session.run(
            "DELETE FROM channel_heard WHERE generation = ?", generation_text(old.cursor.generation)
        )
    )
    await office.run()
    found = await office.engine.read(
        lambda session: session.all("SELECT schema_version FROM group_log")
    )
    assert found == [(3,)]


async def test_registers_are_measured_by_what_their_profile_leaves_them(office: Office) -> None:
    channel = await office.replica("S1")
    till = await office.till("R1", channel)
    for following in (channel, till):
        await following.catch_up()
    await price(office, 5)
    await office.run()
    await office.product("APPLE")
    await office.run()

    found = await office.engine.read(
        lambda session: list(replicas(session, ("", ""), "", frozenset()))
    )
    measured = [
        (each.register_id, each.newest_sequence, list(each.excluded_tables)) for each in found
    ]
    assert measured == [("", 3, []), ("R1", 2, ["customer", "price"])]
    states = await office.engine.read(
        lambda session: {
            (run.sequence, replica.register_id): state
            for run, replica, state in sessions(session, (0, ("", "")), "", frozenset())
        }
    )
    assert states[2, ""] == headquarters_pb2.DOWNLOAD_STATE_AVAILABLE
    assert states[2, "R1"] == headquarters_pb2.DOWNLOAD_STATE_CANCELED  # prices only
    assert states[3, "R1"] == headquarters_pb2.DOWNLOAD_STATE_AVAILABLE


async def test_a_package_whose_file_is_gone_is_made_again(office: Office) -> None:
    package = await office.distribution.newest("S1", Cursor())
    assert package is not None
    office.shelf.path(package.name).unlink()
    again = await office.distribution.newest("S1", Cursor())
    assert again is not None
    assert await office.distribution.block(again, 0, 10) != b""


async def test_a_package_whose_file_is_damaged_is_made_again_once_it_was_refused(
    office: Office,
) -> None:
    channel = await office.replica("S1")
    package = await office.distribution.newest("S1", Cursor())
    assert package is not None
    file = office.shelf.path(package.name)
    sound = file.read_bytes()
    file.write_bytes(sound[:-8] + bytes(8))
    await office.distribution.refused("S1", package.cursor, "it is damaged")
    assert not file.exists()
    await channel.catch_up()
    assert await channel.rows() == (await office.rows_for("S1"))[0]


async def test_a_sound_package_that_is_refused_stays(office: Office) -> None:
    package = await office.distribution.newest("S1", Cursor())
    assert package is not None
    await office.distribution.refused("S1", package.cursor, "the disk is full")
    assert office.shelf.names() == [package.name]
    assert await office.distribution.newest("S1", Cursor()) == package


async def test_a_full_disk_fails_the_run_with_its_reason_and_the_next_repeats_it(
    office: Office,
) -> None:
    async def full(_: Callable[[], T]) -> T:
        raise OSError(errno.ENOSPC, "no space left on device")

    await office.ask("S1")
    await office.product("APPLE")
    office.shelf.off_loop = full
    with pytest.raises(Refused) as caught:
        await office.run()
    assert caught.value.reason is Reason.DISK_FULL
    assert "no space left" in (await office.runs())[0].failure
    office.shelf.off_loop = inline
    assert await office.run() == 1


async def test_what_an_earlier_process_left_is_swept_and_what_is_missing_is_forgotten(
    office: Office,
) -> None:
    package = await office.distribution.newest("S1", Cursor())
    assert package is not None
    await office.product("APPLE")
    await office.run()
    delta = await office.distribution.newest("S1", package.cursor)
    assert isinstance(delta, Package)
    (office.shelf.folder / "scratch-1").mkdir()
    (office.shelf.folder / "00000009-delta-00.sqlite.zst").write_bytes(b"of nobody")
    office.shelf.path(delta.name).unlink()
    await Stock(office.engine, office.folder / "headquarters.db", office.shelf).begin()
    assert office.shelf.names() == [package.name]
    assert [each.name for each in office.shelf.folder.iterdir()] == [package.name]
    instead = await office.distribution.newest("S1", package.cursor)
    assert instead is not None
    assert (instead.base, instead.cursor.sequence) == (None, 2)


async def test_an_export_has_the_newest_state_also_what_no_run_carried(office: Office) -> None:
    first = await office.distribution.export("S1")
    assert await office.distribution.export("S1") == first
    await office.product("APPLE")
    second = await office.distribution.export("S1")
    assert (second.base, second.cursor.sequence) == (None, 1)
    assert second.cursor.generation == first.cursor.generation
    channel = await office.replica("S1")
    await channel.take(second)
    assert await channel.rows() == (await office.rows_for("S1"))[0]
