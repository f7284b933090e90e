"""The memos of a replay, read back from headquarters and compared with what was printed."""

from collections import Counter
from dataclasses import dataclass, field

from stillopen.cli.headquarters import Headquarters
from stillopen.cli.replay_memos import Purse
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind
from stillopen.v1 import types_pb2

_MAKES = {"ISSUE", "REMAINDER"}


@dataclass(slots=True)
class Memos:
    """What the sales at headquarters say of credit memos."""

    issued: int = 0
    redeemed: int = 0
    outstanding_minor: int = 0
    """Issued less redeemed: what customers still carry."""
    names: Counter[str] = field(default_factory=Counter[str])
    """Each memo, and how often it was issued or redeemed."""

    def add(self, tender: types_pb2.Tender) -> None:
        """Counts a tender that issues or redeems one."""
        amount = tender.amount.minor_units
        self.issued += amount < 0
        self.redeemed += amount > 0
        self.outstanding_minor -= amount
        self.names[tender.card.card_id] += 1


async def memo_faults(headquarters: Headquarters, memos: Memos, purse: Purse) -> int:
    """How many memos are not what the sales and the customers say."""
    wrong = int(memos.issued != purse.issued)
    wrong += memos.outstanding_minor != sum(memo.amount_minor for memo in purse.memos)
    wrong += sum(times > 2 for times in memos.names.values())  # noqa: PLR2004 - made and used
    for memo in purse.memos:
        seen = await headquarters.card(memo.number, CardKind.CREDIT_MEMO)
        wrong += Money(seen.balance.currency_code, memo.amount_minor).minor != (
            seen.balance.minor_units
        )
    for card_id in memos.names:
        ledger = await headquarters.ledger(card_id)
        kinds = [entry.kind for entry in ledger.entries]
        # None is spent before it was made, and a used one has nothing left.
        wrong += not kinds or kinds[0] not in _MAKES
        wrong += sum(kind == "REDEEM" for kind in kinds) > 1
        wrong += sum(entry.amount.minor_units for entry in ledger.entries) != (
            ledger.balance.minor_units
        )
    return wrong
