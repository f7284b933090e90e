"""The server's end of simulated calls: real servicers, and what happens to their process.

The habits of grpc.aio are kept: a handler that raises CancelledError leaves its call without an
answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, cast

import grpc
import grpc.aio
from tests.sim.exchange import Exchange
from tests.sim.frames import Pairs, Status
from tests.sim.network import Ear, Links

Serialize = Callable[[Any], bytes]
Deserialize = Callable[[bytes], Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Given = Iterable[tuple[str, str | bytes]] | None


class SimServer:
    """A server process: what it answers with, and what happens to it."""

    def __init__(self, links: Links, address: str) -> None:
        self.address = address
        self._links = links
        self._handlers: dict[str, Handler] = {}
        self._running: dict[int, Exchange] = {}
        for ear in links.ears:
            ear.opened(address)

    @property
    def as_grpc(self) -> grpc.aio.Server:
        """Itself, for `add_XServicer_to_server`."""
        return cast("grpc.aio.Server", self)

    @property
    def running(self) -> int:
        """How many handlers are at work."""
        return len(self._running)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Called by generated code."""
        self._handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Called by generated code, which has registered each method too."""

    def crash(self) -> None:
        """Ends at once: callers get UNAVAILABLE, handlers are cancelled, the port is closed."""
        for ear in self._links.ears:
            ear.ended(self.address)
        if self._links.listeners.get(self.address) is not self:
            return
        self._links.counts["crashed"] += 1
        self._links.leave(self.address)
        for exchange in list(self._running.values()):
            exchange.lose(Status(grpc.StatusCode.UNAVAILABLE, "the connection was reset"))

    def stop_answering(self) -> None:
        """SIGSTOP as others see it: nothing is taken in and nothing goes out.

        Handlers that were at work go on inside; nobody hears of it before `resume`.
        """
        self._links.stop(self.address)

    def resume(self) -> None:
        """SIGCONT: what came meanwhile is served now, even if its caller has given up."""
        self._links.resume(self.address)

    def accept(self, exchange: Exchange) -> None:
        """Serves a call."""
        handler = self._handlers.get(exchange.terms.method)
        if handler is None:
            exchange.answer(Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
            return
        serving = _serve(handler, exchange, self._links.ears)
        task = asyncio.get_running_loop().create_task(serving)
        self._running[exchange.serial] = exchange
        task.add_done_callback(lambda _: self._running.pop(exchange.serial))
        exchange.serve(task)


async def _serve(handler: Handler, exchange: Exchange, ears: Sequence[Ear]) -> None:
    context = SimContext(handler, exchange, ears)
    try:
        body = await _body(handler, context)
    except grpc.aio.AbortError:
        status = context.aborted or Status(grpc.StatusCode.UNKNOWN, "aborted by hand")
    except Exception as error:  # noqa: BLE001 - as grpc.aio does
        code = context.code()
        if code is grpc.StatusCode.OK:
            code = grpc.StatusCode.UNKNOWN
        status = Status(code, f"Unexpected {type(error)}: {error}", context.trailing_metadata())
    else:
        status = Status(context.code(), context.details(), context.trailing_metadata(), body)
    context.end(status)


async def _body(handler: Any, context: "SimContext") -> bytes | None:
    if handler.request_streaming:
        argument: Any = context.requests()
    else:
        argument = await context.read()
        context.tell(argument)
    if not handler.response_streaming:
        behaviour = handler.stream_unary or handler.unary_unary
        return context.serialize(await behaviour(argument, context))
    behaviour = handler.stream_stream or handler.unary_stream
    answers = behaviour(argument, context)
    if not hasattr(answers, "__aiter__"):
        await answers
        return None
    async for answer in answers:
        await context.write(answer)
    return None


class SimContext:
    """What a handler knows of its call; stands in for `grpc.aio.ServicerContext`."""

    def __init__(self, handler: Handler, exchange: Exchange, ears: Sequence[Ear]) -> None:
        self.aborted: Status | None = None
        self.serialize: Serialize = handler.response_serializer or bytes
        self._deserialize: Deserialize = handler.request_deserializer or bytes
        self._exchange = exchange
        self._ears = ears
        self._code = grpc.StatusCode.OK
        self._details = ""
        self._trailers: Pairs = ()

    def invocation_metadata(self) -> Pairs:
        """What the caller sent along."""
        return self._exchange.terms.metadata

    def time_remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        if self._exchange.server_deadline_s is None:
            return None
        return max(0.0, self._exchange.server_deadline_s - asyncio.get_running_loop().time())

    def peer(self) -> str:
        """The calling machine."""
        return f"sim:{self._exchange.source}"

    def cancelled(self) -> bool:
        """Whether the call was ended by the other end, the deadline or the network."""
        return self._exchange.served

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Given = ()
    ) -> NoReturn:
        """Ends the call with an error."""
        trailers = checked(trailing_metadata) or self._trailers
        self.aborted = Status(code, details, trailers)
        self.end(self.aborted)
        raise grpc.aio.AbortError("Locally aborted.")

    def tell(self, request: object) -> None:
        """Says what is asked, when it is one request."""
        for ear in self._ears:
            ear.asked(self._exchange, request)

    def end(self, status: Status) -> None:
        """Ends the call, unless it has ended."""
        if not self._exchange.served:
            for ear in self._ears:
                ear.answered(self._exchange, status)
        self._exchange.answer(status)

    async def send_initial_metadata(self, initial_metadata: Given) -> None:
        """Begins the answer; finds out when nobody is there to hear it."""
        checked(initial_metadata)
        if self._exchange.served:
            raise asyncio.CancelledError

    def set_trailing_metadata(self, trailing_metadata: Given) -> None:
        """Sends something along with the status."""
        self._trailers = checked(trailing_metadata)

    def set_code(self, code: grpc.StatusCode) -> None:
        """Sets the status without ending the call."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Explains the status."""
        self._details = details

    def code(self) -> grpc.StatusCode:
        """The status so far."""
        return self._code

    def details(self) -> str:
        """Its explanation."""
        return self._details

    def trailing_metadata(self) -> Pairs:
        """What goes along with it."""
        return self._trailers

    async def read(self) -> Any:
        """The next request, or EOF."""
        frame = await self._exchange.requests.read()
        return grpc.aio.EOF if frame is None else self._deserialize(frame)

    async def requests(self) -> AsyncIterator[Any]:
        """The requests of a stream."""
        while (frame := await self._exchange.requests.read()) is not None:
            yield self._deserialize(frame)

    async def write(self, message: Any) -> None:
        """Sends one answer of a stream."""
        await self._exchange.answers.room()
        if not self._exchange.served:
            self._exchange.send(self._exchange.answers, self.serialize(message))


def checked(metadata: Given) -> Pairs:
    """Metadata that gRPC carries; raises for anything else."""
    pairs = tuple((key, value) for key, value in metadata or ())
    for key, value in pairs:
        is_text = isinstance(value, str) and value.isascii() and value.isprintable()
        if key != key.lower() or not (is_text or key.endswith("-bin")):
            raise ValueError(f"gRPC carries no metadata {key}: {value!r}")
    return pairs
