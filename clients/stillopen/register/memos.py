"""Credit memos that this register makes: their numbers, drawn once and kept to be printed.

A number is money to whoever holds it. It is drawn before anything is asked for it, kept with the
tender in one transaction, shown once the sale is durable, and never part of a journal entry.
"""

import random

from stillopen.core.card_number import last_four, number_digest
from stillopen.core.memo_number import new_memo_number, printed
from stillopen.core.money import Money
from stillopen.core.purpose import NewMemo
from stillopen.core.sale import Sale, SaleState
from stillopen.storage.engine import Engine, Session


class Memos:
    """The memo numbers of one register."""

    def __init__(self, engine: Engine, register_id: str, rng: random.Random) -> None:
        self._engine = engine
        self._register_id = register_id
        self._rng = rng

    def draw(self) -> str:
        """A new number."""
        return new_memo_number(self._register_id, self._rng)

    async def numbers(self, sale: Sale) -> dict[str, str]:
        """The numbers to be printed of a completed sale, by the tender that made the memo."""
        if sale.state is not SaleState.COMPLETED:
            return {}
        made = {t.line_id: t.card.lock_key for t in sale.live_tenders if t.card and t.card.new_memo}
        if not made:
            return {}

        def read(session: Session) -> dict[str, str]:
            rows = {
                line_id: session.one("SELECT number FROM memo_number WHERE lock_key = ?", key)
                for line_id, key in made.items()
            }
            return {line_id: printed(row[0]) for line_id, row in rows.items() if row}

        return await self._engine.read(read)


def keep(session: Session, lock_key: bytes, number: str) -> None:
    """Keeps a number with the tender that makes its memo."""
    session.run("INSERT INTO memo_number VALUES (?,?)", lock_key, number)


def memo_of(number: str, amount: Money) -> NewMemo:
    """What a journal says of a memo: never its number."""
    return NewMemo(number_digest(number), last_four(number), amount)
