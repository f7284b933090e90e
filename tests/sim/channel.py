"""Both ends of simulated calls: the network stands between real stubs and real servicers.

`Network.channel` is what a generated stub takes, `Network.server(...).as_grpc` what a generated
`add_XServicer_to_server` takes. Messages are serialized and deserialized for real. The habits of
grpc.aio are kept: a handler that raises CancelledError leaves its call without an answer; a request
iterator that raises cancels its call; one that waits when its call ends stays there, and takes one
more item; closing a channel cancels its calls, and a cancelled call raises CancelledError.
"""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from typing import Any, NoReturn, Self, TypeAlias, cast

import grpc
import grpc.aio
from tests.sim.exchange import Exchange, Pairs, Signal, Status, Terms
from tests.sim.network import Links

LOG = logging.getLogger("tests.sim")
Serialize = Callable[[Any], bytes]
Deserialize = Callable[[bytes], Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Method = Callable[..., "SimCall"]
Given = Iterable[tuple[str, str | bytes]] | None


class Network(Links):
    """Machines by name, servers by address, and the links between them."""

    def server(self, address: str) -> "SimServer":
        """A process that answers at `address` until it crashes."""
        server = SimServer(self, address)
        self.listen(address, server)
        return server

    def channel(self, source: str, target: str) -> grpc.aio.Channel:
        """A channel from the machine `source` to the address `target`."""
        return cast("grpc.aio.Channel", SimChannel(self, source, target))


class SimServer:
    """A server process: what it answers with, and what happens to it."""

    def __init__(self, links: Links, address: str) -> None:
        self.address = address
        self._links = links
        self._handlers: dict[str, Handler] = {}
        self._running: dict[int, Exchange] = {}

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
        task = asyncio.get_running_loop().create_task(_serve(handler, exchange))
        self._running[exchange.serial] = exchange
        task.add_done_callback(lambda _: self._running.pop(exchange.serial))
        exchange.serve(task)


async def _serve(handler: Handler, exchange: Exchange) -> None:
    context = SimContext(handler, exchange)
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
    exchange.answer(status)


async def _body(handler: Any, context: "SimContext") -> bytes | None:
    if handler.request_streaming:
        argument: Any = context.requests()
    else:
        argument = await context.read()
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

    def __init__(self, handler: Handler, exchange: Exchange) -> None:
        self.aborted: Status | None = None
        self.serialize: Serialize = handler.response_serializer or bytes
        self._deserialize: Deserialize = handler.request_deserializer or bytes
        self._exchange = exchange
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
        trailers = _checked(trailing_metadata) or self._trailers
        self.aborted = Status(code, details, trailers)
        self._exchange.answer(self.aborted)
        raise grpc.aio.AbortError("Locally aborted.")

    async def send_initial_metadata(self, initial_metadata: Given) -> None:
        """Begins the answer; finds out when nobody is there to hear it."""
        _checked(initial_metadata)
        if self._exchange.served:
            raise asyncio.CancelledError

    def set_trailing_metadata(self, trailing_metadata: Given) -> None:
        """Sends something along with the status."""
        self._trailers = _checked(trailing_metadata)

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


class SimChannel:
    """A client's channel; stands in for `grpc.aio.Channel`."""

    def __init__(self, links: Links, source: str, target: str) -> None:
        self._links = links
        self._source = source
        self._target = target
        self._calls: weakref.WeakValueDictionary[int, SimCall] = weakref.WeakValueDictionary()
        self._closed = False

    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Deserialize | None = None,
        **_: object,
    ) -> Method:
        """One request, one answer."""
        return self._method(method, request_serializer, response_deserializer, "unary")

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Deserialize | None = None,
        **_: object,
    ) -> Method:
        """One request, many answers."""
        return self._method(method, request_serializer, response_deserializer, "answers")

    def stream_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Deserialize | None = None,
        **_: object,
    ) -> Method:
        """Many requests, one answer."""
        return self._method(method, request_serializer, response_deserializer, "requests")

    stream_stream = stream_unary

    async def close(self, grace: float | None = None) -> None:
        """Cancels the calls that are running."""
        del grace
        self._closed = True
        for call in list(self._calls.values()):
            call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _method(
        self, method: str, serialize: Serialize | None, deserialize: Deserialize | None, kind: str
    ) -> Method:
        def call(
            request: Any, *, timeout: float | None = None, metadata: Given = None, **_: object
        ) -> SimCall:
            if self._closed:
                raise grpc.aio.UsageError("Channel is closed.")
            terms = Terms(method, _checked(metadata), timeout, streams=kind != "unary")
            dumps = serialize or bytes
            body = None if kind == "requests" else dumps(request)
            exchange = self._links.begin(self._source, self._target, terms, body)
            made = SimCall(exchange, deserialize or bytes)
            if body is None:
                made.send_all(request, dumps)
            self._calls[exchange.serial] = made
            return made

        return call


