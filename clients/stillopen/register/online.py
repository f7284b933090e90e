"""The channel's answers: messages out, values back."""

import grpc.aio

from stillopen.core.errors import Misuse, Reason
from stillopen.core.money import Money
from stillopen.core.parameters import Parameters
from stillopen.core.products import Product, StaffMember
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire import (
    money_from,
    money_to,
    parameters_from,
    product_from,
    staff_from,
)
from stillopen.v1 import (
    channel_data_pb2,
    channel_data_pb2_grpc,
    realtime_pb2,
    realtime_pb2_grpc,
)


class Online:
    """The channel, and headquarters' cards through it. Every call takes its time in seconds."""

    def __init__(self, channel: grpc.aio.Channel, caller: Caller) -> None:
        self._data = channel_data_pb2_grpc.ChannelDataServiceStub(channel)
        self._cards = realtime_pb2_grpc.RealtimeServiceStub(channel)
        self._caller = caller

    async def store_id(self, timeout_s: float) -> str:
        """Which store the channel is."""
        request = channel_data_pb2.GetChannelConfigurationRequest()
        answer = await call(self._data.GetChannelConfiguration, request, self._caller, timeout_s)
        return answer.store_id

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

    async def balance(self, number: str, timeout_s: float) -> realtime_pb2.GetCardBalanceResponse:
        """What is on a card."""
        request = realtime_pb2.GetCardBalanceRequest(number=number)
        return await call(self._cards.GetCardBalance, request, self._caller, timeout_s)

    async def lock_card(
        self,
        lock_key: bytes,
        number: str,
        transaction_id: str,
        line_id: str,
        amount: Money,
        timeout_s: float,
        *,
        amount_only: bool,
    ) -> realtime_pb2.CardLock:
        """Locks a card for a tender, whole or the amount only."""
        request = realtime_pb2.LockCardRequest(
            lock_key=lock_key,
            number=number,
            purpose=realtime_pb2.CARD_PURPOSE_REDEEM,
            currency_code=amount.currency,
            transaction_id=transaction_id,
            line_id=line_id,
            amount=money_to(amount),
            amount_only=amount_only,
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


def balance_of(lock: realtime_pb2.CardLock) -> Money:
    """What was on the card when it was locked."""
    return money_from(lock.balance)


def blocks(lock: realtime_pb2.CardLock) -> bool:
    """Whether headquarters keeps the card for this lock."""
    open_state = lock.state == realtime_pb2.LOCK_STATE_OPEN
    return open_state and (lock.blocks_for.seconds > 0 or lock.blocks_for.nanos > 0)
