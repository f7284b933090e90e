"""Who buys: customers, asked of the channel or of this register."""

from stillopen.core import sale as rules
from stillopen.core.customers import Customer
from stillopen.core.sale import Sale, check_version
from stillopen.register.failover import Failover
from stillopen.register.online import Online
from stillopen.register.writes import Writes, digest_of
from stillopen.replication.replica import Replica
from stillopen.storage.engine import Session

FOUND_MAX = 50


class Customers:
    """The customers of the shop, and the one of the open sale."""

    def __init__(
        self, writes: Writes, failover: Failover, online: Online, replica: Replica
    ) -> None:
        self._writes = writes
        self._failover = failover
        self._online = online
        self._replica = replica

    async def search(self, query: str) -> list[Customer]:
        """Customers by the beginning of the id, or a part of name, e-mail or telephone number."""
        return await self._failover.ask(
            lambda timeout_s: self._online.search_customers(query, FOUND_MAX, timeout_s),
            lambda: self._replica.search_customers(query, "", FOUND_MAX),
        )

    async def set(self, transaction_id: str, version: int, customer_id: str) -> Sale:
        """Says who buys, or with an empty id that nobody did; Refused CUSTOMER_UNKNOWN."""
        request = digest_of("set_customer", customer_id)
        sales = self._writes.sales

        async def set_customer() -> Sale:
            if done := await sales.repeated(transaction_id, version, request):
                return done
            sale = await sales.sale(transaction_id)
            check_version(sale, version)
            self._writes.check_allowed(sale, "SET_CUSTOMER")
            found = await self._known(customer_id) if customer_id else ""

            def change(_: Session, sale: Sale) -> Sale:
                return rules.set_customer(sale, found)

            return await sales.change(transaction_id, version, request, change)

        return await self._writes.write(set_customer)

    async def _known(self, customer_id: str) -> str:
        async def offline() -> Customer:
            return await self._replica.customer(customer_id)

        found = await self._failover.ask(
            lambda timeout_s: self._online.customer(customer_id, timeout_s), offline
        )
        return found.customer_id
