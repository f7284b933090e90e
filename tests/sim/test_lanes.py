"""Images put back, disks repaired, servers restored: what lanes close, each told as its story."""

import asyncio

import pytest
from tests.sim.images import another, move, put_back, rows, take
from tests.sim.network import Cut
from tests.sim.scene import ALLOWED, ANSWER_S, Scene, act, refusal, small
from tests.sim.world import HQ, HQ_ADDRESS, OFFICE
from tests.support import callers

from stillopen.rpc.status import call
from stillopen.v1 import channel_data_pb2, channel_data_pb2_grpc, headquarters_pb2, types_pb2

Completeness = headquarters_pb2.GetCompletenessResponse


async def completeness(scene: Scene) -> Completeness:
    request = headquarters_pb2.GetCompletenessRequest()
    return await call(scene.estate.headquarters.GetCompleteness, request, OFFICE, ANSWER_S)


async def alarms(scene: Scene) -> set[str]:
    """What headquarters sees to be strange, whatever the lane."""
    lanes = (await completeness(scene)).lanes
    kinds = [alarm.kind for lane in lanes for alarm in lane.alarms]
    name = types_pb2.LaneAlarmKind.Name
    return {name(kind).removeprefix("LANE_ALARM_KIND_") for kind in kinds}


async def sold_home(scene: Scene) -> set[str]:
    """The sales at headquarters; every one once."""
    home = [sale.transaction_id for sale in await scene.home()]
    assert len(home) == len(set(home))
    return set(home)


# H5


def test_a_register_that_is_started_again_and_again_is_no_alarm() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        for _ in range(3):
            await till.sold()
            till.process.crash()
            await till.process.start()
            await till.sign_in()
        await scene.settled()
        assert len(await sold_home(scene)) == 3
        assert await alarms(scene) == set()

    act(story)


def test_a_restored_image_that_sells_offline_loses_nothing() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sales = [await till.sold() for _ in range(2)]
        await scene.settled()
        image = take(scene, till.name)
        sales += [await till.sold() for _ in range(2)]
        await scene.settled()
        till.cut(Cut.SILENT)
        await put_back(scene, till.name, image)
        await till.sign_in()
        sales += [await till.sold() for _ in range(2)]
        till.heal()
        await scene.settled()
        assert await sold_home(scene) == {sale.transaction_id for sale in sales}
        await asyncio.sleep(10)
        assert await alarms(scene) == {"LOST", "RESTORED"}

    act(story)


def test_two_tills_from_one_image_both_sell() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sales = [await till.sold()]
        await scene.settled()
        till.process.crash()
        twin = await another(scene, "twin", till, take(scene, till.name))
        await till.process.start()
        for each in (till, twin):
            await each.sign_in()
            sales += [await each.sold() for _ in range(2)]
        await scene.settled()
        assert await sold_home(scene) == {sale.transaction_id for sale in sales}
        await asyncio.sleep(10)
        assert await alarms(scene) == {"CLONED", "TAKES_TURNS"}

    act(story)


def test_a_repaired_disk_still_delivers() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sales = [await till.sold()]
        await scene.settled()
        till.cut(Cut.SILENT)
        sales += [await till.sold() for _ in range(3)]
        till.process.crash()
        spare = await another(scene, "spare", till)
        await scene.estate.ready(spare.name)
        await spare.sign_in()
        sales.append(await spare.sold())
        spare.process.crash()
        scene.tills.remove(spare)
        till.heal()
        await till.process.start()
        await scene.settled()
        assert await sold_home(scene) == {sale.transaction_id for sale in sales}
        assert await alarms(scene) == {"REPLACED"}

    act(story)


# H9


async def at_channel(scene: Scene, store: str) -> int:
    """How many sales a channel has."""
    channel = scene.estate.network.channel("office", f"{store.lower()}:1")
    stub = channel_data_pb2_grpc.ChannelDataServiceStub(channel)
    request = channel_data_pb2.ListTransactionsRequest(page_size=500)
    asker = callers.register(f"R{store[1:]}-1")
    return len((await call(stub.ListTransactions, request, asker, ANSWER_S)).sales)