class SimCall:
    """A call at its client: await it for one answer, iterate over it for many."""

    def __init__(self, exchange: Exchange, deserialize: Deserialize) -> None:
        self._exchange = exchange
        self._deserialize = deserialize
        self._sender: asyncio.Task[None] | None = None
        self._message: Any = None

    def __await__(self) -> Generator[Any, None, Any]:
        return self._answer().__await__()

    def __aiter__(self) -> "SimCall":
        return self

    async def __anext__(self) -> Any:
        message = await self.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message

    def __del__(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.cancel()

    async def read(self) -> Any:
        """The next answer, or EOF; raises when the call has failed."""
        try:
            frame = await self._exchange.answers.read()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if frame is not None:
            return self._deserialize(frame)
        self._raise_for_status()
        return grpc.aio.EOF

    def cancel(self) -> bool:
        """Ends the call; False when it has ended already."""
        if not self._exchange.cancel():
            return False
        if self._sender is not None:
            self._sender.cancel()
        return True

    def cancelled(self) -> bool:
        """Whether it was ended by `cancel`."""
        return self._exchange.cancelled

    def done(self) -> bool:
        """Whether it has ended."""
        return self._exchange.over.is_set()

    async def code(self) -> grpc.StatusCode:
        """How it ended; waits for that."""
        await self._exchange.over.wait()
        return grpc.StatusCode.UNKNOWN if (s := self._exchange.status) is None else s.code

    def send_all(self, requests: Any, serialize: Serialize) -> None:
        """Sends a stream of requests beside what the caller does."""
        self._sender = asyncio.get_running_loop().create_task(self._send_all(requests, serialize))

    async def _send_all(self, requests: Any, serialize: Serialize) -> None:
        exchange = self._exchange
        try:
            async for request in requests:
                await exchange.requests.room()
                if exchange.over.is_set():
                    return
                exchange.send(exchange.requests, serialize(request))
            if not exchange.over.is_set():
                exchange.requests.post(Signal.NO_MORE)
        except asyncio.CancelledError:
            self.cancel()
        except Exception as error:
            LOG.warning("the requests of %s raised", exchange.terms.method, exc_info=error)
            self.cancel()

    async def _answer(self) -> Any:
        if self._message is None:
            self._message = await self.read()
        return self._message

    def _raise_for_status(self) -> None:
        status = self._exchange.status
        if self._exchange.cancelled:
            raise asyncio.CancelledError
        if status is not None and status.code is not grpc.StatusCode.OK:
            trailers = grpc.aio.Metadata.from_tuple(status.trailers)
            raise grpc.aio.AioRpcError(
                status.code, grpc.aio.Metadata(), trailers, status.details, status.details
            )


def _checked(metadata: Given) -> Pairs:
    pairs = tuple((key, value) for key, value in metadata or ())
    for key, value in pairs:
        is_text = isinstance(value, str) and value.isascii() and value.isprintable()
        if key != key.lower() or not (is_text or key.endswith("-bin")):
            raise ValueError(f"gRPC carries no metadata {key}: {value!r}")
    return pairs
