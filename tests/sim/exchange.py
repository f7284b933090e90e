"""One call between two machines: a client's end and a server's end, and frames between them.

The ends may disagree for as long as the network says. Frames of one call arrive in order or, when
their link never heals, not at all, as on one TCP connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import grpc
from tests.sim.frames import Frame, Opening, Signal, Status, Terms, refusal, size_of

WINDOW_BYTES = 64 * 2**10
# A reset that comes right behind its request still finds a handler that has begun.
_SPACING_S = 1e-6


class Listener(Protocol):
    """What answers at an address."""

    def accept(self, exchange: "Exchange") -> None:
        """A call has arrived."""
        ...


class Tap(Protocol):
    """Looks at every frame of every stream, and may change it or cut its stream just there."""

    def sent(self, exchange: "Exchange", frame: bytes, *, up: bool) -> None:
        """A frame leaves."""
        ...

    def read(self, exchange: "Exchange", frame: bytes, *, up: bool) -> bytes | None:
        """A frame is about to be read: what is read; nothing when it ends the exchange here."""
        ...

    def dealt_with(self, exchange: "Exchange", *, up: bool) -> None:
        """Its reader asks for the next: it is done with the one before. It may end the exchange."""
        ...


class Carrier(Protocol):
    """The way from a machine to an address and back."""

    source: str
    target: str

    def carry(self, pipe: "Pipe", number: int, frame: "Frame") -> None:
        """Takes a frame to the other end of its pipe."""
        ...

    def breaks_stream(self) -> bool:
        """Whether the next frame breaks its stream."""
        ...

    def tap(self) -> "Tap | None":
        """Who looks at the frames of streams, if anybody does."""
        ...

    def listener(self) -> Listener | None:
        """What answers at the address now."""
        ...

    def is_stopped(self) -> bool:
        """Whether the process at the address is stopped."""
        ...

    def count(self, what: str) -> None:
        """A fault changed something."""
        ...

    def reset(self, *, up: bool) -> None:
        """Something was sent, up or down, into a connection whose other end is gone."""
        ...

    def forget(self, exchange: "Exchange") -> None:
        """The call has ended at both ends."""
        ...


class Pipe:
    """One direction of one call: a sending end and a receiving end with a window between them."""

    def __init__(self, link: Carrier, exchange: "Exchange", *, up: bool) -> None:
        self.up = up
        self._exchange = exchange
        self._link = link
        self._take = exchange.at_server if up else exchange.at_client
        self._posted = 0
        self._taken = 0
        self._free_at_s = 0.0
        self._early: dict[int, Frame] = {}
        self._frames: deque[bytes] = deque()
        self._unread_bytes = 0
        self._ended = False
        self._freed = False
        self._was_read = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    def post(self, frame: Frame) -> None:
        """Sends."""
        self._posted += 1
        self._unread_bytes += size_of(frame)
        self._link.carry(self, self._posted, frame)

    async def room(self) -> None:
        """Waits until the other end has read enough of what was sent."""
        await asyncio.sleep(0)
        while self._unread_bytes >= WINDOW_BYTES and not self._freed:
            self._room.clear()
            await self._room.wait()

    def arrive(self, number: int, frame: Frame) -> None:
        """A frame has come; those before it may still be on their way."""
        self._early[number] = frame
        if number == self._taken + 1:
            self._take_soon()

    def put(self, frame: bytes) -> None:
        """A frame may be read."""
        self._frames.append(frame)
        self._news.set()

    async def read(self) -> bytes | None:
        """The next frame; None after the last."""
        if self._was_read and (tap := self._link.tap()) is not None:
            tap.dealt_with(self._exchange, up=self.up)
        while not self._frames and not self._ended:
            self._news.clear()
            await self._news.wait()
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._unread_bytes -= len(frame)
        self._room.set()
        if not self._exchange.terms.streams or (tap := self._link.tap()) is None:
            return frame
        self._was_read = True
        return tap.read(self._exchange, frame, up=self.up)

    def end(self, *, discard: bool = False) -> None:
        """For the reader: nothing more comes after what has arrived, or after nothing at all."""
        self._ended = True
        if discard:
            self._frames.clear()
        self._news.set()

    def free(self) -> None:
        """For the writer: there is nothing to wait for any more."""
        self._freed = True
        self._room.set()

    def _take_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._free_at_s:
            loop.call_at(self._free_at_s, self._take_next)
        else:
            self._take_next()

    def _take_next(self) -> None:
        self._taken += 1
        self._free_at_s = asyncio.get_running_loop().time() + _SPACING_S
        self._take(self._early.pop(self._taken))
        if self._taken + 1 in self._early:
            self._take_soon()


class Exchange:
    """One call, both ends of it."""

    def __init__(self, link: Carrier, terms: Terms, serial: int) -> None:
        self.source = link.source
        self.terms = terms
        self.serial = serial
        self.status: Status | None = None
        """How it ended for the client."""
        self.over = asyncio.Event()
        """Set when it has ended for the client."""
        self.cancelled = False
        """Whether the client's own program ended it."""
        self.served = False
        """Whether it has ended for the server."""
        self.server_deadline_s: float | None = None
        self.lose_answer = False
        self.is_duplicate = False
        self.is_half_open = False
        """One end of its connection is gone, and the other does not know."""
        self.target = link.target
        self.requests = Pipe(link, self, up=True)
        self.answers = Pipe(link, self, up=False)
        self._link = link
        self._handler: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def set_deadline(self, timeout_s: float) -> None:
        """The client waits no longer than this."""
        status = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        self._later(timeout_s, lambda: self.give_up(status))

    def give_up(self, status: Status) -> bool:
        """The client ends the call; the server hears of it when the network lets it."""
        if self.status is not None:
            return False
        self.fail(status)
        if not self.served:
            self.requests.post(Signal.RESET)
        return True

    def cancel(self) -> bool:
        """The client's program ends the call."""
        if self.status is not None:
            return False
        self.cancelled = True
        return self.give_up(Status(grpc.StatusCode.CANCELLED, "Locally cancelled by application!"))

    def fail(self, status: Status) -> None:
        """The call ends for the client, which loses what it had not read."""
        if self.status is None:
            self._finish(status)
            self.answers.end(discard=True)

    def send(self, pipe: Pipe, frame: bytes) -> None:
        """Sends one frame of a stream, which may break on it."""
        if self._link.breaks_stream():
            self.break_off("the stream was broken")
            return
        if (tap := self._link.tap()) is not None:
            tap.sent(self, frame, up=pipe.up)
        pipe.post(frame)

    def serve(self, handler: asyncio.Task[None]) -> None:
        """The server works on it."""
        self._handler = handler

    def answer(self, status: Status) -> None:
        """The server ends the call."""
        if self.served:
            return
        self.served = True
        if self.lose_answer:
            self._link.count("drop_response")
        else:
            self.answers.post(status)
        self.requests.end(discard=True)
        self._retire()

    def lose(self, status: Status) -> None:
        """The server is no more; its machine tells the client."""
        self.lose_answer = False
        self.answer(status)
        if self._handler is not None:
            self._handler.cancel()

    def stop_serving(self) -> None:
        """The server's end is cut off and its handler cancelled."""
        if self.served:
            return
        self.served = True
        self.requests.end(discard=True)
        self.answers.free()
        if self._handler is not None:
            self._handler.cancel()
        self._retire()

    def break_off(self, details: str) -> None:
        """The connection is lost and both ends know."""
        self.stop_serving()
        self.fail(Status(grpc.StatusCode.UNAVAILABLE, details))

    def lose_end(self, *, server: bool) -> bool:
        """One end is gone, the other is not told; whether there was another."""
        if self.served or self.status is not None:
            return False
        self.is_half_open = True
        if server:
            self.stop_serving()
        else:
            self.fail(Status(grpc.StatusCode.UNAVAILABLE, "the connection was reset"))
        return True

    def reset(self, *, up: bool) -> None:
        """The machine whose end is gone says so, to who sent something up or down."""
        if not self.is_half_open or self.served is not up:
            return
        self.is_half_open = False
        if up:
            status = Status(grpc.StatusCode.UNAVAILABLE, "the connection was reset")
            self.answers.post(status)
        else:
            self.requests.post(Signal.RESET)

    def at_server(self, frame: Frame) -> None:
        """A frame of the client arrives."""
        if self.served:
            if self.is_half_open and self.status is None:
                self._link.reset(up=True)
            return
        match frame:
            case bytes():
                self.requests.put(frame)
            case Signal.NO_MORE:
                self.requests.end()
            case Opening():
                self._open_at_server(frame)
            case _:
                self.stop_serving()

    def _open_at_server(self, opening: Opening) -> None:
        listener = self._link.listener()
        if listener is None:
            self._link.count("refused")
            self.answer(refusal(self._link.target))
            return
        if self.is_duplicate:
            self._link.count("duplicate")
        if opening.body is not None:
            self.requests.put(opening.body)
            self.requests.end()
        if self.terms.timeout_s is not None:
            self.server_deadline_s = asyncio.get_running_loop().time() + self.terms.timeout_s
            self._later(self.terms.timeout_s, self._expire_at_server)
        listener.accept(self)

    def _expire_at_server(self) -> None:
        # A stopped process sees no timer; once it goes on it reads the client's reset.
        if not self._link.is_stopped():
            self.stop_serving()

    def at_client(self, frame: Frame) -> None:
        """A frame of the server arrives."""
        if self.status is not None:
            if self.is_half_open and not self.served:
                self._link.reset(up=False)
            return
        if isinstance(frame, bytes):
            self.answers.put(frame)
        elif isinstance(frame, Status):
            if frame.body is not None:
                self.answers.put(frame.body)
            self._finish(frame)
            self.answers.end()

    def _finish(self, status: Status) -> None:
        self.status = status
        self.over.set()
        self.requests.free()
        self._retire()

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, what))

    def _retire(self) -> None:
        if self.served and self.status is not None:
            self._link.forget(self)
            for timer in self._timers:
                timer.cancel()
