"""Suspending and recalling: a sale is set aside, and another goes on from it.

The suspended sale keeps its id and is never changed again; what goes on is a new sale with the same
lines, which names it. Nothing re-prices a line on the way.
"""

from dataclasses import replace

from stillopen.core.errors import Reason, Refused
from stillopen.core.sale import Sale, SaleState


def suspend(sale: Sale) -> Sale:
    """The sale, set aside. Not with payments or cards on it: locks would wait for nobody."""
    if sale.state is not SaleState.OPEN:
        raise Refused(Reason.SALE_FINAL, f"the sale is {sale.state}")
    check_cart(sale)
    return replace(sale, version=sale.version + 1, state=SaleState.SUSPENDED)


def check_cart(sale: Sale) -> None:
    """Refuses what cannot be set aside: TENDERS_PRESENT, SALE_EMPTY."""
    if sale.live_tenders or sale.cards:
        raise Refused(
            Reason.TENDERS_PRESENT, "payments and card lines are on the sale; take them back first"
        )
    if all(line.voided for line in sale.lines):
        raise Refused(Reason.SALE_EMPTY, "the sale has no lines")


def recalled(
    cart: Sale, new_id: str, store_id: str, register_id: str, staff_id: str, begin_wall_s: float
) -> Sale:
    """The sale that goes on from a suspended one: new and open, with its lines as they are.

    What was allowed in the one is told with them: its lines may have come of it.
    """
    return Sale(
        transaction_id=new_id,
        store_id=store_id,
        register_id=register_id,
        staff_id=staff_id,
        currency=cart.currency,
        begin_wall_s=begin_wall_s,
        lines=cart.lines,
        recalled_from=cart.transaction_id,
        overrides=cart.overrides,
        customer_id=cart.customer_id,
    )
