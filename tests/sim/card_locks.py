"""What may become of a card by locks: granted once, renewed, ended for ever; no money moves."""

from collections.abc import Iterator
from dataclasses import replace

from tests.sim.card_answers import (
    NEAR_S,
    Holding,
    Left,
    explains_refusal,
    is_same,
    shows,
    shows_open,
    shows_over,
    terms_of,
)
from tests.sim.card_state import ISSUE, MEMO, Card, Lock, Status, left_of
from tests.sim.card_steps import Locked, Renewed, Step, Unlocked, UnlockedAll

LockStep = Locked | Renewed | Unlocked | UnlockedAll


def after_lock_step(
    card: Card, what: LockStep, step: Step, holding: Holding, left: Left
) -> Iterator[Card]:
    """Every card that may come of what is done with a lock."""
    match what:
        case Locked():
            return _locked(card, what, step, holding, left)
        case Renewed():
            return _renewed(card, what, step, holding, left)
        case Unlocked():
            return _unlocked(card, what, step, holding)
        case UnlockedAll():
            return _unlocked_all(card, what, step, holding)


def _locked(card: Card, what: Locked, step: Step, holding: Holding, left: Left) -> Iterator[Card]:
    """A key is granted at most once, and a refused one has ended; a repeat gets today's truth."""
    key, shown = what.request.lock_key, what.shown
    mine, refused = card.lock(key), step.refused
    if key in card.ended:
        if refused == "LOCK_ENDED":
            yield card
    elif mine is not None:
        if not refused and shows_open(card, mine, shown, step, left):
            yield card.with_lock(mine.asked_again(shown, step))
    elif card.is_used(key):
        if not refused and shows_over(card, key, shown):
            yield card
    else:
        yield from _first_locked(card, what, step, holding)


def _first_locked(card: Card, what: Locked, step: Step, holding: Holding) -> Iterator[Card]:
    wanted, memo = _wanted(what, step), what.request.kind == MEMO
    if step.refused:
        if explains_refusal(card, wanted, what.request.kind, step, holding):
            yield card.ending(wanted.key)
        return
    if _is_to_be_had(card, wanted, memo=memo, holding=holding) and shows(card, what.shown):
        yield _reserved(card, what).with_lock(wanted)
    if not step.sure:
        yield card.ending(wanted.key)


def _wanted(what: Locked, step: Step) -> Lock:
    request, shown = what.request, what.shown
    return Lock(
        key=request.lock_key,
        holder=step.caller,
        transaction_id=request.transaction_id,
        line_id=request.line_id,
        purpose=request.purpose,
        minor=request.amount.minor_units,
        shares=request.amount_only and request.kind != MEMO,
        seen_s=(step.asked_s, step.answered_s),
        left_s=left_of(shown) if shown else None,
        granted_s=left_of(shown) if shown else 0.0,
        terms_s=terms_of(shown) if shown else None,
    )


def _is_to_be_had(card: Card, wanted: Lock, *, memo: bool, holding: Holding) -> bool:
    sales = {x.transaction_id for x in card.locks} | {sale for _, sale in card.used}
    if card.blocked or wanted.transaction_id in sales:
        return False
    if wanted.purpose == ISSUE:
        as_reserved = not card.visible or (card.status is Status.NEW and card.memo == memo)
        return as_reserved and not holding
    return card.status is Status.OPEN and card.memo == memo and card.can_hold(wanted, holding)


def _reserved(card: Card, what: Locked) -> Card:
    if what.request.purpose != ISSUE:
        return card
    return replace(card, status=Status.NEW, memo=what.request.kind == MEMO)


def _renewed(card: Card, what: Renewed, step: Step, holding: Holding, left: Left) -> Iterator[Card]:
    """A lock is renewed while it blocks, or while nobody else does and the money is there."""
    shown, mine = what.shown, card.lock(what.key)
    if step.refused:
        not_its_own = mine is None or mine.holder != step.caller
        if step.recovering or (step.refused == "NOT_ALLOWED" and not_its_own):
            yield card
    elif mine is None:
        if shows_over(card, what.key, shown):
            yield card
    elif what.key in holding or card.can_hold(mine, holding):
        least = max(mine.granted_s, left(mine, step)[0]) - NEAR_S
        if shown is None or (
            left_of(shown) >= least and is_same(mine, shown) and shows(card, shown)
        ):
            yield card.with_lock(mine.seen(shown, step))
    elif shown is None or (not left_of(shown) and is_same(mine, shown) and shows(card, shown)):
        yield card


def _unlocked(card: Card, what: Unlocked, step: Step, holding: Holding) -> Iterator[Card]:
    """A key that is unlocked has ended, known or not; a settled one stays. No money moves."""
    mine, by_hand = card.lock(what.key), step.caller.startswith("person:")
    known = mine is not None or what.key in card.ended or card.is_used(what.key)
    blocks = by_hand and not what.force and what.key in holding
    if step.refused:
        not_its_own = mine is None or mine.holder != step.caller
        if (
            (step.refused == "LOCK_BLOCKS" and blocks)
            or (step.refused == "LOCK_ENDED" and by_hand and not known)
            or (step.refused == "NOT_ALLOWED" and not by_hand and not_its_own)
        ):
            yield card
    elif not blocks and (known or not by_hand):
        done = card if card.is_used(what.key) else card.ending(what.key)
        if shows_over(done, what.key, what.shown):
            yield done


def _unlocked_all(card: Card, what: UnlockedAll, step: Step, holding: Holding) -> Iterator[Card]:
    """A person ends all that is open on a card, or nothing of it."""
    blocks = bool(holding) and not what.force
    if step.refused:
        reasons = {
            "LOCK_BLOCKS": blocks,
            "LOCK_ENDED": not card.locks,
            "CARD_UNKNOWN": card.status is Status.ABSENT,
        }
        if reasons.get(step.refused):
            yield card
    elif card.locks and not blocks:
        keys = [lock.key for lock in card.locks]
        done, shown = card.ending(*keys), {x.lock_key: x for x in what.shown or ()}
        if what.shown is None or (
            shown.keys() == set(keys) and all(shows_over(done, k, shown[k]) for k in keys)
        ):
            yield done
