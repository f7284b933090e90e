"""A group that no schedule carries to: registers are prepared there at no cost."""

from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_stream import Stream

from stillopen.v1 import headquarters_pb2

LATER = "Later"
EVERYTHING = 9999


async def carry_to(estate: Estate, name: str, group_id: str) -> None:
    """A schedule of everything for one group, as soon as it changes."""
    await estate.people.set_schedule(
        headquarters_pb2.DistributionSchedule(
            name=name, jobs=[EVERYTHING], group_ids=[group_id], on_change=True
        )
    )


async def test_a_group_without_a_schedule_gets_nothing_until_it_has_one(estate: Estate) -> None:
    people = estate.people
    await carry_to(estate, "default", "Default")
    await people.set_group(LATER)
    for number in range(3):
        store = f"L{number}"
        await people.set_store(headquarters_pb2.Store(store_id=store, group_id=LATER))
        row = headquarters_pb2.RegisterRow(
            register_id=f"{store}-1", store_id=store, support_offline=True
        )
        await people.set_register(row)
    await people.set_store(headquarters_pb2.Store(store_id="S2", group_id=LATER))
    await estate.until_channel_shows()
    assert [run async for run in people.runs(LATER)] == []
    replicas = [replica async for replica in people.replicas(LATER)]
    assert [(each.store_id, each.newest_sequence) for each in replicas] == [
        *((f"L{number}", 0) for number in range(3) for _ in range(2)),
        ("S2", 0),
    ]
    async with Stream(estate.upper_streams, callers.channel("S2")) as stream:
        stream.hello()
        await stream.welcome()
        for _ in range(2):
            frame = await stream.hears(lambda _: True)
            assert frame.WhichOneof("frame") == "heartbeat"
            stream.heartbeat()
        assert [run async for run in people.runs(LATER)] == []
        await carry_to(estate, "later", LATER)
        package, _ = await stream.package()
    assert (package.cursor.sequence, package.base) == (1, None)
    [run] = [run async for run in people.runs(LATER)]
    assert run.sequence == 1
    replicas = [replica async for replica in people.replicas(LATER)]
    assert {each.newest_sequence for each in replicas} == {1}
