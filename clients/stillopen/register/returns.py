"""Returns by receipt: as far as anybody who answers knows, no more comes back than was sold."""

from dataclasses import dataclass

from stillopen.core import returns as rules
from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_id, is_transaction_id
from stillopen.core.returns import Back
from stillopen.core.sale import Sale
from stillopen.register import receipts
from stillopen.register.failover import Failover
from stillopen.register.online import Online
from stillopen.register.writes import Writes, digest_of
from stillopen.rpc.wire_returned import returned_from
from stillopen.rpc.wire_sale import sale_from
from stillopen.storage.engine import Session
from stillopen.v1 import channel_data_pb2


@dataclass(frozen=True, slots=True)
class Bought:
    """A final sale, and what is known to have been given back of it."""

    sale: Sale
    backs: tuple[Back, ...]
    all_stores: bool
    """Whether that is headquarters' word."""


class Returns:
    """What customers bring back with their receipt."""

    def __init__(self, writes: Writes, online: Online, failover: Failover) -> None:
        self._writes = writes
        self._engine = writes.sales.engine
        self._online = online
        self._failover = failover

    async def receipt(self, receipt: str) -> Bought:
        """A final sale by its id or receipt number; Refused SALE_UNKNOWN when nobody knows it.

        The channel's word and this register's are put together: what it gave back and has not
        delivered yet counts too, and nothing counts twice.
        """
        check_id(receipt, "receipt")
        name, number = (receipt, "") if is_transaction_id(receipt) else ("", receipt)

        async def online(timeout_s: float) -> channel_data_pb2.GetTransactionResponse | None:
            try:
                return await self._online.transaction(name, number, timeout_s)
            except Refused as error:
                if error.reason is not Reason.SALE_UNKNOWN:
                    raise
                return None

        async def offline() -> None:
            return None

        answer = await self._failover.ask(online, offline)
        known = answer.sale.transaction_id if answer else name

        def read(session: Session) -> tuple[Sale | None, list[Back]]:
            own = None if answer else receipts.find(session, name, number)
            return own, receipts.backs(session, own.transaction_id if own else known)

        own, backs = await self._engine.read(read)
        if answer is not None:
            told = returned_from(known, answer.returned)
            every = tuple(rules.together(told, backs))
            return Bought(sale_from(answer.sale), every, answer.all_stores)
        if own is None:
            raise Refused(Reason.SALE_UNKNOWN, "nobody here knows that receipt", "receipt")
        return Bought(own, tuple(backs), all_stores=False)

    async def give_back(
        self,
        transaction_id: str,
        version: int,
        receipt: str,
        line_id: str,
        quantity_milli: int,
        reason: str,
    ) -> Sale:
        """Takes back what a receipt names, at the price that was paid.

        Refused SALE_UNKNOWN, RETURN_TOO_MUCH or NOT_RETURNABLE.
        """
        request = digest_of("give_back", receipt, line_id, quantity_milli, reason)

        async def give_back() -> Sale:
            if done := await self._writes.sales.repeated(transaction_id, version, request):
                return done
            bought = await self.receipt(receipt)

            def change(_: Session, sale: Sale) -> Sale:
                self._writes.check_allowed(sale, "RETURN_BY_RECEIPT")
                return rules.give_back(
                    sale, bought.sale, bought.backs, line_id, quantity_milli, reason
                )

            return await self._writes.sales.change(transaction_id, version, request, change)

        return await self._writes.write(give_back)
