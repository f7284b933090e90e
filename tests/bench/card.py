"""LockCard and SettleTransaction on the shipped process, against an empty servicer."""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.figures import Figure, median, percentile
from tests.support import callers

from stillopen.cli.estate import HEADQUARTERS, Estate, import_master_data
from stillopen.core.ids import new_lock_key, new_transaction_id
from stillopen.core.money import Money
from stillopen.rpc.channel import open_channel
from stillopen.rpc.status import call
from stillopen.rpc.wire import money_to
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc, types_pb2

ROUNDS = 3
CARDS = 2_000
CALLS = 1_500
IN_FLIGHT = (1, 64, 256)
TIMEOUT_S = 30.0
EURO = money_to(Money("EUR", 1))
REGISTER = callers.register("R1")
INSIDE = callers.HEADQUARTERS
RNG = random.Random(1)  # noqa: S311 - a benchmark, not a secret


@asynccontextmanager
async def echo() -> AsyncGenerator[str]:
    """The empty servicer, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.echo"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def one(stub: realtime_pb2_grpc.RealtimeServiceStub, card: int, taken: list[float]) -> None:
    """Locks a card and settles one cent of it: two calls."""
    key, sale = new_lock_key(RNG), new_transaction_id(time.perf_counter(), RNG)
    began = time.perf_counter()
    request = realtime_pb2.LockCardRequest(
        lock_key=key,
        number=number(card),
        purpose=types_pb2.CARD_PURPOSE_REDEEM,
        currency_code="EUR",
        transaction_id=sale,
        line_id="T1",
        amount=EURO,
    )
    lock = (await call(stub.LockCard, request, REGISTER, TIMEOUT_S)).lock
    locked = time.perf_counter()
    settle = realtime_pb2.SettleTransactionRequest(
        position=types_pb2.JournalPosition(register_id="R1", epoch=1, sequence=card + 1),
        transaction_id=sale,
        operations=[
            realtime_pb2.CardOperation(
                line_id="T1",
                lock_key=key,
                card_id=lock.card_id,
                purpose=types_pb2.CARD_PURPOSE_REDEEM,
                amount=EURO,
            )
        ],
    )
    await call(stub.SettleTransaction, settle, INSIDE, TIMEOUT_S)
    taken += [locked - began, time.perf_counter() - locked]


def number(card: int) -> str:
    """The number of the n-th card."""
    return f"6{card:015d}"


async def run(address: str, in_flight: int) -> tuple[float, float]:
    """Calls a second and the p99 in seconds, with so many at a time."""
    taken: list[float] = []
    waiting = iter(range(min(CALLS, CARDS) if in_flight > 1 else CALLS // 5))
    async with open_channel(address) as channel:
        stub = realtime_pb2_grpc.RealtimeServiceStub(channel)

        async def worker() -> None:
            for card in waiting:
                await one(stub, card, taken)

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return len(taken) / (time.perf_counter() - began), percentile(taken, 0.99)


async def measure() -> list[Figure]:
    """Rounds of both in turn, at 1, 64 and 256 in flight."""
    figures: list[Figure] = []
    cards = [
        realtime_pb2.CardRow(number=number(n), balance=money_to(Money("EUR", 100_000)))
        for n in range(CARDS)
    ]
    with tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name:
        async with Estate(Path(name), "EUR") as estate, echo() as reference:
            await estate.start_headquarters()
            ours = estate.address(HEADQUARTERS)
            await import_master_data(estate, [], cards)
            for in_flight in IN_FLIGHT:
                rounds = [
                    (await run(ours, in_flight), await run(reference, in_flight))
                    for _ in range(ROUNDS)
                ]
                aim = 0.65 if in_flight > 1 else 0.0
                for place, unit, scale in ((0, "calls/s", 1.0), (1, "ms p99", 1000.0)):
                    figures.append(
                        Figure(
                            f"card {in_flight} in flight",
                            median(a[place] for a, _ in rounds) * scale,
                            unit,
                            median(b[place] for _, b in rounds) * scale,
                            aim=aim if place == 0 else 2.0,
                            at_least=place == 0,
                        )
                    )
    return figures
