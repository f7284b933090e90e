"""Failover: a request goes to the channel, and when nobody answers in time, to this register.

The caller sees one answer. Only an unreachable or silent channel switches; a refusal never does.
While the register is offline no request waits for the network.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc.aio

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.core.parameters import OfflineProfile
from stillopen.core.ports import Clock
from stillopen.register import connectivity
from stillopen.register.connectivity import Connectivity
from stillopen.replication.client import SyncClient
from stillopen.replication.news import News
from stillopen.rpc.health import health_error

T = TypeVar("T")

REALTIME_SHARE = 0.8
"""A card call's share of the deadline; the rest is for asking the channel how it is."""


class Failover:
    """Where requests are answered now, and the word on each change."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        link: SyncClient,
        profile: Callable[[], OfflineProfile],
        clock: Clock,
        *,
        manual: bool,
    ) -> None:
        self._channel = channel
        self._link = link
        self._profile = profile
        self._clock = clock
        self.news = News()
        """Told when the mode changed, or whether headquarters is reached."""
        self.headquarters_reachable = True
        self.state = connectivity.started(manual=manual, wall_s=clock.wall_s(), now_s=self._now_s())
        link.allow(not manual)

    @property
    def link_up(self) -> bool:
        """Whether the stream to the channel is up."""
        return self._link.up

    async def ask(
        self,
        online: Callable[[float], Awaitable[T]],
        offline: Callable[[], Awaitable[T]],
    ) -> T:
        """Answers from the channel, or from this register when it is, or goes, offline.

        All tries share one deadline; `online` is given its try's part of it.
        """
        if self.state.online:
            deadline_s = self._now_s() + self._profile().timeout_s
            tries = self._profile().retry_count_to_offline
            why = Reason.TIMED_OUT
            for left in range(tries, 0, -1):
                remaining_s = deadline_s - self._now_s()
                if remaining_s <= 0:
                    break
                try:
                    return await online(remaining_s / left)
                except Unreachable as error:
                    why = error.reason
            self._gone_offline(why)
        return await offline()

    async def realtime(self, call: Callable[[float], Awaitable[T]]) -> T:
        """A card call through the channel: Refused OFFLINE or HEADQUARTERS_UNREACHABLE without one.

        It alone never moves the register offline: the channel is asked how it is first.
        """
        if not self.state.online:
            raise Refused(Reason.OFFLINE, "the register is offline; cards need headquarters")
        timeout_s = self._profile().timeout_s
        try:
            answer = await call(timeout_s * REALTIME_SHARE)
        except Refused as error:
            self._note_headquarters(reachable=error.reason is not Reason.HEADQUARTERS_UNREACHABLE)
            raise
        except Unreachable:
            gone = await health_error(self._channel, timeout_s * (1 - REALTIME_SHARE))
            if isinstance(gone, Unreachable):
                self._gone_offline(gone.reason)
                raise Refused(
                    Reason.OFFLINE, "the register has gone offline; cards need headquarters"
                ) from None
            self._note_headquarters(reachable=False)
            raise Refused(
                Reason.HEADQUARTERS_UNREACHABLE, "the channel is well but cards do not answer"
            ) from None
        self._note_headquarters(reachable=True)
        return answer

    def sale_begins(self) -> None:
        """The moment at which a register may come back by itself.

        A link that was not heard since the register went offline is not believed: a stopped server
        is noticed by a failed call long before its stream breaks.
        """
        heard = self._link.heard_s > self.state.counted_from_s
        self._become(
            connectivity.sale_begins(
                self.state,
                self._profile().reconnect_interval_s,
                link_up=self._link.up and heard,
                wall_s=self._clock.wall_s(),
                now_s=self._now_s(),
            )
        )

    async def switch(self, *, connect: bool) -> None:
        """Operation 917; connecting raises Unreachable when the channel does not answer."""
        if connect and not self.state.online:
            gone = await health_error(self._channel, self._profile().timeout_s)
            if gone is not None:
                raise gone
        self._link.allow(connect)
        self._become(
            connectivity.switched(
                self.state, connect=connect, wall_s=self._clock.wall_s(), now_s=self._now_s()
            )
        )

    def _gone_offline(self, why: Reason) -> None:
        self._become(
            connectivity.call_failed(self.state, str(why), self._clock.wall_s(), self._now_s())
        )

    def _become(self, state: Connectivity) -> None:
        changed = state.mode is not self.state.mode
        self.state = state
        if changed:
            self.news.tell()

    def _note_headquarters(self, *, reachable: bool) -> None:
        if reachable != self.headquarters_reachable:
            self.headquarters_reachable = reachable
            self.news.tell()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
