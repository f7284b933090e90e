"""What a stream asks of the source of its packages: one thing at a time, the newest offer alone."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.support.package_streams import R1, Goods

from stillopen.replication.frames import cursor_to
from stillopen.replication.ports import Cursor
from stillopen.replication.sending import Offer, SendingEffect
from stillopen.replication.server_half import ServerHalf
from stillopen.sync.offers import Offers
from stillopen.v1 import sync_pb2

AT = Cursor(3, 1, b"first")
ELSEWHERE = Cursor(3, 2, b"second")
LATER = Cursor(3, 3, b"third")


class Asking:
    """The source's end of a stream whose client stands somewhere, without a line."""

    def __init__(self) -> None:
        self.goods = Goods()
        self.half = ServerHalf(R1.name, 1.0)
        self.offers = Offers(self.half, self.goods, R1.name, self.goods.note)
        hello = sync_pb2.Hello(protocol_version=1, cursor=cursor_to(AT))
        self.half.received(sync_pb2.SyncRequest(hello=hello))
        for effect in self.half.claimed([]):
            assert isinstance(effect, Offer)
            self.offers.put(effect)
        assert self.sent() == ["welcome"]

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """While it asks."""
        running = asyncio.create_task(self.offers.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])

    def wants(self, *cursors: Cursor) -> None:
        """The client says where its replicas stand."""
        wanted = sync_pb2.PackagesWanted(cursors=[cursor_to(each) for each in cursors])
        self.received(sync_pb2.SyncRequest(packages_wanted=wanted))

    def received(self, frame: sync_pb2.SyncRequest) -> None:
        """The client speaks, and is asked nothing but this."""
        for effect in self.half.received(frame):
            assert isinstance(effect, SendingEffect)
            self.offers.put(effect)

    def sent(self) -> list[str]:
        """What is sent now; blocks wait."""
        found: list[str] = []
        while frame := self.half.take():
            found.append(frame.WhichOneof("frame") or "")
        return found


async def test_an_offer_takes_the_place_of_those_that_wait() -> None:
    asking = Asking()
    asking.goods.may_find.clear()
    async with asking.at_work():
        await asking.goods.until(lambda: bool(asking.goods.asked))
        for cursor in (ELSEWHERE, LATER):
            asking.wants(cursor)
        asking.goods.may_find.set()
        await asking.goods.until(lambda: len(asking.goods.asked) > 1)
    assert asking.goods.asked == [AT, LATER]


async def test_what_comes_while_nothing_was_found_is_found() -> None:
    asking = Asking()
    goods = asking.goods
    goods.may_find.clear()
    async with asking.at_work():
        await goods.until(lambda: goods.asked == [AT])
        goods.put(3, 9, b"everything")
        for effect in asking.half.look():  # that was news
            asking.offers.put(effect)
        goods.may_find.set()
        await goods.until(lambda: asking.half.wanted_block is not None)
    assert goods.asked == [AT, AT]
    assert asking.sent() == ["package_begin"]


async def test_nothing_is_looked_for_while_a_package_is_under_way() -> None:
    asking = Asking()
    goods = asking.goods
    goods.put(3, 9, b"everything")
    goods.may_find.clear()
    async with asking.at_work():
        await goods.until(lambda: goods.asked == [AT])
        for effect in asking.half.look():
            asking.offers.put(effect)
        goods.may_find.set()
        await goods.until(lambda: asking.half.wanted_block is not None)
        for _ in range(10):
            await asyncio.sleep(0)
    assert goods.asked == [AT]
    assert asking.sent() == ["package_begin"]


async def test_a_refusal_is_heard_before_the_next_is_looked_for() -> None:
    asking = Asking()
    goods = asking.goods
    end = goods.put(3, 9, b"everything")
    async with asking.at_work():
        await goods.until(lambda: asking.half.wanted_block is not None)
        goods.may_find.clear()
        frame = sync_pb2.PackageRefused(
            cursor=cursor_to(end), reason="PACKAGE_DAMAGED", message="a test"
        )
        asking.received(sync_pb2.SyncRequest(package_refused=frame))
        asking.wants(ELSEWHERE)
        await goods.until(lambda: goods.doubted == [end])
        assert goods.asked == [AT]
        goods.may_find.set()
        await goods.until(lambda: goods.asked == [AT, ELSEWHERE])
    assert goods.refusals == ["R1 9 a test"]
