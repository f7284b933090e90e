"""A store without a line: it is filled, sells, and is counted by files alone; then a line comes."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.estate_parts import PASSWORD, eur, one, until
from tests.support.no_line import NoLine
from tests.support.staffing import staffed

from stillopen.cli.headquarters import Headquarters, sign_in
from stillopen.cli.journal_bringing import bring_journal
from stillopen.cli.journal_files import JOURNAL
from stillopen.cli.package_files import look_into
from stillopen.cli.package_ways import export_package, import_package
from stillopen.core.errors import Misuse, Reason, StillopenError
from stillopen.storage.parts_file import read_parts, writing_parts
from stillopen.v1 import headquarters_pb2, types_pb2


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[NoLine]:
    """Headquarters, and a store that it was never heard from."""
    async with NoLine(tmp_path) as started:
        yield started


async def dearer(estate: NoLine, minor: int = 120) -> None:
    """Apples cost more from now on."""
    row = types_pb2.Product(product_id="APPLE", name="Apple", price=eur(minor), barcodes=["4001"])
    await estate.people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=[row])))
    await estate.people.run_schedule()  # unless the change has made it run already


def journaled(estate: NoLine, register_id: str = "R1") -> int:
    """How many entries are on a register's disk."""
    path = estate.folder / register_id / "journal.db"
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)  # noqa: TID251 - from outside
    try:
        [(count,)] = connection.execute("SELECT count(*) FROM journal_entry").fetchall()
    finally:
        connection.close()
    return int(count)


async def test_a_store_sells_and_is_counted_by_files_until_its_line_comes(estate: NoLine) -> None:
    till = await estate.till()
    sold = [await till.sold() for _ in range(3)]
    await till.until(lambda s: s.waiting_entries == 0)
    assert await estate.sales_home() == []

    file = await estate.exported()
    answer = await estate.brought(file)
    assert (answer.entries_new, answer.entries_damaged) == (3, 0)
    await estate.people.until_complete(20.0)
    home = await estate.sales_home()
    assert [each.sale.transaction_id for each in home] == [each.transaction_id for each in sold]
    assert sum(each.sale.total.minor_units for each in home) == 900

    assert (await till.status()).waiting_headquarters == 3
    await estate.answered(file)
    await till.until(lambda s: s.waiting_headquarters == 0)

    await dearer(estate)
    await estate.channel.stop()
    await estate.by_hand()
    await estate.channel.start()
    await till.until(lambda s: s.catalogue_sequence >= estate.shown)
    assert (await till.sold()).total == eur(360)

    estate.upper = estate.headquarters.address
    await estate.restart_channel()
    await estate.until_home(till)
    assert len(await estate.sales_home()) == 4
    [lane] = (await estate.people.completeness()).lanes
    assert (lane.stored, lane.applied, lane.conflicts, list(lane.alarms)) == (4, 4, 0, [])


async def test_what_headquarters_held_for_long_enough_goes_at_the_register(
    estate: NoLine,
) -> None:
    till = await estate.till()
    await till.sold()
    await till.sold()
    await till.until(lambda s: s.waiting_entries == 0)
    await estate.people.set_parameters(
        replace(await estate.people.parameters(), journal_retention_s=0.2)
    )
    await estate.brought(await estate.exported())

    async def may_go() -> bool:
        return [each.purge_through for each in (await estate.people.completeness()).lanes] == [2]

    await until(may_go)
    assert journaled(estate) == 2
    file = await estate.exported()
    await estate.brought(file)
    await estate.answered(file)

    async def gone() -> bool:
        return journaled(estate) == 0

    await until(gone)
    await till.sold()
    await till.until(lambda s: s.waiting_entries == 0)
    assert (await estate.brought(await estate.exported())).entries_new == 1


async def test_a_register_s_own_file_brings_what_its_channel_never_got(estate: NoLine) -> None:
    till = await estate.till()
    await till.sold()
    await till.until(lambda s: s.waiting_entries == 0)
    await estate.channel.stop()
    await till.sold()
    own = await estate.exported("R1")
    assert (await estate.brought(own)).entries_new == 2
    assert (await estate.brought(await estate.exported())).entries_new == 0
    await estate.channel.start()
    await till.until(lambda s: s.waiting_entries == 0)
    assert (await estate.brought(await estate.exported())).entries_new == 0
    await estate.people.until_complete(20.0)
    assert len(await estate.sales_home()) == 2


