"""The channel's answers: messages out, values back."""

from dataclasses import dataclass

import grpc.aio

from stillopen.core.card import LockRequest
from stillopen.core.customers import Customer
from stillopen.core.errors import Misuse, Reason
from stillopen.core.money import Money
from stillopen.core.parameters import Parameters
from stillopen.core.products import Product, StaffMember
from stillopen.core.purpose import CardKind
from stillopen.register.carts import Intent
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire import money_from, money_to, product_from, staff_from, time_from
from stillopen.rpc.wire_card import purpose_to
from stillopen.rpc.wire_master import customer_from
from stillopen.rpc.wire_parameters import kind_to, parameters_from
from stillopen.v1 import (
    channel_data_pb2,
    channel_data_pb2_grpc,
    realtime_pb2,
    realtime_pb2_grpc,
    types_pb2,
)


@dataclass(frozen=True, slots=True)
class StoreFound:
    """What a channel says of itself to a register."""

    store_id: str
    server_wall_s: float | None
    support_offline: bool


class Online:
    """The channel, and headquarters' cards through it. Every call takes its time in seconds."""

    def __init__(self, channel: grpc.aio.Channel, caller: Caller) -> None:
        self._data = channel_data_pb2_grpc.ChannelDataServiceStub(channel)
        self._cards = realtime_pb2_grpc.RealtimeServiceStub(channel)
        self._caller = caller

    async def store(self, timeout_s: float) -> StoreFound:
        """Which store the channel is, what its clock shows, and what this register may there."""
        request = channel_data_pb2.GetChannelConfigurationRequest()
        answer = await call(self._data.GetChannelConfiguration, request, self._caller, timeout_s)
        said = answer.HasField("server_time")
        wall_s = time_from(answer.server_time) if said else None
        return StoreFound(answer.store_id, wall_s, answer.support_offline)

    async def parameters(self, timeout_s: float) -> Parameters:
        """The parameters in force at the channel."""
        request = channel_data_pb2.GetParametersRequest()
        answer = await call(self._data.GetParameters, request, self._caller, timeout_s)
        return parameters_from(answer.parameters)

    async def product(self, code: str, timeout_s: float) -> tuple[Product, int]:
        """A product, and the sequence of the master data it came from."""
        request = channel_data_pb2.GetProductRequest(code=code)
        answer = await call(self._data.GetProduct, request, self._caller, timeout_s)
        return product_from(answer.product), answer.catalogue_sequence

    async def sign_in(self, staff_id: str, password: str, timeout_s: float) -> StaffMember:
        """The person, when the password fits."""
        request = channel_data_pb2.SignInRequest(staff_id=staff_id, password=password)
        answer = await call(self._data.SignIn, request, self._caller, timeout_s)
        return staff_from(answer.staff)

    async def customer(self, customer_id: str, timeout_s: float) -> Customer:
        """The customer of that id."""
        request = channel_data_pb2.GetCustomerRequest(customer_id=customer_id)
        answer = await call(self._data.GetCustomer, request, self._caller, timeout_s)
        return customer_from(answer.customer)

    async def search_customers(self, query: str, limit: int, timeout_s: float) -> list[Customer]:
        """The first customers that are found."""
        request = channel_data_pb2.SearchCustomersRequest(query=query, page_size=limit)
        answer = await call(self._data.SearchCustomers, request, self._caller, timeout_s)
        return [customer_from(each) for each in answer.customers]

    async def balance(
        self, number: str, kind: CardKind, timeout_s: float
    ) -> realtime_pb2.GetCardBalanceResponse:
        """What is on a card."""
        request = realtime_pb2.GetCardBalanceRequest(number=number, kind=kind_to(kind))
        return await call(self._cards.GetCardBalance, request, self._caller, timeout_s)

    async def lock_card(
        self, wanted: LockRequest, number: str, timeout_s: float
    ) -> realtime_pb2.CardLock:
        """Locks a card for one operation of a sale, whole or the amount only."""
        request = realtime_pb2.LockCardRequest(
            lock_key=wanted.lock_key,
            number=number,
            purpose=purpose_to(wanted.purpose),
            currency_code=wanted.amount.currency,
            transaction_id=wanted.transaction_id,
            line_id=wanted.line_id,
            amount=money_to(wanted.amount),
            amount_only=wanted.amount_only,
            kind=kind_to(wanted.kind),
        )
        answer = await call(self._cards.LockCard, request, self._caller, timeout_s)
        return answer.lock

    async def renew(
        self, lock_keys: list[bytes], timeout_s: float, *, confirm: bool
    ) -> list[realtime_pb2.CardLock]:
        """Makes locks block again, and says how each stands, in the order asked."""
        request = realtime_pb2.RenewLocksRequest(lock_keys=lock_keys, confirm=confirm)
        answer = await call(self._cards.RenewLocks, request, self._caller, timeout_s)
        if [lock.lock_key for lock in answer.locks] != lock_keys:
            raise Misuse(Reason.INTERNAL, "headquarters answered for other locks")
        return list(answer.locks)

    async def unlock(self, lock_key: bytes, timeout_s: float) -> None:
        """Ends a lock."""
        request = realtime_pb2.UnlockCardRequest(lock_key=lock_key)
        await call(self._cards.UnlockCard, request, self._caller, timeout_s)

    async def unlock_on_word(
        self,
        number: str,
        kind: CardKind,
        manager: types_pb2.ManagerWord,
        timeout_s: float,
        *,
        force: bool,
    ) -> int:
        """Ends what holds a card on a manager's word; how many locks that were."""
        request = realtime_pb2.UnlockCardRequest(
            number=number, kind=kind_to(kind), manager=manager, force=force
        )
        answer = await call(self._cards.UnlockCard, request, self._caller, timeout_s)
        return len(answer.locks)

    async def suspend(self, sale: types_pb2.Sale, timeout_s: float) -> None:
        """Hands a suspended sale over."""
        request = channel_data_pb2.SuspendTransactionRequest(sale=sale)
        await call(self._data.SuspendTransaction, request, self._caller, timeout_s)

    async def recall(
        self, intent: Intent, manager: types_pb2.ManagerWord | None, timeout_s: float
    ) -> types_pb2.Sale:
        """Claims a suspended sale."""
        request = channel_data_pb2.RecallTransactionRequest(
            transaction_id=intent.transaction_id,
            recalling_id=intent.recalling_id,
            staff_id=intent.staff_id,
            manager=manager,
        )
        answer = await call(self._data.RecallTransaction, request, self._caller, timeout_s)
        return answer.sale

    async def suspended(self, timeout_s: float) -> list[types_pb2.Sale]:
        """The suspended sales of the store that nobody goes on with."""
        request = channel_data_pb2.ListTransactionsRequest(suspended=True, page_size=500)
        answer = await call(self._data.ListTransactions, request, self._caller, timeout_s)
        return list(answer.sales)

    async def transaction(
        self, transaction_id: str, receipt_number: str, timeout_s: float
    ) -> channel_data_pb2.GetTransactionResponse:
        """A final sale, and what was returned of it."""
        request = channel_data_pb2.GetTransactionRequest(
            transaction_id=transaction_id, receipt_number=receipt_number
        )
        return await call(self._data.GetTransaction, request, self._caller, timeout_s)


def balance_of(lock: realtime_pb2.CardLock) -> Money:
    """What was on the card when it was locked."""
    return money_from(lock.balance)


def blocks(lock: realtime_pb2.CardLock) -> bool:
    """Whether headquarters keeps the card for this lock."""
    open_state = lock.state == realtime_pb2.LOCK_STATE_OPEN
    return open_state and (lock.blocks_for.seconds > 0 or lock.blocks_for.nanos > 0)
