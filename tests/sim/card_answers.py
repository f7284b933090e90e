"""What an answer may show of a card, and what explains a refusal."""

from collections.abc import Callable

from tests.sim.card_state import CASH_OUT, ISSUE, MEMO, Card, Lock, Status, left_of, takes
from tests.sim.card_steps import BalanceRead, LedgerRead, Listed, Step

from stillopen.v1 import realtime_pb2

Holding = frozenset[bytes]
"""The keys of the locks that keep the card from others."""
Left = Callable[[Lock, Step], tuple[float, float]]
"""Between which seconds an answer may show a lock to block when nothing makes it longer."""
_OPEN, _ENDED = realtime_pb2.LOCK_STATE_OPEN, realtime_pb2.LOCK_STATE_ENDED
_SETTLED = realtime_pb2.LOCK_STATE_SETTLED
NEAR_S = 1e-4


def shows(card: Card, shown: realtime_pb2.CardLock | None) -> bool:
    """Whether an answer shows what is on the card, if it shows the card at all."""
    if shown is None or not shown.HasField("balance"):
        return True
    return shown.balance.minor_units == card.minor


def shows_over(card: Card, key: bytes, shown: realtime_pb2.CardLock | None) -> bool:
    """Whether an answer shows a lock that is over as it is: settled, or ended for ever."""
    if shown is None:
        return True
    state = _SETTLED if card.is_used(key) else _ENDED
    return shown.state == state and not left_of(shown) and shows(card, shown)


def shows_open(
    card: Card, lock: Lock, shown: realtime_pb2.CardLock | None, step: Step, left: Left
) -> bool:
    """Whether an answer shows an open lock as it is, nothing having made it longer."""
    if shown is None:
        return True
    least, most = left(lock, step)
    in_time = least - NEAR_S <= left_of(shown) <= most + NEAR_S
    return in_time and is_same(lock, shown) and shows(card, shown)


def is_same(lock: Lock, shown: realtime_pb2.CardLock) -> bool:
    """Whether an answer shows the lock open, with the terms of its grant."""
    return shown.state == _OPEN and lock.terms_s in {None, terms_of(shown)}


def terms_of(shown: realtime_pb2.CardLock) -> float:
    """For how long a lock may be concluded without headquarters."""
    return shown.conclude_within.seconds + shown.conclude_within.nanos / 1e9


def is_read(
    card: Card,
    what: BalanceRead | LedgerRead | Listed,
    step: Step,
    holding: Holding,
    left: Left,
) -> bool:
    """Whether somebody who looked saw the card as it was."""
    match what:
        case BalanceRead():
            return _is_balance(card, what, step, holding)
        case LedgerRead():
            if what.shown is None:
                return not step.refused or card.status is Status.ABSENT
            told = (what.shown.state, what.shown.balance.minor_units, what.shown.blocked)
            return told == (card.status.value, card.minor, card.blocked)
        case Listed():
            listed = {x.lock_key: x for x in what.shown}
            return listed.keys() == {x.key for x in card.locks} and all(
                shows_open(card, x, listed[x.key], step, left) for x in card.locks
            )


def _is_balance(card: Card, what: BalanceRead, step: Step, holding: Holding) -> bool:
    if step.refused:
        return _is_no_card(card, step.refused, what.request.kind)
    shown = what.shown
    if shown is None or card.status is not Status.OPEN:
        return shown is None
    holders = {x.holder.removeprefix("register:") for x in card.locks if x.key in holding} or {""}
    seen = (shown.balance.minor_units, shown.free.minor_units)
    return seen == (card.minor, card.free(b"", holding)) and shown.locked_by in holders


def explains_refusal(card: Card, wanted: Lock, kind: int, step: Step, holding: Holding) -> bool:
    """Whether a card is not to be had for the reason that was given."""
    issues, cashes_out = wanted.purpose == ISSUE, wanted.purpose == CASH_OUT
    others = any(x.key != wanted.key and x.key in holding for x in card.locks)
    sales = {x.transaction_id for x in card.locks} | {sale for _, sale in card.used}
    too_much = wanted.minor != card.minor if cashes_out else wanted.minor > card.minor
    another = card.memo != (kind == MEMO)
    reasons = {
        "HEADQUARTERS_RECOVERING": step.recovering,
        "CARD_TWICE": wanted.transaction_id in sales,
        "CARD_BLOCKED": card.blocked,
        "CARD_EXISTS": issues and card.status not in {Status.ABSENT, Status.NEW},
        "INSUFFICIENT_BALANCE": takes(wanted.purpose) and too_much,
        "CASH_OUT_TOO_MUCH": cashes_out and card.minor > 0,
        "CARD_LOCKED": others and not card.can_hold(wanted, holding),
    }
    if step.refused == "CARD_PENDING" and issues:
        return card.status is Status.NEW and (others or (card.visible and another))
    if step.refused in reasons:
        return reasons[step.refused]
    return not issues and _is_no_card(card, step.refused, kind)


def _is_no_card(card: Card, refused: str, kind: int) -> bool:
    """Whether it is no card of its kind that can be used."""
    is_new = card.visible and card.status in {Status.NEW, Status.PENDING}
    reasons = {
        "CARD_UNKNOWN": not card.visible,
        # a memo that nobody knows may be on its way
        "CARD_PENDING": is_new or (not card.visible and kind == MEMO),
        "CARD_KIND": card.visible and card.memo != (kind == MEMO),
        "CARD_USED": card.status is Status.USED,
    }
    return reasons.get(refused, False)
