"""One card and the locks that tests put on it."""

from stillopen.core.card import Card, Lock, LockRequest, decide_lock
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters
from stillopen.core.settle import Operation
from stillopen.core.standing import Standing

LEASE_S = 120.0
GRACE_S = 1_000.0

OFF = CardParameters(
    conclude_within_s=100.0, lease_s=LEASE_S, grace_s=GRACE_S, settle_margin_s=100.0
)
ON = CardParameters(
    allow_concluding_offline=True,
    conclude_within_s=100.0,
    lease_s=LEASE_S,
    grace_s=GRACE_S,
    settle_margin_s=100.0,
)

KNOWN, UNKNOWN = Standing(lane_known=True), Standing(lane_known=False)
"""A register whose lane headquarters knows, and one it does not."""


def key_of(number: int) -> bytes:
    """The lock key of that number."""
    return bytes([number]) * 16


def eur(minor: int) -> Money:
    """Cents."""
    return Money("EUR", minor)


def card_with(minor: int) -> Card:
    """The card, with so much on it."""
    return Card("card-1", "4321", eur(minor))


def request_of(
    number: int,
    minor: int,
    *,
    holder: str = "",
    transaction_id: str = "",
    line_id: str = "T1",
    currency: str = "EUR",
) -> LockRequest:
    """A request for a lock; by default each number is another register's and another sale's."""
    return LockRequest(
        key_of(number),
        holder or f"R{number}",
        transaction_id or f"sale-{number}",
        line_id,
        Money(currency, minor),
    )


def granted(
    request: LockRequest,
    card: Card,
    locks: list[Lock],
    now_s: float,
    parameters: CardParameters = OFF,
    *,
    lane_known: bool = True,
) -> Lock:
    """The lock that was granted; fails when it was refused."""
    decision = decide_lock(request, card, locks, now_s, parameters, Standing(lane_known))
    assert isinstance(decision, Lock)
    return decision


def operation_of(number: int, minor: int, *, line_id: str = "T1", sale: str = "") -> Operation:
    """The fact that belongs to the lock of that number."""
    return Operation(sale or f"sale-{number}", line_id, key_of(number), "card-1", eur(minor))
