"""A POS frontend: what a till does, over RegisterService."""

import asyncio
from collections.abc import Callable

import grpc.aio
from tests.support.estate_parts import GIFT, ME, PASSWORD, PATIENCE_S

from stillopen.rpc.channel import open_channel
from stillopen.rpc.status import call, error_of
from stillopen.v1 import register_pb2, register_pb2_grpc, types_pb2

TIMEOUT_S = 10.0
Sale = types_pb2.Sale
Status = register_pb2.RegisterStatus


class Till:
    """One frontend on one agent. Every write names the sale and version it is given."""

    def __init__(self, address: str) -> None:
        self.channel = open_channel(address)
        self.stub = register_pb2_grpc.RegisterServiceStub(self.channel)

    async def close(self) -> None:
        """Lets the connection go."""
        await self.channel.close()

    async def sign_in(self, staff_id: str = "anna", password: str = PASSWORD) -> str:
        """Signs in and returns the person's name."""
        request = register_pb2.RegisterServiceSignInRequest(staff_id=staff_id, password=password)
        return (await call(self.stub.SignIn, request, ME, TIMEOUT_S)).staff.name

    async def sign_out(self) -> None:
        """Signs out."""
        await call(self.stub.SignOut, register_pb2.SignOutRequest(), ME, TIMEOUT_S)

    async def begin(self, transaction_id: str = "") -> Sale:
        """Begins a sale."""
        request = register_pb2.BeginRequest(transaction_id=transaction_id)
        return (await call(self.stub.Begin, request, ME, TIMEOUT_S)).sale

    async def line(
        self,
        sale: Sale,
        code: str = "APPLE",
        quantity_milli: int = 1_000,
        unit_price: types_pb2.Money | None = None,
        price_reason: str = "",
        return_of: types_pb2.ReturnOf | None = None,
    ) -> Sale:
        """Rings up a product."""
        request = register_pb2.AddLineRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            code=code,
            quantity_milli=quantity_milli,
            unit_price=unit_price,
            price_reason=price_reason,
            return_of=return_of,
        )
        return (await call(self.stub.AddLine, request, ME, TIMEOUT_S)).sale

    async def change(self, sale: Sale, line_id: str, quantity_milli: int) -> Sale:
        """Changes a line's quantity."""
        request = register_pb2.ChangeLineRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            line_id=line_id,
            quantity_milli=quantity_milli,
        )
        return (await call(self.stub.ChangeLine, request, ME, TIMEOUT_S)).sale

    async def void_line(self, sale: Sale, line_id: str) -> Sale:
        """Takes a line off."""
        request = register_pb2.VoidLineRequest(
            transaction_id=sale.transaction_id, version=sale.version, line_id=line_id
        )
        return (await call(self.stub.VoidLine, request, ME, TIMEOUT_S)).sale

    async def priced(
        self, sale: Sale, line_id: str, unit_price: types_pb2.Money, reason: str = "bruised"
    ) -> Sale:
        """Changes a line's price by hand."""
        request = register_pb2.ChangeLineRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            line_id=line_id,
            unit_price=unit_price,
            price_reason=reason,
        )
        return (await call(self.stub.ChangeLine, request, ME, TIMEOUT_S)).sale

    async def override(
        self,
        sale: Sale,
        permission: types_pb2.Permission.ValueType,
        staff_id: str = "maria",
        password: str = PASSWORD,
        reason: str = "regular customer",
    ) -> Sale:
        """Has another person allow something in the sale."""
        request = register_pb2.OverrideRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            permission=permission,
            manager=types_pb2.ManagerWord(staff_id=staff_id, password=password, reason=reason),
        )
        return (await call(self.stub.Override, request, ME, TIMEOUT_S)).sale

    async def customer(self, sale: Sale, customer_id: str) -> Sale:
        """Says who buys."""
        request = register_pb2.SetCustomerRequest(
            transaction_id=sale.transaction_id, version=sale.version, customer_id=customer_id
        )
        return (await call(self.stub.SetCustomer, request, ME, TIMEOUT_S)).sale

    async def customers(self, query: str) -> list[types_pb2.Customer]:
        """Finds customers."""
        request = register_pb2.RegisterServiceSearchCustomersRequest(query=query)
        return list((await call(self.stub.SearchCustomers, request, ME, TIMEOUT_S)).customers)

    async def cash(self, sale: Sale, amount: types_pb2.Money | None = None) -> Sale:
        """Takes cash: what is due, or what is given."""
        request = register_pb2.AddTenderRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            kind=types_pb2.TENDER_KIND_CASH,
            amount=amount or sale.due,
        )
        return (await call(self.stub.AddTender, request, ME, TIMEOUT_S)).sale

    async def card(
        self, sale: Sale, amount: types_pb2.Money | None = None, number: str = GIFT
    ) -> Sale:
        """Takes a gift card: what is due, or less."""
        request = register_pb2.AddTenderRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            kind=types_pb2.TENDER_KIND_GIFT_CARD,
            amount=amount or sale.due,
            card_number=number,
        )
        return (await call(self.stub.AddTender, request, ME, TIMEOUT_S)).sale

    async def memo(
        self, sale: Sale, amount: types_pb2.Money | None = None, number: str = ""
    ) -> Sale:
        """Pays with a credit memo; without a number, gives the return back as a new one."""
        request = register_pb2.AddTenderRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            kind=types_pb2.TENDER_KIND_CREDIT_MEMO,
            amount=amount or sale.due,
            card_number=number,
        )
        return (await call(self.stub.AddTender, request, ME, TIMEOUT_S)).sale

    async def void_tender(self, sale: Sale, line_id: str) -> Sale:
        """Takes a payment back."""
        request = register_pb2.VoidTenderRequest(
            transaction_id=sale.transaction_id, version=sale.version, line_id=line_id
        )
        return (await call(self.stub.VoidTender, request, ME, TIMEOUT_S)).sale

    async def complete(self, sale: Sale) -> Sale:
        """Completes the sale."""
        request = register_pb2.CompleteRequest(
            transaction_id=sale.transaction_id, version=sale.version
        )
        return (await call(self.stub.Complete, request, ME, TIMEOUT_S)).sale

    async def void(self, sale: Sale) -> Sale:
        """Gives the sale up."""
        request = register_pb2.VoidRequest(transaction_id=sale.transaction_id, version=sale.version)
        return (await call(self.stub.Void, request, ME, TIMEOUT_S)).sale

    async def suspend(self, sale: Sale) -> Sale:
        """Sets the sale aside."""
        request = register_pb2.SuspendRequest(
            transaction_id=sale.transaction_id, version=sale.version
        )
        return (await call(self.stub.Suspend, request, ME, TIMEOUT_S)).sale

    async def recall(
        self,
        transaction_id: str,
        recalling_id: str = "",
        manager: types_pb2.ManagerWord | None = None,
    ) -> Sale:
        """Goes on with a suspended sale."""
        request = register_pb2.RecallRequest(
            transaction_id=transaction_id, recalling_id=recalling_id, manager=manager
        )
        return (await call(self.stub.Recall, request, ME, TIMEOUT_S)).sale

    async def suspended(self) -> register_pb2.ListSuspendedResponse:
        """What may be recalled now."""
        request = register_pb2.ListSuspendedRequest()
        return await call(self.stub.ListSuspended, request, ME, TIMEOUT_S)

    async def receipt(self, receipt: str) -> register_pb2.GetReceiptResponse:
        """A final sale, and what was returned of it."""
        request = register_pb2.GetReceiptRequest(receipt=receipt)
        return await call(self.stub.GetReceipt, request, ME, TIMEOUT_S)

    async def give_back(
        self,
        sale: Sale,
        receipt: str,
        line_id: str = "L1",
        quantity_milli: int = 1_000,
        reason: str = "bruised",
    ) -> Sale:
        """Takes back what a receipt names."""
        request = register_pb2.ReturnRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            receipt=receipt,
            line_id=line_id,
            quantity_milli=quantity_milli,
            reason=reason,
        )
        return (await call(self.stub.Return, request, ME, TIMEOUT_S)).sale

    async def sale(self, transaction_id: str = "") -> Sale:
        """The sale, or the open one."""
        request = register_pb2.GetSaleRequest(transaction_id=transaction_id)
        return (await call(self.stub.GetSale, request, ME, TIMEOUT_S)).sale

    async def journal(self) -> list[register_pb2.JournalLine]:
        """The journal, newest first."""
        request = register_pb2.ListJournalRequest(page_size=500)
        return list((await call(self.stub.ListJournal, request, ME, TIMEOUT_S)).lines)

    async def status(self) -> Status:
        """The status now."""
        request = register_pb2.GetStatusRequest()
        return (await call(self.stub.GetStatus, request, ME, TIMEOUT_S)).status

    async def switch(self, *, connect: bool) -> Status:
        """Operation 917."""
        request = register_pb2.SwitchConnectionRequest(connect=connect)
        return (await call(self.stub.SwitchConnection, request, ME, TIMEOUT_S)).status

    async def until(self, wanted: Callable[[Status], bool]) -> Status:
        """Watches the status until it is as wanted."""
        watching = self.stub.WatchStatus(
            register_pb2.WatchStatusRequest(), metadata=ME.metadata(), wait_for_ready=True
        )
        last: Status | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                async for response in watching:
                    last = response.status
                    if wanted(last):
                        return last
        except TimeoutError:
            raise AssertionError(f"the status stayed {last}") from None
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from error
        finally:
            watching.cancel()
        raise AssertionError(f"the register stopped saying how it is: {last}")

    # What tests do often

    async def rung_up(self, quantity_milli: int = 3_000) -> Sale:
        """An open sale with a line: three apples are 3.00."""
        return await self.line(await self.begin(), quantity_milli=quantity_milli)

    async def sold(self) -> Sale:
        """A sale for cash, completed."""
        return await self.complete(await self.cash(await self.rung_up()))

    async def sold_by_card(self, number: str = GIFT) -> Sale:
        """A sale for a gift card, completed."""
        return await self.complete(await self.card(await self.rung_up(), number=number))

    async def picture(self) -> dict[str, object]:
        """What a refused request must leave as it was."""
        status = await self.status()
        open_sale = str(await self.sale()) if status.open_transaction_id else ""
        entries = [
            (each.position.epoch, each.position.sequence, each.kind, each.transaction_id)
            for each in await self.journal()
        ]
        return {"open": open_sale, "journal": entries, "staff": status.staff_id}
