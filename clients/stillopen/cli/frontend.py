"""A POS frontend in a few lines: drives a register's agent over RegisterService."""

from collections.abc import Callable
from typing import Self

from stillopen.cli.estate import PASSWORD, STAFF_ID
from stillopen.core.money import Money
from stillopen.rpc.channel import open_channel
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.status import call
from stillopen.rpc.wire import money_to
from stillopen.v1 import register_pb2, register_pb2_grpc, types_pb2

TIMEOUT_S = 30.0
_ME = Caller(CallerKind.PERSON, "frontend")


class Frontend:
    """One register's frontend. `sale` is the sale as the register last told it."""

    def __init__(self, address: str) -> None:
        self._channel = open_channel(address)
        self._stub = register_pb2_grpc.RegisterServiceStub(self._channel)
        self.sale = types_pb2.Sale()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def sign_in(self) -> None:
        """Signs the demo's person in."""
        request = register_pb2.RegisterServiceSignInRequest(staff_id=STAFF_ID, password=PASSWORD)
        await call(self._stub.SignIn, request, _ME, TIMEOUT_S)

    async def begin(self) -> types_pb2.Sale:
        """Begins a sale."""
        answer = await call(self._stub.Begin, register_pb2.BeginRequest(), _ME, TIMEOUT_S)
        self.sale = answer.sale
        return self.sale

    async def ring(
        self,
        code: str,
        quantity_milli: int = 1000,
        price: Money | None = None,
        price_reason: str = "",
        return_reason: str = "",
    ) -> None:
        """Rings up a product; with a return reason the quantity is negative."""
        request = register_pb2.AddLineRequest(
            transaction_id=self.sale.transaction_id,
            version=self.sale.version,
            code=code,
            quantity_milli=quantity_milli,
            unit_price=money_to(price) if price else None,
            price_reason=price_reason,
            return_of=types_pb2.ReturnOf(reason=return_reason) if return_reason else None,
        )
        self.sale = (await call(self._stub.AddLine, request, _ME, TIMEOUT_S)).sale

    async def pay_cash(self, amount: types_pb2.Money | None = None) -> None:
        """Takes, or gives out, what is due in cash."""
        await self._tender(types_pb2.TENDER_KIND_CASH, amount or self.sale.due)

    async def pay_card(self, number: str, amount: types_pb2.Money | None = None) -> None:
        """Pays what is due with a gift card."""
        await self._tender(types_pb2.TENDER_KIND_GIFT_CARD, amount or self.sale.due, number)

    async def pay_memo(self, amount: types_pb2.Money, number: str = "") -> None:
        """Pays with a credit memo; below zero the return becomes a new one, without a number."""
        await self._tender(types_pb2.TENDER_KIND_CREDIT_MEMO, amount, number)

    async def take_back(self, line_id: str) -> None:
        """Takes a payment back."""
        request = register_pb2.VoidTenderRequest(
            transaction_id=self.sale.transaction_id, version=self.sale.version, line_id=line_id
        )
        self.sale = (await call(self._stub.VoidTender, request, _ME, TIMEOUT_S)).sale

    async def void(self) -> None:
        """Gives the sale up."""
        request = register_pb2.VoidRequest(
            transaction_id=self.sale.transaction_id, version=self.sale.version
        )
        self.sale = (await call(self._stub.Void, request, _ME, TIMEOUT_S)).sale

    async def complete(self) -> types_pb2.Receipt:
        """Completes the sale; its receipt may be printed."""
        request = register_pb2.CompleteRequest(
            transaction_id=self.sale.transaction_id, version=self.sale.version
        )
        self.sale = (await call(self._stub.Complete, request, _ME, TIMEOUT_S)).sale
        return self.sale.receipt

    async def status(self) -> register_pb2.RegisterStatus:
        """What the cashier is told."""
        answer = await call(self._stub.GetStatus, register_pb2.GetStatusRequest(), _ME, TIMEOUT_S)
        return answer.status

    async def until(
        self, state: Callable[[register_pb2.RegisterStatus], bool], timeout_s: float = 60.0
    ) -> register_pb2.RegisterStatus:
        """Waits until the register's status is so; never waits for time."""
        watch = self._stub.WatchStatus(register_pb2.WatchStatusRequest(), timeout=timeout_s)
        async for update in watch:
            if state(update.status):
                watch.cancel()
                return update.status
        raise TimeoutError

    async def _tender(
        self, kind: types_pb2.TenderKind.ValueType, amount: types_pb2.Money, number: str = ""
    ) -> None:
        request = register_pb2.AddTenderRequest(
            transaction_id=self.sale.transaction_id,
            version=self.sale.version,
            kind=kind,
            amount=amount,
            card_number=number,
        )
        self.sale = (await call(self._stub.AddTender, request, _ME, TIMEOUT_S)).sale


def ready(status: register_pb2.RegisterStatus) -> bool:
    """Whether a register could lose its channel now: data here, lane known, link up."""
    return status.link_up and status.offline_ready and status.lane_announced


def delivered(status: register_pb2.RegisterStatus) -> bool:
    """Whether headquarters has everything."""
    return status.waiting_headquarters == 0
