"""What no honest server of a stream says: its client leaves the stream or passes over it.

Whatever is said to a register or to a channel, its journal goes home whole, its copy of the master
data is headquarters', and the streams of others do not feel it.
"""

import asyncio

import pytest
from tests.sim.scene import Scene, act, small
from tests.sim.session import differences
from tests.sim.wire import Wire

from stillopen.v1 import sync_pb2, types_pb2

Response = sync_pb2.SyncResponse
NOBODYS = sync_pb2.LaneState(register_id="R9-9", epoch=9, stored_through=9, purge_through=9)
FAR = sync_pb2.LaneState(register_id="R1-1", epoch=9, stored_through=2**64 - 1)
PLACE = sync_pb2.Cursor(generation=7, sequence=9, package_digest=bytes(32))
BEYOND = sync_pb2.Cursor(generation=7, sequence=2**63, package_digest=bytes(32))
LONG = sync_pb2.Cursor(generation=7, sequence=9, package_digest=bytes(33))

LEFT: dict[str, Response] = {
    "a second welcome": Response(welcome=sync_pb2.Welcome(protocol_version=2)),
    "an answer to a batch never sent": Response(stored=sync_pb2.Stored(batch=2**40)),
    "a block of no package": Response(package_block=sync_pb2.PackageBlock(data=b"x")),
    "the end of no package": Response(package_end=sync_pb2.PackageEnd()),
    "an offset that is not there": Response(
        package_begin=sync_pb2.PackageBegin(cursor=PLACE, size=9, offset=3)
    ),
    "a package of number 2**63": Response(
        package_begin=sync_pb2.PackageBegin(cursor=BEYOND, size=9)
    ),
    "a digest of 33 bytes": Response(package_begin=sync_pb2.PackageBegin(cursor=LONG, size=9)),
    "a package from nowhere": Response(
        package_begin=sync_pb2.PackageBegin(cursor=PLACE, size=9, base=BEYOND)
    ),
}
PASSED_OVER: dict[str, Response] = {
    "a frame of no kind": Response(),
    "a frame of a kind to come": Response.FromString(b"\xfa\x01\x03new"),
    "an entry that never was, again": Response(
        resend=sync_pb2.Resend(
            positions=[types_pb2.JournalPosition(register_id="R1-1", epoch=9, sequence=2**63)]
        )
    ),
    "a lane of nobody": Response(stored=sync_pb2.Stored(lanes=[NOBODYS])),
    "a question about no table": Response(
        digests_asked=sync_pb2.DigestsAsked(number=9, table="none")
    ),
    "a question without sense": Response(
        digests_asked=sync_pb2.DigestsAsked(number=10, table="product", bounds=["b", "a"])
    ),
}
HEALED: dict[str, Response] = {
    "a package of nothing": Response(package_begin=sync_pb2.PackageBegin(cursor=PLACE)),
    "a package that is too large": Response(
        package_begin=sync_pb2.PackageBegin(cursor=PLACE, size=2**40)
    ),
    "a lane that is longer than any": Response(stored=sync_pb2.Stored(lanes=[FAR])),
}


async def says(scene: Scene, wire: Wire, client: str, frame: Response) -> int:
    """Its server says this to a client; how many streams that client begins because of it."""
    begun = wire.kinds[client, "hello"]
    wire.forge(client, frame.SerializeToString())
    async with asyncio.timeout(60):
        while not wire.is_read(client):  # noqa: ASYNC110 - the next heartbeat
            await asyncio.sleep(0.1)
    await scene.till.sold()
    await asyncio.sleep(5)
    return wire.kinds[client, "hello"] - begun


async def nothing_changed(scene: Scene, wire: Wire, client: str) -> None:
    """All is home, replicas are headquarters', and nobody else began a stream again."""
    await scene.settled()
    assert await differences(scene) == []
    others = [name for name, kind in wire.kinds if kind == "hello" and name != client]
    assert others == []


@pytest.mark.parametrize("client", ["R1-1", "S1"])
def test_a_server_that_says_what_cannot_be_is_left_and_asked_again(client: str) -> None:
    async def story(scene: Scene) -> None:
        wire = Wire(scene)
        began = {what: await says(scene, wire, client, frame) for what, frame in LEFT.items()}
        assert began == dict.fromkeys(LEFT, 1)
        await nothing_changed(scene, wire, client)

    act(story, plan=small(tills=(2,)))


@pytest.mark.parametrize("client", ["R1-1", "S1"])
def test_what_says_nothing_to_a_client_is_passed_over(client: str) -> None:
    async def story(scene: Scene) -> None:
        wire = Wire(scene)
        began = {
            what: await says(scene, wire, client, frame) for what, frame in PASSED_OVER.items()
        }
        assert began == dict.fromkeys(PASSED_OVER, 0)
        await nothing_changed(scene, wire, client)

    act(story, plan=small(tills=(2,)))


@pytest.mark.parametrize("client", ["R1-1", "S1"])
@pytest.mark.parametrize("what", list(HEALED))
def test_what_a_client_believes_for_a_moment_is_healed(client: str, what: str) -> None:
    async def story(scene: Scene) -> None:
        wire = Wire(scene)
        await says(scene, wire, client, HEALED[what])
        await scene.estate.set_prices(2)
        await scene.till.sold()
        await asyncio.sleep(60)
        await nothing_changed(scene, wire, client)

    act(story, plan=small(tills=(2,)))