def test_a_channel_restored_from_mondays_backup_is_brought_up_again() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        for _ in range(2):
            await till.sold()
        await scene.settled()
        monday = take(scene, till.store)
        for _ in range(3):
            await till.sold()
        await scene.settled()
        await put_back(scene, till.store, monday)
        await till.sold()
        await scene.settled()
        assert len(await sold_home(scene)) == 6
        assert await at_channel(scene, till.store) == 6
        assert await alarms(scene) == set()

    act(story)


def test_entries_a_restored_headquarters_lost_come_again_from_the_channel() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await till.sold()
        await scene.settled()
        backup = take(scene, HQ)
        sale = await till.complete(await till.with_card())
        await till.sold()
        await scene.settled()
        till.process.crash()
        await put_back(scene, HQ, backup)
        assert len(await sold_home(scene)) == 1
        scene.tills.remove(till)
        await asyncio.sleep(5)
        await scene.settled()
        assert len(await sold_home(scene)) == 3
        assert await scene.spent() == [sale.total.minor_units]
        assert await scene.exceptions() == []

    act(story)


def test_a_register_rehomed_to_another_channel_skips_nothing() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        sales = [await till.sold() for _ in range(2)]
        await scene.settled()
        scene.cut_headquarters(Cut.SILENT)
        sales += [await till.sold() for _ in range(3)]
        await asyncio.sleep(5)
        assert (await till.status()).waiting_entries == 0
        scene.estate.processes[till.store].crash()
        scene.heal_headquarters()
        await move(scene, till, "S2")
        await till.sign_in()
        sales.append(await till.sold())
        await scene.settled()
        assert await sold_home(scene) == {sale.transaction_id for sale in sales}
        assert await alarms(scene) == set()

    act(story, plan=small(tills=(1, 1)))


@pytest.mark.parametrize("by_hand", [False, True], ids=["they come back", "a person ends it"])
def test_a_restored_headquarters_locks_nothing_until_the_journals_are_back(
    *, by_hand: bool
) -> None:
    async def story(scene: Scene) -> None:
        till, other = scene.tills
        await till.sold()
        await scene.settled()
        backup = take(scene, HQ)
        await till.sold()
        await scene.settled()
        # Headquarters hears what the store claims, and the store does not hear the answer.
        scene.estate.network.cut(till.store, HQ_ADDRESS, mode=Cut.ANSWERS_LOST)
        await put_back(scene, HQ, backup)
        await asyncio.sleep(30)
        sale = await other.line(await other.begin())
        assert await refusal(other.card(sale)) == "HEADQUARTERS_RECOVERING"
        answer = await completeness(scene)
        assert f"register {till.name}" in answer.recovering
        assert [lane.recover_to for lane in answer.lanes if lane.register_id == till.name] == [2]
        if by_hand:
            request = headquarters_pb2.EndRecoveryRequest(reason="the store burned down")
            ended = await call(scene.estate.headquarters.EndRecovery, request, OFFICE, ANSWER_S)
            assert [(e.register_id, e.sequence) for e in ended.given_up] == [(till.name, 2)]
            await asyncio.sleep(60)  # and is not waited for when it is claimed again
        else:
            scene.estate.network.heal(till.store, HQ_ADDRESS)
            await scene.settled()
        assert (await completeness(scene)).recovering == ""
        assert (await other.card(sale)).due.minor_units == 0

    act(story, plan=small(ALLOWED, tills=(1, 1)), fresh=True)


def test_a_restored_channel_passes_on_what_its_registers_were_told() -> None:
    """Both servers forgot; the register takes the channel's word, and the channel keeps its own."""

    async def story(scene: Scene) -> None:
        till, other = scene.tills
        await till.sold()
        await scene.settled()
        images = {name: take(scene, name) for name in (till.store, HQ)}
        await till.sold()
        await scene.settled()
        scene.estate.network.cut(till.store, HQ_ADDRESS, mode=Cut.SILENT)
        for name, image in images.items():
            await put_back(scene, name, image)
        await asyncio.sleep(30)
        assert (await till.status()).waiting_headquarters == 1
        assert (await completeness(scene)).recovering == ""
        scene.estate.network.cut(till.store, HQ_ADDRESS, mode=Cut.ANSWERS_LOST)
        await asyncio.sleep(30)
        sale = await other.line(await other.begin())
        assert await refusal(other.card(sale)) == "HEADQUARTERS_RECOVERING"
        scene.estate.network.heal(till.store, HQ_ADDRESS)
        await scene.settled()
        assert len(await sold_home(scene)) == 2
        assert (await completeness(scene)).recovering == ""

    act(story, plan=small(ALLOWED, tills=(1, 1)))


