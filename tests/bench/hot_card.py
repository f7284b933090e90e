"""The same pairs on one card, and spread on 10,000, against PostgreSQL behind the same servicer.

On the one card each lock holds its amount only, so that 64 sales have it at the same time and every
call that is granted changes that one card: nobody is refused, and the figure is the servers' own.
Where each lock holds the whole card, 63 of 64 callers are refused and ask again: that says how fast
a server refuses, so it is stated beside. On many cards a lock holds the whole card, as it does
unless told otherwise.
"""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bench import pairs, stores
from tests.bench.child import Child
from tests.bench.figures import Figure, Line, Skipped, median
from tests.bench.postgres import AbsentError, postgres

from stillopen.cli.estate import HEADQUARTERS
from stillopen.rpc.identity import Caller

ROUNDS = 5
CARDS = 10_000
IN_FLIGHT = 64
PAIRS, PAIRS_REFUSED = 1_000, 40


@dataclass(frozen=True, slots=True)
class Work:
    """What is sent in a round."""

    name: str
    cards: list[int]
    amount_only: bool
    aim: float | None


def works() -> list[Work]:
    """Hot first; what is spread goes over all the cards before it comes to one again."""
    spread = list(range(CARDS))
    random.Random(2).shuffle(spread)  # noqa: S311 - a benchmark, not a secret
    return [
        Work("hot-card, one card", [0] * PAIRS, amount_only=True, aim=2.0),
        Work("hot-card, 10,000 cards", spread, amount_only=False, aim=1.0),
        Work("hot-card, one card held whole", [1] * PAIRS_REFUSED, amount_only=False, aim=None),
    ]


Side = Callable[[Work, int], Awaitable[float]]
"""Pairs a second of a round."""


def side(address: str, house: Caller) -> Side:
    """Sends to one of the two."""

    async def a_round(work: Work, number: int) -> float:
        first = number * PAIRS % len(work.cards)
        cards = work.cards[first : first + PAIRS]
        taken = await pairs.run(address, house, cards, IN_FLIGHT, amount_only=work.amount_only)
        return taken.pairs_a_second

    return a_round


@asynccontextmanager
async def both() -> AsyncGenerator[tuple[Side, Side]]:
    """Ours as it ships, and the servicer over PostgreSQL; each has every card."""
    async with (
        postgres() as uri,
        Child("tests.bench.postgres_cards", uri, str(CARDS)) as servicer,
        stores.estate_with([pairs.REGISTER], pairs.rows(CARDS)) as estate,
    ):
        house = pairs.house_of(estate)
        yield (
            side(estate.address(HEADQUARTERS), house),
            side(str(await servicer.hears()), house),
        )


async def measure() -> list[Line]:
    """Rounds of both in turn."""
    await stores.check_flushes()
    try:
        async with both() as (ours, theirs):
            return [await measured(ours, theirs, work) for work in works()]
    except AbsentError as absent:
        return [Skipped(work.name, str(absent)) for work in works()]


async def measured(ours: Side, theirs: Side, work: Work) -> Figure:
    """One line; the first round of each only prepares statements and pages."""
    rounds = [(await ours(work, n), await theirs(work, n)) for n in range(ROUNDS + 1)][1:]
    return Figure(
        work.name,
        median(mine for mine, _ in rounds),
        "pairs/s",
        median(plain for _, plain in rounds),
        work.aim,
        at_least=True,
    )
