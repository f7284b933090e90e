"""What may become of a card: the rules of docs/design.md, written down once more.

`after` gives every card that may come of a step and explains its answer; there is none when nothing
does. Time enters in two ways only: `holding` are the locks that keep the card from others at that
moment, and `left` says how many seconds an answer may show of a lock. A step that is not sure was
never answered: whatever it may have done is right.
"""

from collections.abc import Iterator

from tests.sim.card_answers import Holding, Left, is_read
from tests.sim.card_locks import after_lock_step
from tests.sim.card_money import after_money_step
from tests.sim.card_state import Card
from tests.sim.card_steps import (
    BalanceRead,
    LedgerRead,
    Listed,
    Locked,
    Renewed,
    Step,
    Unlocked,
    UnlockedAll,
)


def after(card: Card, step: Step, holding: Holding, left: Left) -> Iterator[Card]:
    """Every card that may come of a step and explains its answer."""
    match step.what:
        case Locked() | Renewed() | Unlocked() | UnlockedAll() as what:
            yield from after_lock_step(card, what, step, holding, left)
        case BalanceRead() | LedgerRead() | Listed() as what:
            if is_read(card, what, step, holding, left):
                yield card
        case what:
            yield from after_money_step(card, what, step, holding)