# Purge


async def hold_for(scene: Scene, seconds: float) -> None:
    """Sets for how long headquarters holds entries before registers may delete theirs."""
    estate = scene.estate
    parameters = await estate.parameters()
    parameters.journal_retention.FromSeconds(int(seconds))
    update = headquarters_pb2.UpdateParametersRequest(parameters=parameters)
    await call(estate.headquarters.UpdateParameters, update, OFFICE, ANSWER_S)


def journal(scene: Scene) -> list[int]:
    """The sequences that the first till still has."""
    found = rows(scene, scene.till.name, "journal.db", "SELECT sequence FROM journal_entry")
    return [row[0] for row in found]


def test_a_purged_register_sells_and_delivers_on() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await hold_for(scene, 600)
        await till.sold()
        await till.complete(await till.with_card())
        await scene.settled()
        await asyncio.sleep(700)
        assert journal(scene) == []
        for table in ("sale", "card_intent"):
            sql = f"SELECT * FROM {table}"  # noqa: S608 - constants
            assert rows(scene, till.name, "journal.db", sql) == []
        await till.sold()
        await scene.settled()
        for _ in range(2):
            till.process.crash()
            await till.process.start()
            await till.sign_in()
            await till.sold()
            await scene.settled()
        assert len(await sold_home(scene)) == 5
        assert await alarms(scene) == set()
        await asyncio.sleep(700)
        assert journal(scene) == []
        assert (await completeness(scene)).complete

    act(story)


def test_nothing_is_deleted_that_headquarters_does_not_hold_long_enough() -> None:
    async def story(scene: Scene) -> None:
        till, headquarters = scene.till, scene.estate.processes[HQ]
        await hold_for(scene, 600)
        await till.sold()
        await scene.settled()
        headquarters.clock.jump(1e6)
        await asyncio.sleep(400)
        headquarters.crash()
        await asyncio.sleep(2_000)
        await headquarters.start()
        await asyncio.sleep(100)
        assert journal(scene) == [1]
        await asyncio.sleep(200)
        assert journal(scene) == []

    act(story)


def test_nothing_is_deleted_while_entries_are_held_for_ever() -> None:
    async def story(scene: Scene) -> None:
        await hold_for(scene, 0)
        await scene.till.sold()
        await scene.settled()
        await asyncio.sleep(2_000)
        assert journal(scene) == [1]

    act(story)


def test_a_channel_restored_from_before_the_purge_records_the_hole_and_the_lane_goes_on() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await hold_for(scene, 600)
        await till.sold()
        await scene.settled()
        monday = take(scene, till.store)
        for _ in range(2):
            await till.sold()
        await scene.settled()
        await asyncio.sleep(700)
        assert journal(scene) == []
        await put_back(scene, till.store, monday)
        await asyncio.sleep(10)
        await till.sold()
        await scene.settled()
        holes = rows(scene, till.store, "channel.db", "SELECT first, last FROM lane_hole")
        assert holes == [(2, 3)]
        assert len(await sold_home(scene)) == 4
        assert (await completeness(scene)).complete

    act(story)


def test_servers_restored_from_before_the_purge_record_the_hole_and_the_lane_goes_on() -> None:
    async def story(scene: Scene) -> None:
        till = scene.till
        await hold_for(scene, 600)
        await till.sold()
        await scene.settled()
        images = {name: take(scene, name) for name in (till.store, HQ)}
        for _ in range(2):
            await till.sold()
        await scene.settled()
        await asyncio.sleep(700)
        for name, image in images.items():
            await put_back(scene, name, image)
        await asyncio.sleep(10)
        await till.sold()
        await asyncio.sleep(10)
        assert (await till.status()).waiting_headquarters == 0
        answer = await completeness(scene)
        [lane] = [each for each in answer.lanes if each.register_id == till.name]
        assert (lane.claimed_head, lane.stored_through, lane.stored) == (4, 4, 2)
        assert (answer.complete, answer.recovering) == (False, "")
        assert len(await sold_home(scene)) == 2

    act(story, fresh=True)
