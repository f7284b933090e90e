"""A sale to ring things up on, and things to ring up."""

from stillopen.core.money import Money
from stillopen.core.products import Product
from stillopen.core.sale import HeldCard, ReturnOf, Sale

SALE = Sale("0" * 32, "S1", "R1", "staff-1", "EUR", 1_000.0)
APPLE = Product("APPLE", "Apple", Money("EUR", 100))
PEAR = Product("PEAR", "Pear", Money("EUR", 333))
BACK = ReturnOf("bruised", "1" * 32, "L1")


def eur(minor: int) -> Money:
    """Cents."""
    return Money("EUR", minor)


def card_of(number: int, minor: int = 10_000) -> HeldCard:
    """The card of that number, locked."""
    return HeldCard(bytes([number]) * 16, f"card-{number}", "4321", eur(minor))
