"""The plan of a replay, from a file and a seed: who sells what, who pays by card, when to cut."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from stillopen.cli.sales_file import Invoice, SalesFile
from stillopen.core.money import AMOUNT_MINOR_MAX, Money
from stillopen.rpc.wire import money_to
from stillopen.v1 import realtime_pb2, types_pb2

CARDS = 40
CARD_SHARE = 0.4
"""The share of sales that try a card: some are refused because the register is offline."""
CARD_SALES_MIN = 120


@dataclass(frozen=True, slots=True)
class Planned:
    """One invoice on its way through a register."""

    position: int
    invoice: Invoice
    by_card: bool = False
    """Whether a gift card is tried; else it is paid in cash."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens: sales by register in file order, and before which of them the cuts come."""

    by_register: dict[str, list[Planned]]
    cards: tuple[str, ...]
    card_balance_minor: int
    cut_before: tuple[int, ...]
    """A cut comes when this many invoices are done."""
    kills: tuple[bool, ...]
    """For each cut: killed, or stopped."""


def comes_again_at(waiting: Iterable[Planned]) -> int:
    """Where a customer stands who comes again: behind the next who waits for no memo.

    Two who wait for one would give way to each other for ever.
    """
    cancelled = [planned.invoice.cancelled for planned in waiting]
    return cancelled.index(False) + 1 if False in cancelled else len(cancelled)


def make_plan(sales: SalesFile, registers: int, cuts: int, seed: int) -> Plan:
    """The same file, registers, cuts and seed give the same plan."""
    rng = random.Random(seed)  # noqa: S311 - a plan, not a secret
    names = [f"R{number + 1}" for number in range(registers)]
    cards = tuple(f"6{rng.randrange(10**15):015d}" for _ in range(CARDS))
    paying = [n for n, i in enumerate(sales.invoices) if not i.cancelled and i.total_minor > 0]
    tries = min(len(paying), max(CARD_SALES_MIN, round(len(paying) * CARD_SHARE)))
    by_card = set(rng.sample(paying, tries))
    by_register: dict[str, list[Planned]] = {name: [] for name in names}
    for position, invoice in enumerate(sales.invoices):
        planned = Planned(position, invoice, position in by_card)
        by_register[rng.choice(names)].append(planned)
    kills = [number % 2 == 0 for number in range(cuts)]
    rng.shuffle(kills)
    balance = sum(sales.invoices[n].total_minor for n in by_card) + 10_000
    return Plan(
        by_register,
        cards,
        min(balance, AMOUNT_MINOR_MAX),
        tuple((n + 1) * len(sales.invoices) // (cuts + 1) for n in range(cuts)),
        tuple(kills),
    )


def catalogue(sales: SalesFile) -> list[types_pb2.Product]:
    """The file's products, each at the first price it was sold for."""
    return [
        types_pb2.Product(product_id=code, name=sales.names[code], price=money_to(price))
        for code, price in sales.prices.items()
    ]


def card_rows(plan: Plan, currency: str) -> list[realtime_pb2.CardRow]:
    """The plan's cards, each with enough for any of its sales."""
    balance = money_to(Money(currency, plan.card_balance_minor))
    return [realtime_pb2.CardRow(number=number, balance=balance) for number in plan.cards]
