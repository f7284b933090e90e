"""How packages may go down: a channel by its store's profile, a register by its channel's copy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.distributing import Office, two_groups

from stillopen.core.parameters import OfflineProfile
from stillopen.headquarters.distribution_heard import ChannelHeard, heard_of
from stillopen.replication.ports import Flow
from stillopen.replication.tables import OFFLINE_PROFILE
from stillopen.rpc.wire import profile_to

SLOW = OfflineProfile("Slow", download_max_kib_per_s=64, upload_max_kib_per_s=8)
CHANNEL_PAUSED = OfflineProfile("Slow", pause_channel_sync=True)
TILLS_PAUSED = OfflineProfile("Slow", pause_offline_sync=True, download_max_kib_per_s=2)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Headquarters with two stores; the first has a profile of its own."""
    async with two_groups(tmp_path) as begun:
        await put(begun, SLOW)
        await begun.store("S1", profile="Slow")
        yield begun


async def put(office: Office, profile: OfflineProfile) -> None:
    """Changes the profile of that name."""
    data = profile_to(profile).SerializeToString()
    await office.put(OFFLINE_PROFILE, (profile.name, data))


async def heard(office: Office) -> ChannelHeard:
    """Where the first store's channel stands, as headquarters heard."""
    return await office.engine.read(lambda session: heard_of(session, "S1"))


async def test_each_channel_is_bounded_by_the_profile_of_its_own_store(office: Office) -> None:
    flow = office.distribution.flow
    assert await flow("S1") == Flow(bytes_per_s_max=64 * 1_024)
    assert await flow("S2") == await flow("nowhere") == Flow()
    await put(office, CHANNEL_PAUSED)
    assert await flow("S1") == Flow(paused=True)
    await put(office, TILLS_PAUSED)
    assert await flow("S1") == Flow(bytes_per_s_max=2 * 1_024)
    await office.store("S1")
    assert await flow("S1") == Flow()


async def test_registers_are_bounded_by_the_profile_that_their_channel_shows(
    office: Office,
) -> None:
    await office.run()
    store = await office.replica("S1")
    assert store.lines is not None
    assert await store.lines.flow("R1") == Flow()
    await store.catch_up()
    assert await store.lines.flow("R1") == Flow(bytes_per_s_max=64 * 1_024)
    await put(office, TILLS_PAUSED)
    await office.run()
    await store.catch_up()
    assert await store.lines.flow("R1") == Flow(paused=True, bytes_per_s_max=2 * 1_024)


async def test_a_paused_channel_gets_nothing_and_where_it_stands_is_known_all_the_same(
    office: Office,
) -> None:
    await office.run()
    store = await office.replica("S1")
    await store.step()
    assert (await heard(office)).sequence == 0, "it has not said more yet"
    await put(office, CHANNEL_PAUSED)
    await office.product("APPLE")
    await office.run()
    assert await store.catch_up() == []
    assert (await heard(office)).sequence == store.replica.at.sequence == 1
    assert office.distribution.heard.sending == frozenset()
    await put(office, OfflineProfile("Slow"))
    await office.product("PEAR")
    await office.run()
    await store.catch_up()
    assert await store.rows() == await office.rows("Default")
