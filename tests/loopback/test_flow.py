"""Packages that are paused or bounded, over a real connection and through a whole estate."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.desk import Desk
from tests.support.estate import Estate
from tests.support.estate_distribution import add_plum, replica
from tests.support.estate_parts import FAST, until
from tests.support.estate_till import Till
from tests.support.package_streams import WHOLE, Goods, Line, Replicas

from stillopen.core.parameters import DEFAULT_PROFILE
from stillopen.replication.frames import BLOCK_BYTES
from stillopen.replication.ports import Cursor, Flow
from stillopen.sync import blocks
from stillopen.v1 import headquarters_pb2

LARGE = bytes(range(256)) * (12 * BLOCK_BYTES // 256)
SOON_S = 0.05
SUSPENDED = headquarters_pb2.DOWNLOAD_STATE_SUSPENDED
WHY = "the offline profile pauses packages"


async def test_a_package_that_is_paused_in_its_middle_goes_on_there_and_journals_go_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "FLOW_CHECK_S", SOON_S)
    goods, replicas = Goods(), Replicas(tmp_path / "shelf", Cursor())
    line, end = Line(replicas, goods, 0.2), goods.put(3, 1, LARGE)
    goods.stop_after = 3
    async with line.up() as client:
        await replicas.until(lambda: replicas.there == 3 * BLOCK_BYTES)
        version = client.news.version
        goods.flowing = Flow(paused=True)
        goods.go_on()
        wanted = line.journal.looks + 5
        await line.journal.until(lambda: line.journal.looks >= wanted)
        line.journal.add()
        await line.arrived.until(lambda: line.arrived.through == 1)
        assert replicas.there <= 4 * BLOCK_BYTES, "one was being read"
        assert replicas.standing == [Cursor()]
        goods.flowing = Flow()
        await replicas.until(lambda: replicas.standing == [end])
        assert client.news.version == version, "the stream stayed"
    assert replicas.contents == {WHOLE: LARGE}
    assert sum(size for _, size in goods.blocks) == len(LARGE), "nothing came twice"


async def test_a_channel_whose_profile_pauses_it_is_listed_so_with_its_registers(
    estate: Estate, till: Till
) -> None:
    people = estate.people
    profile = replace(FAST, name=DEFAULT_PROFILE, pause_channel_sync=True)
    shown = await estate.until_channel_shows()
    await people.set_profile(profile)
    await add_plum(estate)
    await people.run_schedule()
    await till.sold()
    await estate.until_home(till)  # journals go up all the same
    channel, register = await replica(estate), await replica(estate, "R1")
    assert channel.sequence == shown
    assert (channel.state, channel.message) == (SUSPENDED, WHY)
    assert (register.state, register.message) == (SUSPENDED, f"{WHY} for the channel of its store")
    [newest, *_] = [each async for each in people.downloads() if not each.register_id]
    assert newest.state == SUSPENDED
    await people.set_profile(replace(profile, pause_channel_sync=False))
    await till.until(lambda status: status.catalogue_sequence > shown)
    assert await estate.until_channel_shows() > shown


@pytest.mark.usefixtures("till")
async def test_bounds_and_pauses_are_set_and_shown_by_commands(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(estate, tmp_path / "home", monkeypatch)
    code, said = await desk.says(
        *("profile", "set", "Ship", "--download-max-kib-per-s", "64"),
        *("--upload-max-kib-per-s", "16", "--pause-channel-sync", "--pause"),
    )
    assert (code, "64 KiB/s" in said, "16 KiB/s" in said) == (0, True, True), said
    _, said = await desk.says("profile", "list")
    assert "registers, channel" in said
    code, said = await desk.says("profile", "set", "Ship", "--upload-max-kib-per-s", "100001")
    assert (code, "upload_max_kib_per_s" in said) == (2, True), said
    shown = await desk.told("profile", "set", "Ship", "--no-pause-channel-sync", "--no-pause")
    assert (shown["download_max_kib_per_s"], shown["upload_max_kib_per_s"]) == (64, 16)
    assert not shown["pause_channel_sync"]


async def test_a_store_is_bounded_by_its_own_profile(estate: Estate) -> None:
    people = estate.people
    slow = replace(FAST, name="Slow", pause_channel_sync=True)
    await people.set_profile(slow)
    await add_plum(estate)
    await estate.until_channel_shows()
    shown = (await replica(estate)).sequence
    await people.set_store(
        headquarters_pb2.Store(store_id="S1", group_id="Default", offline_profile="Slow")
    )
    await add_plum(estate, 60)
    await people.run_schedule()

    async def suspended() -> bool:
        return (await replica(estate)).state == SUSPENDED

    await until(suspended)
    await people.set_profile(replace(slow, pause_channel_sync=False))
    await estate.until_channel_shows()
    assert (await replica(estate)).sequence > shown
