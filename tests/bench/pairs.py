"""Pairs of calls on cards, a lock and its settlement: sent alike to ours and to a reference."""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.bench.figures import percentile
from tests.support import callers

from stillopen.cli.estate import HEADQUARTERS, Estate
from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import new_lock_key, new_transaction_id
from stillopen.core.money import Money
from stillopen.rpc.channel import open_channel
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.status import call
from stillopen.rpc.wire import money_to
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc, types_pb2

REGISTER = "R0001"
TIMEOUT_S = 30.0
BALANCE_MINOR = 1_000_000
EURO = money_to(Money("EUR", 1))
RNG = random.Random(1)  # noqa: S311 - a benchmark, not a secret


@dataclass(slots=True)
class Taken:
    """What a round took: its seconds, those of each granted call, and how many were refused."""

    seconds: float = 0.0
    calls: list[float] = field(default_factory=list[float])
    refused: int = 0

    @property
    def calls_a_second(self) -> float:
        """Calls that were granted."""
        return len(self.calls) / self.seconds

    @property
    def pairs_a_second(self) -> float:
        """Locks that were settled."""
        return self.calls_a_second / 2

    @property
    def p99_ms(self) -> float:
        """The slowest hundredth of the calls begins here."""
        return percentile(self.calls, 0.99) * 1_000


def number(card: int) -> str:
    """The number of the n-th card."""
    return f"6{card:015d}"


def rows(count: int) -> list[realtime_pb2.CardRow]:
    """So many cards, each with money for every round."""
    balance = money_to(Money("EUR", BALANCE_MINOR))
    return [realtime_pb2.CardRow(number=number(n), balance=balance) for n in range(count)]


def house_of(estate: Estate) -> Caller:
    """Headquarters as it calls its own cards: only it settles."""
    key = (estate.folder / HEADQUARTERS / "house.key").read_bytes()
    return Caller(CallerKind.HEADQUARTERS, "headquarters", key.hex())


class Till:
    """A register that locks a cent of cards, and headquarters that settles it."""

    def __init__(
        self, stub: realtime_pb2_grpc.RealtimeServiceStub, house: Caller, *, amount_only: bool
    ) -> None:
        self.taken = Taken()
        self._stub = stub
        self._register = callers.register(REGISTER)
        self._house = house
        self._amount_only = amount_only
        self._settled = 0

    async def pair(self, card: int) -> None:
        """Locks the card and settles; tried again at once, with a new key, while another has it."""
        while True:
            sale = new_transaction_id(time.perf_counter(), RNG)
            began = time.perf_counter()
            try:
                lock = await self._lock(card, sale)
            except Refused as refused:
                if refused.reason is not Reason.CARD_LOCKED:
                    raise
                self.taken.refused += 1
                continue
            locked = time.perf_counter()
            await self._settle(lock, sale)
            self.taken.calls += [locked - began, time.perf_counter() - locked]
            return

    async def _lock(self, card: int, sale: str) -> realtime_pb2.CardLock:
        request = realtime_pb2.LockCardRequest(
            lock_key=new_lock_key(RNG),
            number=number(card),
            purpose=types_pb2.CARD_PURPOSE_REDEEM,
            currency_code="EUR",
            transaction_id=sale,
            line_id="T1",
            amount=EURO,
            amount_only=self._amount_only,
        )
        return (await call(self._stub.LockCard, request, self._register, TIMEOUT_S)).lock

    async def _settle(self, lock: realtime_pb2.CardLock, sale: str) -> None:
        self._settled += 1
        request = realtime_pb2.SettleTransactionRequest(
            position=types_pb2.JournalPosition(
                register_id=REGISTER, epoch=1, sequence=self._settled
            ),
            transaction_id=sale,
            operations=[
                realtime_pb2.CardOperation(
                    line_id="T1",
                    lock_key=lock.lock_key,
                    card_id=lock.card_id,
                    purpose=types_pb2.CARD_PURPOSE_REDEEM,
                    amount=EURO,
                )
            ],
        )
        settled = await call(self._stub.SettleTransaction, request, self._house, TIMEOUT_S)
        [settlement] = settled.settlements
        assert settlement.outcome == realtime_pb2.SETTLEMENT_OUTCOME_APPLIED


async def run(
    address: str,
    house: Caller,
    cards: Iterable[int],
    in_flight: int,
    *,
    amount_only: bool = False,
) -> Taken:
    """A pair on each of the cards, so many at a time."""
    waiting = iter(cards)
    async with open_channel(address) as channel:
        stub = realtime_pb2_grpc.RealtimeServiceStub(channel)
        till = Till(stub, house, amount_only=amount_only)

        async def caller() -> None:
            for card in waiting:
                await till.pair(card)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(in_flight)))
        till.taken.seconds = time.perf_counter() - began
        return till.taken
