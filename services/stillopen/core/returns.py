"""Returns by receipt: what was given back of a line, and what may still be.

1. A return line counts once, however often and by whatever way it is heard of: it is known by its
   sale and line.
2. Whoever knows the receipt refuses to give back more than was sold, as far as it knows. What two
   give back apart may still be too much: that is an exception for people, never a refusal.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_name
from stillopen.core.money import check_quantity, line_minor
from stillopen.core.products import Product
from stillopen.core.sale import Line, ReturnOf, Sale, SaleState, add_line

ROUNDING_MINOR = 1
"""By so much parts that were rounded one by one may come to more than the whole."""


@dataclass(frozen=True, slots=True, order=True)
class Back:
    """A return line: which line of which sale it gives back, and how much of it."""

    transaction_id: str
    line_id: str
    by_transaction_id: str
    by_line_id: str
    quantity_milli: int
    """Above zero."""


def backs_of(sale: Sale) -> list[Back]:
    """The live lines of a sale that give back a line of another that they name."""
    return [
        Back(
            line.return_of.transaction_id,
            line.return_of.line_id,
            sale.transaction_id,
            line.line_id,
            -line.quantity_milli,
        )
        for line in sale.lines
        if line.return_of
        and line.return_of.transaction_id
        and line.return_of.line_id
        and not line.voided
    ]


def together(*known: Iterable[Back]) -> list[Back]:
    """What several know, each return line once."""
    return sorted({(b.by_transaction_id, b.by_line_id): b for each in known for b in each}.values())


def returned_milli(backs: Iterable[Back]) -> dict[str, int]:
    """How much was given back, by line."""
    found: defaultdict[str, int] = defaultdict(int)
    for back in backs:
        found[back.line_id] += back.quantity_milli
    return dict(found)


def sold_milli(bought: Sale, line_id: str) -> int:
    """How much of a line was sold, and so may come back; 0 when nothing may."""
    line = next((x for x in bought.lines if x.line_id == line_id), None)
    return line.quantity_milli if line and _returnable(bought, line) else 0


def give_back(
    sale: Sale,
    bought: Sale,
    backs: Iterable[Back],
    line_id: str,
    quantity_milli: int,
    reason: str,
) -> Sale:
    """Takes back a part of what a receipt names, at the price that was paid.

    `backs` is what is known to have been given back of `bought`. Refused RETURN_TOO_MUCH or
    NOT_RETURNABLE.
    """
    if check_quantity(quantity_milli) < 0:
        raise invalid("quantity_milli", "must be above zero")
    check_name(reason, "reason")
    line = next((x for x in bought.lines if x.line_id == line_id), None)
    if line is None:
        raise Refused(Reason.LINE_UNKNOWN, f"no line {line_id[:40]!r} on that receipt", "line_id")
    if not _returnable(bought, line):
        raise Refused(Reason.NOT_RETURNABLE, "that line sold nothing that can come back", "line_id")
    before = returned_milli(together(backs, _on(sale, bought))).get(line_id, 0)
    if before + quantity_milli > line.quantity_milli:
        left = max(0, line.quantity_milli - before)
        raise Refused(
            Reason.RETURN_TOO_MUCH,
            f"{line.quantity_milli / 1000:g} were sold, {left / 1000:g} are left to be returned",
            "quantity_milli",
        )
    parts = [
        back.quantity_milli
        for back in together(backs, _on(sale, bought))
        if back.line_id == line_id
    ]
    given = sum(line_minor(line.unit_price.minor, part) for part in (*parts, quantity_milli))
    if given > line.total.minor + ROUNDING_MINOR:
        raise Refused(
            Reason.RETURN_TOO_MUCH,
            "in such small parts more would be given back than was paid",
            "quantity_milli",
        )
    return add_line(
        sale,
        Product(line.product_id, line.name, line.list_price, tax=line.tax),
        -quantity_milli,
        line.catalogue_sequence,
        line.unit_price if line.price_reason else None,
        line.price_reason,
        ReturnOf(reason, bought.transaction_id, line_id),
    )


def _on(sale: Sale, bought: Sale) -> list[Back]:
    return [back for back in backs_of(sale) if back.transaction_id == bought.transaction_id]


def _returnable(bought: Sale, line: Line) -> bool:
    return (
        bought.state is SaleState.COMPLETED
        and not line.voided
        and line.return_of is None
        and line.card is None
        and line.quantity_milli > 0
    )
