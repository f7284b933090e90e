"""RegisterService: the register, for a POS frontend in any language."""

from collections.abc import AsyncIterator

from stillopen.core.errors import invalid
from stillopen.core.ids import check_transaction_id
from stillopen.core.sale import Sale, TenderKind
from stillopen.register.agent_people import PeopleAgent
from stillopen.register.journal import JournalLine
from stillopen.register.register import Register
from stillopen.register.wire import StatusWire, without_countdowns
from stillopen.rpc.context import Context
from stillopen.rpc.paging import number_token, page_limit
from stillopen.rpc.status import answers, streams
from stillopen.rpc.wire import money_from, money_to, position_to, product_to, time_to
from stillopen.rpc.wire_card import purpose_from
from stillopen.rpc.wire_parameters import kind_from as card_kind_from
from stillopen.rpc.wire_sale import kind_from, return_from, sale_to
from stillopen.v1 import register_pb2, types_pb2

SERVICE = "stillopen.v1.RegisterService"
PAGE_DEFAULT, PAGE_MAX = 50, 500


class RegisterAgent(PeopleAgent):
    """One register, on loopback."""

    def __init__(self, register: Register) -> None:
        super().__init__(register)
        self._wire = StatusWire()

    @answers
    async def GetProduct(
        self, request: register_pb2.RegisterServiceGetProductRequest, context: Context
    ) -> register_pb2.RegisterServiceGetProductResponse:
        """Finds one product."""
        del context
        product = await self._register.product(request.code)
        return register_pb2.RegisterServiceGetProductResponse(product=product_to(product))

    @answers
    async def Begin(
        self, request: register_pb2.BeginRequest, context: Context
    ) -> register_pb2.BeginResponse:
        """Begins a sale."""
        del context
        sale = await self._register.begin(request.transaction_id)
        return register_pb2.BeginResponse(sale=sale_to(sale))

    @answers
    async def AddLine(
        self, request: register_pb2.AddLineRequest, context: Context
    ) -> register_pb2.AddLineResponse:
        """Rings up a product, or takes one back."""
        del context
        sale = await self._register.add_line(
            check_transaction_id(request.transaction_id),
            request.version,
            request.code,
            request.quantity_milli,
            money_from(request.unit_price) if request.HasField("unit_price") else None,
            request.price_reason,
            return_from(request.return_of) if request.HasField("return_of") else None,
        )
        return register_pb2.AddLineResponse(sale=sale_to(sale))

    @answers
    async def ChangeLine(
        self, request: register_pb2.ChangeLineRequest, context: Context
    ) -> register_pb2.ChangeLineResponse:
        """Changes a line."""
        del context
        sale = await self._register.change_line(
            check_transaction_id(request.transaction_id),
            request.version,
            request.line_id,
            request.quantity_milli or None,
            money_from(request.unit_price) if request.HasField("unit_price") else None,
            request.price_reason,
        )
        return register_pb2.ChangeLineResponse(sale=sale_to(sale))

    @answers
    async def VoidLine(
        self, request: register_pb2.VoidLineRequest, context: Context
    ) -> register_pb2.VoidLineResponse:
        """Takes a line off."""
        del context
        name = check_transaction_id(request.transaction_id)
        sale = await self._register.void_line(name, request.version, request.line_id)
        return register_pb2.VoidLineResponse(sale=sale_to(sale))

    @answers
    async def AddCardLine(
        self, request: register_pb2.AddCardLineRequest, context: Context
    ) -> register_pb2.AddCardLineResponse:
        """Issues, reloads or cashes out a gift card."""
        del context
        sale = await self._register.tenders.add_card_line(
            check_transaction_id(request.transaction_id),
            request.version,
            purpose_from(request.purpose),
            money_from(request.amount) if request.HasField("amount") else None,
            request.card_number,
        )
        return register_pb2.AddCardLineResponse(sale=sale_to(sale))

    @answers
    async def AddTender(
        self, request: register_pb2.AddTenderRequest, context: Context
    ) -> register_pb2.AddTenderResponse:
        """Takes a payment."""
        del context
        name = check_transaction_id(request.transaction_id)
        amount, kind = money_from(request.amount), kind_from(request.kind)
        if kind is TenderKind.CASH:
            if request.card_number:
                raise invalid("card_number", "cash has none")
            sale = await self._register.tenders.add_cash(name, request.version, amount)
        else:
            sale = await self._register.tenders.add_card(
                name, request.version, amount, request.card_number, kind
            )
        return register_pb2.AddTenderResponse(sale=sale_to(sale))

    @answers
    async def VoidTender(
        self, request: register_pb2.VoidTenderRequest, context: Context
    ) -> register_pb2.VoidTenderResponse:
        """Takes a payment back."""
        del context
        name = check_transaction_id(request.transaction_id)
        sale = await self._register.tenders.void(name, request.version, request.line_id)
        return register_pb2.VoidTenderResponse(sale=sale_to(sale))

    @answers
    async def Complete(
        self, request: register_pb2.CompleteRequest, context: Context
    ) -> register_pb2.CompleteResponse:
        """Completes the sale."""
        del context
        name = check_transaction_id(request.transaction_id)
        sale = await self._register.complete(name, request.version)
        return register_pb2.CompleteResponse(sale=await self._printed(sale))

    @answers
    async def Void(
        self, request: register_pb2.VoidRequest, context: Context
    ) -> register_pb2.VoidResponse:
        """Gives the sale up."""
        del context
        name = check_transaction_id(request.transaction_id)
        sale = await self._register.void(name, request.version)
        return register_pb2.VoidResponse(sale=sale_to(sale))

    @answers
    async def GetSale(
        self, request: register_pb2.GetSaleRequest, context: Context
    ) -> register_pb2.GetSaleResponse:
        """Returns a sale."""
        del context
        sale = await self._register.sale(request.transaction_id)
        return register_pb2.GetSaleResponse(sale=await self._printed(sale))

    @answers
    async def GetCardBalance(
        self, request: register_pb2.RegisterServiceGetCardBalanceRequest, context: Context
    ) -> register_pb2.RegisterServiceGetCardBalanceResponse:
        """Says what is on a card."""
        del context
        kind = card_kind_from(request.kind)
        seen = await self._register.card_seen(request.card_number, kind)
        return register_pb2.RegisterServiceGetCardBalanceResponse(
            last_four=seen.last_four,
            balance=seen.balance,
            free=seen.free,
            locked_by=seen.locked_by,
        )

    @answers
    async def UnlockCard(
        self, request: register_pb2.RegisterServiceUnlockCardRequest, context: Context
    ) -> register_pb2.RegisterServiceUnlockCardResponse:
        """Ends what holds a card."""
        del context
        if not request.card_number:
            raise invalid("card_number", "missing")
        ended = await self._register.unlock_card(
            request.card_number,
            card_kind_from(request.kind),
            request.manager,
            force=request.force,
        )
        return register_pb2.RegisterServiceUnlockCardResponse(ended=ended)

    async def _printed(self, sale: Sale) -> types_pb2.Sale:
        """The sale with the numbers of the memos it made, once it is durable."""
        message = sale_to(sale)
        if not self._register.writes.staff_id:
            return message  # a number is money: it is shown to people who are signed in
        numbers = await self._register.memos.numbers(sale)
        for tender in message.tenders:
            if tender.line_id in numbers:
                tender.card.new_memo.number = numbers[tender.line_id]
        return message

    @answers
    async def ListJournal(
        self, request: register_pb2.ListJournalRequest, context: Context
    ) -> register_pb2.ListJournalResponse:
        """Lists the journal, newest first."""
        del context
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        lines = await self._register.lines(number_token(request.page_token), limit)
        return register_pb2.ListJournalResponse(
            lines=[_line(line) for line in lines],
            next_page_token=str(lines[-1].number) if len(lines) == limit else "",
        )

    @answers
    async def GetStatus(
        self, request: register_pb2.GetStatusRequest, context: Context
    ) -> register_pb2.GetStatusResponse:
        """Returns the status."""
        del request, context
        status = self._wire.status_to(await self._register.status())
        return register_pb2.GetStatusResponse(status=status)

    @streams
    async def WatchStatus(
        self, request: register_pb2.WatchStatusRequest, context: Context
    ) -> AsyncIterator[register_pb2.WatchStatusResponse]:
        """The status now and after every change."""
        del request, context
        before: register_pb2.RegisterStatus | None = None
        while True:
            version = self._register.news.version
            now = self._wire.status_to(await self._register.status())
            lasting = without_countdowns(now)
            if lasting != before:
                before = lasting
                yield register_pb2.WatchStatusResponse(status=now)
            await self._register.news.after(version)

    @answers
    async def SwitchConnection(
        self, request: register_pb2.SwitchConnectionRequest, context: Context
    ) -> register_pb2.SwitchConnectionResponse:
        """Connects or disconnects by hand."""
        del context
        await self._register.switch_connection(connect=request.connect)
        status = self._wire.status_to(await self._register.status())
        return register_pb2.SwitchConnectionResponse(status=status)


def _line(line: JournalLine) -> register_pb2.JournalLine:
    noted = line.noted
    return register_pb2.JournalLine(
        position=position_to(line.lane, line.sequence),
        kind=noted.kind,
        transaction_id=noted.transaction_id,
        receipt_number=noted.receipt_number,
        total=money_to(noted.total) if noted.total else None,
        time=time_to(noted.wall_s),
        at_channel=line.at_channel,
        at_headquarters=line.at_headquarters,
    )
