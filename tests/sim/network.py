"""What lies between machines: links that are late, silent, cut or faulty.

Frames of different calls overtake each other, those of one call never. Not simulated: the back-off
of a channel after a refusal, and keepalive: silence lasts until a deadline or until it is healed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import grpc
from tests.sim.exchange import Exchange, Listener, Pipe, Tap
from tests.sim.frames import Frame, Opening, Status, Terms, refusal

DUPLICATE_LATE_S_MAX = 1.0
LATE_S_MAX = 4.0
LATE_AFTER_ALL = 0.5
"""Of the requests that are lost, those that come late: most when nobody waits any more."""
OnCall = Callable[[str, str, str], None]


class Ear(Protocol):
    """Hears, at the border of every server, what is asked and what is answered."""

    def opened(self, address: str) -> None:
        """A server process begins; it may listen later."""
        ...

    def asked(self, exchange: Exchange, request: object) -> None:
        """A call with one request is about to be worked on."""
        ...

    def answered(self, exchange: Exchange, status: Status) -> None:
        """Its answer leaves the server; the network may lose it."""
        ...

    def ended(self, address: str) -> None:
        """The process is no more, and what it was working on with it."""
        ...

    def lost_power(self, machine: str) -> None:
        """A machine stopped, and what it had not flushed may be gone."""
        ...


class Cut(StrEnum):
    """How a link fails."""

    CLOSED = "closed"
    """Calls end with UNAVAILABLE at once, running ones too."""
    SILENT = "silent"
    """A black hole: what is sent waits until the link is healed."""
    ANSWERS_LOST = "answers-lost"
    """Requests arrive; answers wait until the link is healed."""
    REQUESTS_LOST = "requests-lost"
    """Answers arrive; requests wait until the link is healed."""


class End(StrEnum):
    """An end of a connection."""

    CLIENT = "client"
    SERVER = "server"


_NOTHING_UP = (Cut.SILENT, Cut.REQUESTS_LOST)
_NOTHING_DOWN = (Cut.SILENT, Cut.ANSWERS_LOST)


@dataclass(slots=True)
class Faults:
    """How often what goes wrong, from 0 to 1; drawn for each call or frame."""

    drop_request: float = 0.0
    """A call with one request and one answer reaches its server never, or much too late."""
    drop_response: float = 0.0
    """Such a call is executed and its answer lost."""
    duplicate: float = 0.0
    """Such a call is executed twice, the second time up to a second later."""
    break_stream: float = 0.0
    """A frame breaks its stream, at both ends."""
    delay_s: tuple[float, float] = (0.0, 0.0)
    """Each frame is late by something between these, beyond the latency."""


@dataclass(eq=False, slots=True)
class Link:
    """The way from a machine to an address and back."""

    links: "Links"
    source: str
    target: str
    cut: Cut | None = None
    calls: dict[int, Exchange] = field(default_factory=dict[int, Exchange])
    held: list[tuple[Pipe, int, Frame]] = field(default_factory=list[tuple[Pipe, int, Frame]])
    is_stale: bool = False
    """The server's end is gone, and the client believes in it: the next call finds out."""

    def is_blocked(self, *, up: bool) -> bool:
        """Whether frames in this direction have to wait."""
        if self.cut is not None and self.cut in (_NOTHING_UP if up else _NOTHING_DOWN):
            return True
        dark = self.links.dark
        return self.is_stopped() or (bool(dark) and (self.target if up else self.source) in dark)

    def is_closed(self) -> bool:
        """Whether a call is refused at once."""
        if self.cut is Cut.CLOSED:
            return True
        return not self.is_blocked(up=True) and self.listener() is None

    def carry(self, pipe: Pipe, number: int, frame: Frame) -> None:
        """Takes a frame to the other end of its pipe, as late as the network says."""
        if self.is_blocked(up=pipe.up):
            self._hold(pipe, number, frame)
            return
        delay_s = self.links.latency_s + self.links.drawn_delay_s()
        asyncio.get_running_loop().call_later(delay_s, self._arrive, pipe, number, frame)

    def release(self) -> None:
        """Sends on its way what had to wait and need not wait any more."""
        held, self.held = self.held, []
        for pipe, number, frame in held:
            self.carry(pipe, number, frame)

    def break_calls(self, details: str) -> None:
        """Ends every call, at both ends."""
        for exchange in list(self.calls.values()):
            self.count("broken")
            exchange.break_off(details)
        self.held.clear()

    def lose_end(self, end: End) -> None:
        """One end of the connection is gone; the other hears of it when it sends something."""
        believed = [each for each in self.calls.values() if each.lose_end(server=end is End.SERVER)]
        if believed:
            self.count(f"half-open at the {end}")
        self.is_stale = self.is_stale or end is End.SERVER

    def reset(self, *, up: bool) -> None:
        """What was sent into a connection that is gone is answered: all its calls have ended."""
        self.is_stale = self.is_stale and not up
        for exchange in list(self.calls.values()):
            exchange.reset(up=up)

    def breaks_stream(self) -> bool:
        """Whether the next frame breaks its stream."""
        breaks = self.links.drawn(self.links.faults.break_stream)
        if breaks:
            self.count("break_stream")
        return breaks

    def tap(self) -> Tap | None:
        """Who looks at the frames of streams."""
        return self.links.tap

    def listener(self) -> Listener | None:
        """What answers at the address now."""
        return self.links.listeners.get(self.target)

    def is_stopped(self) -> bool:
        """Whether the process at the address is stopped."""
        return self.target in self.links.stopped

    def count(self, what: str) -> None:
        """A fault changed something."""
        self.links.counts[what] += 1

    def forget(self, exchange: Exchange) -> None:
        """The call has ended at both ends."""
        self.calls.pop(exchange.serial, None)

    def _arrive(self, pipe: Pipe, number: int, frame: Frame) -> None:
        if self.is_blocked(up=pipe.up):
            self._hold(pipe, number, frame)
            return
        if self.links.doomed:
            self.links.touch(self.target if pipe.up else self.source)
        pipe.arrive(number, frame)

    def _hold(self, pipe: Pipe, number: int, frame: Frame) -> None:
        self.count("held")
        self.held.append((pipe, number, frame))