async def test_a_file_that_comes_while_the_line_is_there_doubles_nothing(estate: NoLine) -> None:
    till = await estate.till()
    for _ in range(5):
        await till.sold()
    await till.until(lambda s: s.waiting_entries == 0)
    file = await estate.exported()
    estate.upper = estate.headquarters.address
    await estate.restart_channel()
    await estate.brought(file)
    await estate.brought(file)
    await estate.until_home(till)
    [lane] = (await estate.people.completeness()).lanes
    assert (lane.stored, lane.conflicts) == (5, 0)
    assert len(await estate.sales_home()) == 5


async def test_a_bad_file_is_refused_before_anything_is_sent(estate: NoLine) -> None:
    till = await estate.till()
    await till.sold()
    await till.until(lambda s: s.waiting_entries == 0)
    file = await estate.exported()
    data = file.read_bytes()
    bad = estate.stick / "bad"
    before = await estate.picture()
    for wrong in (
        b"",
        data[:-1],
        data[: len(data) // 2],
        data[:40] + bytes([data[40] ^ 1]) + data[41:],
        b"SQLite format 3\0" * 100,
    ):
        bad.write_bytes(wrong)
        with pytest.raises(Misuse) as caught:
            await estate.brought(bad)
        assert caught.value.reason in {Reason.DIGEST_MISMATCH, Reason.INVALID_ARGUMENT}
    with writing_parts(estate.stick / "odd", JOURNAL) as parts:
        for part in (*read_parts(file, JOURNAL), b"\xff"):  # the last is no message
            parts.add(part)
    with pytest.raises(Misuse):
        await estate.brought(estate.stick / "odd")
    assert await estate.picture() == before
    assert not list(estate.stick.glob("*.answer"))


async def test_a_package_is_taken_only_by_a_place_that_it_is_for_and_that_does_not_run(
    estate: NoLine,
) -> None:
    channel = estate.folder / "channel"
    [file] = estate.stick.glob("*.zst")

    async def refused(path: Path, reason: Reason) -> None:
        before = await channel_shows(estate)
        with pytest.raises(StillopenError) as caught:
            await import_package(path, channel, estate.machine)
        assert (caught.value.reason, await channel_shows(estate)) == (reason, before)

    await refused(file, Reason.REGISTER_IN_USE)
    await estate.channel.stop()
    await dearer(estate)
    later = await export_package(estate.people, "S1", estate.stick)
    assert later != file
    cut = estate.stick / "cut"
    cut.write_bytes(later.read_bytes()[:-9])
    await refused(cut, Reason.PACKAGE_DAMAGED)
    await import_package(later, channel, estate.machine)
    await refused(file, Reason.PACKAGE_DAMAGED)  # it leads back
    await estate.people.set_group("Islands")
    store = headquarters_pb2.Store(store_id="S2", name="S2", group_id="Islands")
    await estate.people.set_store(store)
    await refused(await export_package(estate.people, "S2", estate.stick), Reason.NAME_UNKNOWN)


async def channel_shows(estate: NoLine) -> bytes:
    """What the channel's replica is, byte for byte."""
    return (estate.folder / "channel" / "replica.db").read_bytes()


async def test_a_register_takes_a_package_by_hand_too(estate: NoLine) -> None:
    till = await estate.till()
    await estate.channel.stop()
    await dearer(estate)
    file = await export_package(estate.people, "S1", estate.stick)
    await estate.registers["R1"].stop()
    taken = await import_package(file, estate.folder / "R1", estate.machine)
    await estate.registers["R1"].start()
    await till.sign_in()
    sequence = taken.looked.package.cursor.sequence
    await till.until(lambda s: s.catalogue_sequence == sequence)
    assert (await till.sold()).total == eur(360)


async def test_an_exported_package_has_its_own_name_and_comes_whole_or_not_at_all(
    estate: NoLine,
) -> None:
    shutil.rmtree(estate.stick)
    file = await export_package(estate.people, "S1", estate.stick)
    assert look_into(file).package.name == file.name
    with pytest.raises(StillopenError) as caught:
        await export_package(estate.people, "S9", estate.stick)
    assert caught.value.reason is Reason.NAME_UNKNOWN
    assert [each.name for each in estate.stick.iterdir()] == [file.name]


async def test_who_may_not_do_things_to_journals_brings_none(estate: NoLine) -> None:
    till = await estate.till()
    await till.sold()
    await till.until(lambda s: s.waiting_entries == 0)
    file = await estate.exported()
    await staffed(estate, "carl", "clerk")
    carl = await sign_in(estate.headquarters.address, "carl", PASSWORD)
    async with Headquarters(estate.headquarters.address, carl) as place:
        before = await estate.picture()
        with pytest.raises(Misuse) as caught:
            await bring_journal(file, place)
        assert (caught.value.reason, await estate.picture()) == (Reason.NOT_ALLOWED, before)
        assert (await export_package(place, "S1", estate.stick)).exists()
