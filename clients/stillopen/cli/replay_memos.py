"""Credit memos in a replay: given for cancellations, spent again later, often elsewhere."""

from dataclasses import dataclass, field

from stillopen.v1 import types_pb2


@dataclass(frozen=True, slots=True)
class Memo:
    """A memo as a customer carries it."""

    number: str
    amount_minor: int
    register: str
    origin: str
    """The cancellation it goes back to, through its remainders."""


@dataclass(slots=True)
class Purse:
    """Every memo that was printed and not spent yet."""

    memos: list[Memo] = field(default_factory=list[Memo])
    issued: int = 0
    elsewhere: int = 0
    """Sales paid by a memo of another register."""
    spent: set[str] = field(default_factory=set[str])
    """The cancellations whose memo was spent, wholly or in part."""
    paid: dict[str, int] = field(default_factory=dict[str, int])
    """Sale to what memos paid of it."""

    def take(self, register: str) -> Memo | None:
        """The memo to be spent now: an old one, of another register where there is one."""
        if not self.memos:
            return None
        fresh = [m for m in self.memos if m.origin not in self.spent] or self.memos
        chosen = next((m for m in fresh if m.register != register), fresh[0])
        self.memos.remove(chosen)
        return chosen

    def put_back(self, memo: Memo) -> None:
        """It could not be spent now; others first."""
        self.memos.append(memo)

    def printed(self, sale: types_pb2.Sale, spent: Memo | None) -> None:
        """Notes what a completed sale made and spent."""
        register = sale.register_id
        for tender in sale.tenders:
            if tender.voided or tender.kind != types_pb2.TENDER_KIND_CREDIT_MEMO:
                continue
            new = tender.card.new_memo
            if tender.amount.minor_units > 0 and spent:
                self.spent.add(spent.origin)
                self.elsewhere += spent.register != register
                self.paid[sale.transaction_id] = tender.amount.minor_units
            else:
                self.issued += 1
            if new.number:
                origin = spent.origin if spent else sale.transaction_id
                self.memos.append(Memo(new.number, new.amount.minor_units, register, origin))
