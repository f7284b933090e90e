"""What a card is, what is done with it, and the credit memo that may come of it."""

from dataclasses import dataclass
from enum import StrEnum

from stillopen.core.errors import Reason, Refused
from stillopen.core.money import Money


class CardKind(StrEnum):
    """What a card is."""

    GIFT_CARD = "GIFT_CARD"
    """Sold, reloaded and spent bit by bit."""
    CREDIT_MEMO = "CREDIT_MEMO"
    """Given for a return and good for one sale; what is left becomes a new one."""


class Purpose(StrEnum):
    """What is done with a card; it gives the direction, amounts are above zero."""

    REDEEM = "REDEEM"
    ISSUE = "ISSUE"
    RELOAD = "RELOAD"
    REFUND = "REFUND"
    CASH_OUT = "CASH_OUT"

    @property
    def takes(self) -> bool:
        """Whether money is taken off the card."""
        return self in {Purpose.REDEEM, Purpose.CASH_OUT}


@dataclass(frozen=True, slots=True)
class NewMemo:
    """A credit memo that a sale makes: the one issued, or the remainder of the one redeemed."""

    number_sha256: bytes
    last_four: str
    amount: Money


def check_purpose(kind: CardKind, purpose: Purpose) -> None:
    """Refuses what is not done with cards of a kind."""
    if kind is CardKind.CREDIT_MEMO and purpose not in {Purpose.REDEEM, Purpose.ISSUE}:
        raise Refused(Reason.CARD_KIND, f"{purpose} is for gift cards only", "purpose")
