"""How a cashier goes on with a suspended sale: one of the list, again, or on a manager's word."""

import random
from typing import Protocol, TypeVar

import grpc.aio
from tests.sim.history import History
from tests.sim.process import PASSWORD
from tests.sim.world import MANAGER

from stillopen.core.errors import Reason, Refused
from stillopen.v1 import register_pb2, register_pb2_grpc, types_pb2

Request = TypeVar("Request")
Response = TypeVar("Response")


class WithSale(Protocol):
    """An answer that shows the sale as it stands."""

    @property
    def sale(self) -> types_pb2.Sale:
        """The sale."""
        ...


Answer = TypeVar("Answer", bound=WithSale)


class Ask(Protocol):
    """Asks until there is an answer."""

    async def __call__(
        self, stub: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, /
    ) -> Response:
        """The answer."""
        ...


class Write(Protocol):
    """Sends a write until it is answered."""

    async def __call__(
        self,
        method: str,
        stub: grpc.aio.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        transaction_id: str,
        version: int,
        /,
    ) -> types_pb2.Sale:
        """The sale as it stands."""
        ...


class Recalling:
    """The recalls of one cashier."""

    def __init__(
        self,
        register: str,
        stub: register_pb2_grpc.RegisterServiceStub,
        rng: random.Random,
        history: History,
        asks_a_manager: float,
        ask: Ask,
        write: Write,
    ) -> None:
        self._register = register
        self._stub = stub
        self._rng = rng
        self._history = history
        self._asks_a_manager = asks_a_manager
        self._ask = ask
        self._write = write
        self._unanswered: tuple[str, str] | None = None
        """A recall that was refused for want of an answer: the cart, and the sale's id."""

    async def one_of_the_list(self) -> types_pb2.Sale | None:
        """The sale that goes on; nothing when there is none to go on with."""
        cart, name = self._unanswered or ("", f"{self._rng.getrandbits(128):032x}")
        self._unanswered = None
        if not cart:
            listing = register_pb2.ListSuspendedRequest()
            listed = (await self._ask(self._stub.ListSuspended, listing)).sales
            for each in listed:
                self._history.see(self._register, each)
            if not listed:
                return None
            cart = self._rng.choice(listed).transaction_id
        request = register_pb2.RecallRequest(transaction_id=cart, recalling_id=name)
        sale, why = await self._recall(request)
        if why is Reason.CLAIMED and self._rng.random() < self._asks_a_manager:
            self._history.end_claim(cart)
            request.manager.staff_id, request.manager.password = MANAGER, PASSWORD
            request.manager.reason = "the customer is here"
            sale, why = await self._recall(request)
        if why in {Reason.OFFLINE, Reason.HANDED_OVER} and self._rng.random() < 0.5:
            self._unanswered = (cart, name)
        return sale

    async def _recall(
        self, request: register_pb2.RecallRequest
    ) -> tuple[types_pb2.Sale | None, Reason | None]:
        stub, name = self._stub.Recall, request.recalling_id
        try:
            return await self._write("Recall", stub, request, name, 0), None
        except Refused as error:
            self._history.refusals[str(error.reason)] += 1
            return None, error.reason