class Links:
    """Every link, and what can go wrong on them. `Network` in channel.py adds the two ends."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.latency_s = 0.001
        """From one machine to another, one way."""
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        """What changed something: the names of `Faults`, and refused, broken, held, crashed."""
        self.on_call: OnCall | None = None
        """Told source, target and method of each call that is made."""
        self.tap: Tap | None = None
        """Looks at the frames of streams."""
        self.ears: list[Ear] = []
        """Who hears the calls of every server."""
        self.listeners: dict[str, Listener] = {}
        self.stopped: set[str] = set()
        self.dark: set[str] = set()
        """Machines without power, and their addresses."""
        self.doomed: dict[str, Callable[[], None]] = {}
        """Who is told, by machine and address, of each call that is made and frame that comes."""
        self._links: dict[tuple[str, str], Link] = {}
        self._serial = 0

    @property
    def running(self) -> int:
        """How many calls have not ended at both ends."""
        return sum(len(link.calls) for link in self._links.values())

    def cut(self, source: str, target: str, *, mode: Cut) -> None:
        """Breaks the link from a machine to an address until it is healed."""
        link = self._link(source, target)
        link.cut = mode
        if mode is Cut.CLOSED:
            link.break_calls("the connection was reset")
        else:
            link.release()

    def heal(self, source: str, target: str) -> None:
        """Mends the link; what was sent into silence arrives now."""
        link = self._link(source, target)
        link.cut = None
        link.release()

    def heal_all(self) -> None:
        """Mends every link. Stopped servers stay stopped, faults stay on.

        Streams that are half-open stay so; calls that are made now have a fresh connection.
        """
        for source, target in self._links:
            self.heal(source, target)
            self._link(source, target).is_stale = False

    def lose_end(self, source: str, target: str, end: End) -> None:
        """A machine forgets its connection to or from another, which is not told."""
        self._link(source, target).lose_end(end)

    def power_off(self, machine: str, address: str) -> None:
        """A machine is no more: it says nothing, and nothing reaches it."""
        self.listeners.pop(address, None)
        self.stopped.discard(address)
        self.dark |= {machine, address}
        self.lose_unflushed(machine)
        for link in self._links.values():
            if link.source == machine:
                link.lose_end(End.CLIENT)
            elif link.target == address:
                link.lose_end(End.SERVER)

    def lose_unflushed(self, machine: str) -> None:
        """What a machine had not flushed may be gone."""
        for ear in self.ears:
            ear.lost_power(machine)

    def power_on(self, machine: str, address: str) -> None:
        """It is there again, and knows nothing of its connections."""
        if machine in self.dark:
            self.dark -= {machine, address}
            for link in self._links.values():
                if link.source == machine or link.target == address:
                    link.release()

    def count(self, what: str) -> None:
        """A fault changed something."""
        self.counts[what] += 1

    def touch(self, place: str) -> None:
        """A call is made by a machine, or a frame comes to it."""
        if (told := self.doomed.get(place)) is not None:
            told()

    def begin(self, source: str, target: str, terms: Terms, body: bytes | None) -> Exchange:
        """Makes a call; `body` is the whole request unless it is a stream."""
        if self.on_call is not None:
            self.on_call(source, target, terms.method)
        if self.doomed:
            self.touch(source)
        link = self._link(source, target)
        exchange = self._exchange(link, terms)
        loop = asyncio.get_running_loop()
        if link.is_closed():
            link.count("refused")
            exchange.served = True
            loop.call_soon(exchange.fail, refusal(target))
            return exchange
        link.calls[exchange.serial] = exchange
        if terms.timeout_s is not None:
            exchange.set_deadline(terms.timeout_s)
        is_late = terms.timeout_s is not None and terms.timeout_s <= 0
        if is_late or (not terms.streams and self._strikes_request(link)):
            exchange.served = True
            if not is_late and terms.timeout_s is not None and self.rng.random() < LATE_AFTER_ALL:
                late_s = self.rng.uniform(0, 2) * min(terms.timeout_s, LATE_S_MAX / 2)
                loop.call_later(late_s, self._send_again, link, terms, body)
            return exchange
        if link.is_stale:
            exchange.lose_end(server=True)
        exchange.requests.post(Opening(body))
        if not terms.streams:
            exchange.lose_answer = self.drawn(self.faults.drop_response)
            if self.drawn(self.faults.duplicate):
                late_s = self.latency_s + self.rng.uniform(0, DUPLICATE_LATE_S_MAX)
                loop.call_later(late_s, self._send_again, link, terms, body)
        return exchange

    def drawn_delay_s(self) -> float:
        """How late a frame is beyond the latency."""
        low, high = self.faults.delay_s
        if high <= 0:
            return 0.0
        self.counts["delay"] += 1
        return self.rng.uniform(low, high)

    def listen(self, address: str, listener: Listener) -> None:
        """Answers calls to `address` from now on."""
        if address in self.listeners:
            raise ValueError(f"{address} is taken")
        self.listeners[address] = listener

    def leave(self, address: str) -> None:
        """The process is dead: its port is closed and its kernel answers for it."""
        self.listeners.pop(address, None)
        self.resume(address)

    def stop(self, address: str) -> None:
        """The process hears nothing and says nothing."""
        self.stopped.add(address)

    def resume(self, address: str) -> None:
        """The process goes on, with all that came meanwhile."""
        self.stopped.discard(address)
        for link in self._links.values():
            if link.target == address:
                link.release()

    def _strikes_request(self, link: Link) -> bool:
        is_dropped = self.drawn(self.faults.drop_request)
        if is_dropped and not link.is_blocked(up=True):
            link.count("drop_request")
        return is_dropped

    def _send_again(self, link: Link, terms: Terms, body: bytes | None) -> None:
        if link.is_closed() or link.is_blocked(up=True):
            return
        second = self._exchange(link, terms)
        second.is_duplicate = True
        second.fail(Status(grpc.StatusCode.CANCELLED, "nobody waits for it"))
        link.calls[second.serial] = second
        second.requests.post(Opening(body))

    def _exchange(self, link: Link, terms: Terms) -> Exchange:
        self._serial += 1
        return Exchange(link, terms, self._serial)

    def drawn(self, rate: float) -> bool:
        """Whether something happens that happens so often."""
        return rate > 0 and self.rng.random() < rate

    def _link(self, source: str, target: str) -> Link:
        key = (source, target)
        if key not in self._links:
            self._links[key] = Link(self, source, target)
        return self._links[key]
