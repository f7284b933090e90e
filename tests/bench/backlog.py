"""Headquarters comes back to 100,000 entries: what a new lock of a card waits for meanwhile.

The entries pile up at the channel while headquarters is down. From its return until everything is
home and applied, a register locks a card through the channel and confirms it, again and again, each
call with the deadline that a register gives it by default.
"""

import asyncio
import random
import time

from tests.bench import drain, journals, stores
from tests.bench.figures import Figure, percentile
from tests.support import callers

from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate
from stillopen.core.errors import Reason, Refused, StillopenError, Unreachable
from stillopen.core.ids import new_lock_key, new_transaction_id
from stillopen.core.money import Money
from stillopen.core.parameters import OfflineProfile
from stillopen.rpc.channel import open_channel
from stillopen.rpc.status import call
from stillopen.rpc.wire import money_to
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc, types_pb2

ENTRIES = 100_000
CARDS = 20_000
QUIET = 300
DELIVERS, ASKS = "R0001", "R0002"
DEADLINE_S = OfflineProfile().timeout_s
ASK_AGAIN_S = 0.01
"""Between a confirm and the next lock: a busy store, not a storm."""
EURO = money_to(Money("EUR", 1))
RNG = random.Random(1)  # noqa: S311 - a benchmark, not a secret


class Cards:
    """A register that locks one card after another, through its channel."""

    def __init__(self, stub: realtime_pb2_grpc.RealtimeServiceStub) -> None:
        self._stub = stub
        self._caller = callers.register(ASKS)
        self._next = 0

    async def one(self) -> list[float]:
        """Locks a card and confirms it; seconds of each call. Unreachable past the deadline."""
        key = new_lock_key(RNG)
        lock = realtime_pb2.LockCardRequest(
            lock_key=key,
            number=number(self._next),
            purpose=types_pb2.CARD_PURPOSE_REDEEM,
            currency_code="EUR",
            transaction_id=new_transaction_id(float(self._next), RNG),
            line_id="T1",
            amount=EURO,
        )
        self._next += 1
        began = time.perf_counter()
        await call(self._stub.LockCard, lock, self._caller, DEADLINE_S)
        locked = time.perf_counter()
        confirm = realtime_pb2.RenewLocksRequest(lock_keys=[key], confirm=True)
        await call(self._stub.RenewLocks, confirm, self._caller, DEADLINE_S)
        return [locked - began, time.perf_counter() - locked]


def number(card: int) -> str:
    """The number of the n-th card."""
    return f"6{card:015d}"


async def until_answered(cards: Cards) -> None:
    """Waits until the channel knows that headquarters is back, which it asks once a second."""
    async with asyncio.timeout(drain.PATIENCE_S):
        while True:
            try:
                await cards.one()
            except Refused as error:
                if error.reason is not Reason.HEADQUARTERS_UNREACHABLE:
                    raise
                await asyncio.sleep(ASK_AGAIN_S)
            else:
                return


async def asked(cards: Cards, home: asyncio.Task[None]) -> tuple[list[float], int]:
    """Seconds of each call until everything is home, and how many had no answer in time."""
    taken: list[float] = []
    late = 0
    while not home.done():
        try:
            taken += await cards.one()
        except StillopenError as error:
            if not isinstance(error, Unreachable) and error.reason is not (
                Reason.HEADQUARTERS_UNREACHABLE
            ):
                raise
            late += 1
        await asyncio.sleep(ASK_AGAIN_S)
    return taken, late


async def all_home(estate: Estate) -> None:
    """Waits until headquarters has everything, and has applied it."""
    _, home = drain.received(estate)
    arrived = "SELECT count(*) FROM entry"
    async with asyncio.timeout(drain.PATIENCE_S):
        # Another process has them: no event tells.
        while (  # noqa: ASYNC110
            stores.look(home, arrived)[0] < ENTRIES or stores.look(home, drain.WAITING)[0]
        ):
            await asyncio.sleep(drain.LOOK_AGAIN_S)


async def pile_up(estate: Estate) -> None:
    """A journal goes to the channel while headquarters is down."""
    written = await journals.write(estate.folder, DELIVERS, ENTRIES)
    await estate.kill(HEADQUARTERS)
    async with await stores.opened(DELIVERS, estate.folder, estate.address(CHANNEL)) as register:
        await stores.sign_in(register)
        async with asyncio.timeout(drain.PATIENCE_S):
            await stores.acknowledged(register, "through", written.lane, written.entries)


async def measure() -> list[Figure]:
    """Locks while nothing goes up, then while the backlog does."""
    rows = [
        realtime_pb2.CardRow(number=number(n), balance=money_to(Money("EUR", 1_000)))
        for n in range(CARDS)
    ]
    async with stores.estate_with([DELIVERS, ASKS], rows) as estate:
        await pile_up(estate)
        async with open_channel(estate.address(CHANNEL)) as channel:
            cards = Cards(realtime_pb2_grpc.RealtimeServiceStub(channel))
            await estate.restart(HEADQUARTERS)
            began = time.perf_counter()
            home = asyncio.create_task(all_home(estate))
            await until_answered(cards)
            taken, late = await asked(cards, home)
            await home
            home_s = time.perf_counter() - began
            quiet = [each for _ in range(QUIET) for each in await cards.one()]
    deadline_ms = DEADLINE_S * 1_000
    while_home = f"lock and confirm while {ENTRIES:,} entries go home in {home_s:.0f} s"
    calls = f"{while_home} ({len(taken)} calls)"
    worst, p99 = max(taken) * 1_000, percentile(taken, 0.99) * 1_000
    return [
        Figure(f"{calls}, p99, to the deadline", p99, "ms", deadline_ms, 1.0, at_least=False),
        Figure(
            "the same, the worst, to the deadline", worst, "ms", deadline_ms, 1.0, at_least=False
        ),
        Figure("the same, not answered in time", float(late), "calls", 1.0, 0.0, at_least=False),
        Figure(
            "the same, p99, to without a backlog",
            p99,
            "ms",
            percentile(quiet, 0.99) * 1_000,
            50.0,
            at_least=False,
        ),
    ]
