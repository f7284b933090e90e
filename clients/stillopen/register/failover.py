"""Failover: a request goes to the channel, and when nobody answers in time, to this register.

The caller sees one answer. Only an unreachable or silent channel switches, or one that is slow time
after time, or one that does not know this register; a refusal of the trade never does. While the
register is offline no request waits for the network.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc.aio

from stillopen.core.errors import Misuse, Reason, Refused, Unreachable
from stillopen.core.parameters import OfflineProfile
from stillopen.core.ports import Clock
from stillopen.register import connectivity
from stillopen.register.connectivity import Connectivity, Mode, Moment
from stillopen.register.mode_log import ModeChange, ModeLog
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
        rng: random.Random,
        log: ModeLog,
        *,
        manual: bool,
        begun: bool,
    ) -> None:
        self._channel = channel
        self._link = link
        self._profile = profile
        self._clock = clock
        self._rng = rng
        self.log = log
        self.news = News()
        """Told when the mode changed, or whether headquarters is reached."""
        self.headquarters_reachable = True
        self.offline_supported = True
        """Whether headquarters lets this register sell offline, as the channel said last."""
        self.state = connectivity.started(manual=manual, now=self.now())
        self._note()
        self.begun = begun
        """Whether somebody ever signed in here: nothing is delivered before (incumbent)."""
        link.allow(begun and not manual)

    @property
    def link_up(self) -> bool:
        """Whether the stream to the channel is up."""
        return self._link.up

    @property
    def timeout_s(self) -> float:
        """How long a request may stay unanswered."""
        return self._profile().timeout_s

    @property
    def may_ask(self) -> bool:
        """Whether what only the channel can say may be asked of it now (see `over_link`)."""
        return self.state.online or self._offline_and_heard

    @property
    def next_reconnect_s(self) -> float | None:
        """In how many seconds the register may come back by itself; nothing when it will not."""
        return connectivity.next_reconnect_s(self.state, self._profile(), self.now())

    @property
    def may_switch_unsigned(self) -> bool:
        """Whether somebody who is not signed in may use operation 917 now.

        Connecting always; disconnecting when the profile allows it.
        """
        return not self.state.online or self._profile().allow_manual_offline_before_sign_in

    async def ask(
        self,
        online: Callable[[float], Awaitable[T]],
        offline: Callable[[], Awaitable[T]],
    ) -> T:
        """Answers from the channel, or from this register when it is, or goes, offline.

        All tries share one deadline; `online` is given its try's part of it.
        """
        began_s = self._now_s()
        deadline_s = began_s + self._profile().timeout_s
        tries = self._profile().retry_count_to_offline
        for number in range(1, tries + 1):
            remaining_s = deadline_s - self._now_s()
            if not self.state.online:
                break
            tried_s = self._now_s()
            try:
                answer = await online(remaining_s / (tries - number + 1))
            except Unreachable as error:
                last = self._now_s() >= deadline_s
                self._failed(error.reason, began_s, tries if last else number)
                if last:
                    break
            except Misuse as error:
                _check_unknown(error)
                self._failed(error.reason, began_s, tries)
                break
            else:
                self._answered(self._now_s() - tried_s)
                return answer
        return await offline()

    async def over_link(
        self,
        online: Callable[[float], Awaitable[T]],
        offline: Callable[[], Awaitable[T]],
    ) -> T:
        """As `ask`, for what only the channel can say.

        A register that is offline, not by hand, asks all the same once its stream has heard the
        channel again, as it hands over what it owns by then.
        """
        if not self._offline_and_heard:
            return await self.ask(online, offline)
        return await self._all_the_same(online, offline)

    async def first(
        self,
        online: Callable[[float], Awaitable[T]],
        offline: Callable[[], Awaitable[T]],
    ) -> T:
        """As `ask`, for the sign-in: a new register that is offline asks all the same.

        It has no stream before somebody signed in, so nothing else would bring it back.
        """
        if self.begun or self.state.mode is not Mode.OFFLINE:
            return await self.ask(online, offline)
        return await self._all_the_same(online, offline)

    async def realtime(
        self, call: Callable[[float], Awaitable[T]], *, over_link: bool = False
    ) -> T:
        """A card call through the channel: Refused OFFLINE or HEADQUARTERS_UNREACHABLE without one.

        It alone never moves the register offline: the channel is asked how it is first. With
        `over_link` a register that is offline, not by hand, asks all the same once its stream has
        heard the channel again: renewing locks follows the link.
        """
        heard = over_link and self._offline_and_heard
        if not self.state.online and not heard:
            raise Refused(Reason.OFFLINE, "the register is offline; cards need headquarters")
        began_s, profile = self._now_s(), self._profile()
        try:
            answer = await call(profile.timeout_s * REALTIME_SHARE)
        except Refused as error:
            self._note_headquarters(reachable=error.reason is not Reason.HEADQUARTERS_UNREACHABLE)
            raise
        except Misuse as error:
            _check_unknown(error)
            self._failed(error.reason, began_s, profile.retry_count_to_offline)
            raise _gone_offline() from None
        except Unreachable:
            gone = await health_error(self._channel, profile.timeout_s * (1 - REALTIME_SHARE))
            if isinstance(gone, Unreachable):
                self._failed(gone.reason, began_s, profile.retry_count_to_offline)
                raise _gone_offline() from None
            self._note_headquarters(reachable=False)
            raise Refused(
                Reason.HEADQUARTERS_UNREACHABLE, "the channel is well but cards do not answer"
            ) from None
        self._note_headquarters(reachable=True)
        return answer

    async def _all_the_same(
        self,
        online: Callable[[float], Awaitable[T]],
        offline: Callable[[], Awaitable[T]],
    ) -> T:
        try:
            return await online(self._profile().timeout_s)
        except Unreachable:
            return await offline()
        except Misuse as error:
            _check_unknown(error)
            return await offline()

    def sale_begins(self) -> None:
        """The moment at which a register may come back by itself.

        A link that was not heard since the register went offline is not believed: a stopped server
        is noticed by a failed call long before its stream breaks.
        """
        self._become(
            connectivity.sale_begins(
                self.state, self._profile(), link_up=self._link_heard(), now=self.now()
            )
        )

    @property
    def _offline_and_heard(self) -> bool:
        return self.state.mode is Mode.OFFLINE and self._link_heard()

    def _link_heard(self) -> bool:
        return self._link.up and self._link.heard_s > self.state.counted_from_s

    async def check_health(self) -> None:
        """Asks the channel how it is, when advanced switching wants to know; one deadline long."""
        profile = self._profile()
        if self.state.mode is not Mode.OFFLINE or not profile.enable_advanced_offline_switching:
            return
        began_s = self._now_s()
        gone = await health_error(self._channel, profile.timeout_s)
        well = gone is None and not connectivity.is_slow(profile, self._now_s() - began_s)
        if began_s >= self.state.since.loop_s:
            self._become(
                connectivity.health_checked(self.state, profile, well=well, now=self.now())
            )

    async def switch(
        self, *, connect: bool, signed_in: bool, keep: Callable[[bool], Awaitable[None]]
    ) -> None:
        """Operation 917, or the cashier's answer; connecting raises Unreachable without a channel.

        Refused NOT_SIGNED_IN when nobody is and the profile wants somebody to disconnect. `keep`
        writes down whether the register is disconnected by hand; what it raises changes nothing.
        """
        allowed = signed_in or self._profile().allow_manual_offline_before_sign_in
        if not connect and not allowed:
            raise Refused(Reason.NOT_SIGNED_IN, "sign in before disconnecting this register")
        if connect and not self.state.online:
            gone = await health_error(self._channel, self._profile().timeout_s)
            if gone is not None:
                raise gone
        manual = self._switched(connect=connect).mode is Mode.OFFLINE_MANUAL
        await keep(manual)
        self._become(self._switched(connect=connect))
        if (self.state.mode is Mode.OFFLINE_MANUAL) is not manual:  # the mode changed meanwhile
            await keep(not manual)
        self._link.allow(self.begun and self.state.mode is not Mode.OFFLINE_MANUAL)

    def _switched(self, *, connect: bool) -> connectivity.Connectivity:
        return connectivity.switched(self.state, connect=connect, now=self.now())

    def begin(self) -> None:
        """Somebody signed in for the first time: delivery begins."""
        self.begun = True
        self._link.allow(self.state.mode is not Mode.OFFLINE_MANUAL)

    def checked_again(self, what: str) -> None:
        """Something was checked after a return."""
        self._become(connectivity.checked_again(self.state, what))

    def now(self) -> Moment:
        """Now, for people and for intervals."""
        return Moment(self._clock.wall_s(), self._now_s())

    def _failed(self, why: Reason, began_s: float, tries: int) -> None:
        self._become(
            connectivity.call_failed(
                self.state,
                self._profile(),
                str(why),
                tries=tries,
                began_s=began_s,
                jitter=self._jitter(),
                now=self.now(),
            )
        )

    def _answered(self, took_s: float) -> None:
        self._become(
            connectivity.answered(
                self.state, self._profile(), took_s, jitter=self._jitter(), now=self.now()
            )
        )

    def _jitter(self) -> float:
        return self._rng.random() if self._profile().enable_advanced_offline_switching else 0.0

    def _become(self, state: Connectivity) -> None:
        before, self.state = self.state, state
        if state.mode is not before.mode:
            self._note()
        if (state.mode, state.asks, state.check_again) != (
            before.mode,
            before.asks,
            before.check_again,
        ):
            self.news.tell()

    def _note(self) -> None:
        self.log.note(ModeChange(self.state.mode, self.state.reason, self.state.since.wall_s))

    def _note_headquarters(self, *, reachable: bool) -> None:
        if reachable != self.headquarters_reachable:
            self.headquarters_reachable = reachable
            self.news.tell()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _check_unknown(error: Misuse) -> None:
    """Lets pass only that the channel does not know this register, or not now.

    Its copy of master data may be damaged, or be new. The shop is still open.
    """
    if error.reason is not Reason.CALLER_UNKNOWN:
        raise error


def _gone_offline() -> Refused:
    return Refused(Reason.OFFLINE, "the register has gone offline; cards need headquarters")
