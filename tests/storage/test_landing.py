"""Where packages land while replicas are looked at: neither sees the other half done."""

import asyncio
import hashlib
from pathlib import Path

from tests.support.package_streams import Replicas

from stillopen.replication.client_half import ClientHalf, Read, Remember
from stillopen.replication.frames import cursor_to
from stillopen.replication.landing import Landing
from stillopen.replication.news import News
from stillopen.replication.ports import Cursor
from stillopen.v1 import sync_pb2

AT = Cursor(3, 1, b"first")
DATA = b"second"
NEXT = Cursor(3, 2, hashlib.sha256(DATA).digest())


def frames() -> list[sync_pb2.SyncResponse]:
    """A package, whole."""
    begin = sync_pb2.PackageBegin(cursor=cursor_to(NEXT), size=len(DATA))
    return [
        sync_pb2.SyncResponse(package_begin=begin),
        sync_pb2.SyncResponse(package_block=sync_pb2.PackageBlock(data=DATA)),
        sync_pb2.SyncResponse(package_end=sync_pb2.PackageEnd()),
    ]


async def turns() -> None:
    """Everything goes on as far as it can: nothing here leaves the loop."""
    for _ in range(50):
        await asyncio.sleep(0)


def said(half: ClientHalf) -> list[str]:
    """The kinds of the frames that are to be sent."""
    found: list[str] = []
    while frame := half.take():
        found.append(frame.WhichOneof("frame") or "")
    return found


async def test_where_a_replica_stood_before_its_package_is_not_said_after_it(
    tmp_path: Path,
) -> None:
    replicas, half = Replicas(tmp_path, AT), ClientHalf()
    half.hello([], [AT])
    half.received(sync_pb2.SyncResponse(welcome=sync_pb2.Welcome(protocol_version=1)))
    said(half)
    async with asyncio.TaskGroup() as group:
        landing = Landing(half, News(), replicas, group, asyncio.Lock())
        watching = group.create_task(landing.watch(replicas.news.version))
        await turns()
        replicas.may_look.clear()
        replicas.news.tell()
        await turns()  # somebody looks now, and sees the place before
        for frame in frames():
            for effect in half.received(frame):
                assert not isinstance(effect, Read | Remember)
                await landing.carry_out(effect)
        await turns()
        assert replicas.standing == [AT]
        replicas.may_look.set()
        await turns()
        watching.cancel()
    assert replicas.standing == [NEXT]
    assert said(half) == ["package_applied"]
