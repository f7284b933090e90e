"""The client's end of simulated calls, and the network that stands between it and server.py.

`Network.channel` is what a generated stub takes, `Network.server(...).as_grpc` what a generated
`add_XServicer_to_server` takes. Messages are serialized and deserialized for real. The habits of
grpc.aio are kept: a request iterator that raises cancels its call; one that waits when its call
ends stays there, and takes one more item; closing a channel cancels its calls, and a cancelled call
raises CancelledError.
"""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable, Generator
from typing import Any, Self, cast

import grpc
import grpc.aio
from tests.sim.exchange import Exchange
from tests.sim.frames import Signal, Terms
from tests.sim.network import Links
from tests.sim.server import Deserialize, Given, Serialize, SimServer, checked

LOG = logging.getLogger("tests.sim")
Method = Callable[..., "SimCall"]


class Network(Links):
    """Machines by name, servers by address, and the links between them."""

    def server(self, address: str) -> SimServer:
        """A process that answers at `address` until it crashes."""
        server = SimServer(self, address)
        self.listen(address, server)
        return server

    def channel(self, source: str, target: str) -> grpc.aio.Channel:
        """A channel from the machine `source` to the address `target`."""
        return cast("grpc.aio.Channel", SimChannel(self, source, target))


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
            terms = Terms(method, checked(metadata), timeout, streams=kind != "unary")
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
