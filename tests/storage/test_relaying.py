"""What replicas give on and show: registers behind channels, prices of the moment."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.distributing import Office, two_groups

from stillopen.core.parameters import OfflineProfile
from stillopen.replication import package_log
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import BARCODE, OFFLINE_PROFILE, PRICE, PRODUCT, TAX_GROUP
from stillopen.rpc.wire import profile_to


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Headquarters with two stores of two groups."""
    async with two_groups(tmp_path) as begun:
        yield begun


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
    assert [package.data for package in till.got] == [package.data for package in store.got]
    assert await till.rows() == await office.rows("Default")
    assert (till.replica.store_id, till.replica.at) == ("S1", store.replica.at)


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
    assert (snapshot.base, snapshot.cursor.sequence) == (None, 6)
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
    assert bool(await store.replica.newest("R1", Cursor())) is gets


async def test_a_profile_that_pauses_stops_packages_for_registers_alone(office: Office) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.catch_up()
    paused = profile_to(OfflineProfile(pause_offline_sync=True)).SerializeToString()
    await office.put(OFFLINE_PROFILE, ("Default", paused))
    await office.run()
    await store.catch_up()
    assert await store.replica.newest("R1", Cursor()) is None
    goes_on = profile_to(OfflineProfile()).SerializeToString()
    await office.put(OFFLINE_PROFILE, ("Default", goes_on))
    await office.run()
    await store.catch_up()
    assert await store.replica.newest("R1", Cursor()) is not None


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
