"""The history of each card, cut out of everything that was asked of the card service.

A call that concerns several cards is a step of each: they need not have taken effect at one moment.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from google.protobuf.message import Message
from tests.sim.card_calls import NEVER, CardCall, Run
from tests.sim.card_names import Names, name_of
from tests.sim.card_state import ISSUE
from tests.sim.card_steps import (
    Adjusted,
    BalanceRead,
    Blocked,
    Fact,
    LedgerRead,
    Listed,
    Locked,
    Remainder,
    Renewed,
    Resolved,
    Step,
    Unlocked,
    UnlockedAll,
    Voided,
    What,
)

from stillopen.v1 import realtime_pb2

_ANSWERS: dict[str, type[Message]] = {
    "GetCardBalance": realtime_pb2.GetCardBalanceResponse,
    "LockCard": realtime_pb2.LockCardResponse,
    "RenewLocks": realtime_pb2.RenewLocksResponse,
    "UnlockCard": realtime_pb2.UnlockCardResponse,
    "SettleTransaction": realtime_pb2.SettleTransactionResponse,
    "BlockCard": realtime_pb2.BlockCardResponse,
    "AdjustCard": realtime_pb2.AdjustCardResponse,
    "ResolveException": realtime_pb2.ResolveExceptionResponse,
    "ListCardEntries": realtime_pb2.ListCardEntriesResponse,
    "ListLocks": realtime_pb2.ListLocksResponse,
    "ListExceptions": realtime_pb2.ListExceptionsResponse,
}
_NOT_OF_CARDS = {"CALLER_UNKNOWN", "RETIRED", "DISK_FULL", "TOO_MANY_UNKNOWN", "RESOLVED"}
"""Refusals that have another cause than the card, and say that nothing was done."""
_UNSURE = {"UNKNOWN", "INTERNAL", "DATABASE_DAMAGED", "UNREACHABLE", "TIMED_OUT"}
"""Answers after which nobody knows what was done."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a call does with one card."""

    name: str
    what: What
    sure: bool = True
    """False when it may not have been done."""
    some_day: bool = False
    """Whether it may be done at any time from then on."""


def names_in(calls: Iterable[CardCall]) -> Names:
    """What calls tell of the names of cards."""
    names = Names()
    for call in calls:
        if call.refused not in _NOT_OF_CARDS:
            names.learn(call, _answer(call))
    return names


def histories(
    calls: Iterable[CardCall],
    runs: list[Run],
    restored_s: float = math.inf,
    known: Names | None = None,
) -> dict[str, list[Step]]:
    """By card: what was done with it, in the order in which it was asked.

    `known` are names that were told in any life of the server.
    """
    heard = [(call, _answer(call)) for call in calls if call.refused not in _NOT_OF_CARDS]
    names = known.elsewhere() if known else Names()
    for call, answer in heard:
        names.learn(call, answer)
    found: defaultdict[str, list[Step]] = defaultdict(list)
    listings: list[tuple[Step, realtime_pb2.ListLocksResponse]] = []
    for call, answer in heard:
        step = _step(call, runs[call.run], is_after_restore=call.asked_s >= restored_s)
        if isinstance(answer, realtime_pb2.ListLocksResponse):
            if not answer.next_page_token and not _is_later_page(call):
                listings.append((step, answer))
            continue
        for part in _parts(call, answer, names):
            found[part.name].append(_with(step, part))
    for step, answer in listings:
        listed = names.by_card(answer.locks)
        for name, steps in found.items():
            steps.append(replace(step, what=Listed(tuple(listed.get(name, ())))))
    _note_what_came_as_another(found)
    for steps in found.values():
        steps.sort(key=lambda step: step.asked)
    return found


def _note_what_came_as_another(found: dict[str, list[Step]]) -> None:
    """A line of a sale is judged once: what comes for another card, from another disk, is not."""
    judged: defaultdict[tuple[str, str], list[tuple[int, bytes]]] = defaultdict(list)
    for steps in found.values():
        for step in steps:
            if isinstance(step.what, Fact):
                name = (step.what.transaction_id, step.what.operation.line_id)
                judged[name].append((step.asked, step.what.digest))
    for steps in found.values():
        for number, step in enumerate(steps):
            if not isinstance(fact := step.what, Fact):
                continue
            others = judged[fact.transaction_id, fact.operation.line_id]
            if any(asked < step.answered and other != fact.digest for asked, other in others):
                steps[number] = replace(step, what=replace(fact, came_as_another=True))


def _answer(call: CardCall) -> Message | None:
    if call.answer is None or call.method not in _ANSWERS:
        return None
    answer = _ANSWERS[call.method]()
    answer.ParseFromString(call.answer)
    return answer


def _is_later_page(call: CardCall) -> bool:
    asked = call.request
    return isinstance(asked, realtime_pb2.ListLocksRequest) and bool(asked.page_token)


def _step(call: CardCall, run: Run, *, is_after_restore: bool) -> Step:
    was_answered = call.answered < NEVER
    sure = was_answered and call.refused not in _UNSURE
    return Step(
        what=Listed(()),
        caller=call.caller,
        asked=call.asked,
        answered=call.answered if was_answered else run.ended,
        asked_s=call.asked_s,
        answered_s=call.answered_s if was_answered else run.ended_s,
        refused=call.refused if sure else "",
        sure=sure,
        recovering=is_after_restore,
    )


def _with(step: Step, part: _Part) -> Step:
    if part.some_day:
        return replace(step, what=part.what, sure=False, answered=NEVER, answered_s=math.inf)
    return replace(step, what=part.what, sure=step.sure and part.sure)


def _parts(call: CardCall, answer: Message | None, names: Names) -> Iterator[_Part]:
    match call.request:
        case realtime_pb2.LockCardRequest() as asked:
            shown = answer.lock if isinstance(answer, realtime_pb2.LockCardResponse) else None
            yield _Part(name_of(asked.number), Locked(asked, shown))
        case realtime_pb2.RenewLocksRequest() as asked:
            told = answer.locks if isinstance(answer, realtime_pb2.RenewLocksResponse) else None
            for number, key in enumerate(asked.lock_keys):
                yield _Part(names.of_key(key), Renewed(key, told[number] if told else None))
        case realtime_pb2.UnlockCardRequest() as asked:
            yield _unlocked(asked, answer, names)
        case realtime_pb2.SettleTransactionRequest() as asked:
            yield from _settled(asked, answer, names)
        case realtime_pb2.GetCardBalanceRequest() as asked:
            balance = answer if isinstance(answer, realtime_pb2.GetCardBalanceResponse) else None
            yield _Part(name_of(asked.number), BalanceRead(asked, balance))
        case _:
            yield from _parts_of_people(call, answer, names)


def _unlocked(asked: realtime_pb2.UnlockCardRequest, answer: Message | None, names: Names) -> _Part:
    told = answer if isinstance(answer, realtime_pb2.UnlockCardResponse) else None
    if asked.number:
        ended = tuple(told.locks) if told else None
        return _Part(name_of(asked.number), UnlockedAll(asked.force, ended))
    what = Unlocked(asked.lock_key, asked.force, told.lock if told else None)
    return _Part(names.of_key(asked.lock_key), what)


def _settled(
    asked: realtime_pb2.SettleTransactionRequest, answer: Message | None, names: Names
) -> Iterator[_Part]:
    told = answer if isinstance(answer, realtime_pb2.SettleTransactionResponse) else None
    for number, operation in enumerate(asked.operations):
        shown = told.settlements[number] if told else None
        fact = Fact(asked.transaction_id, operation, shown)
        yield _Part(names.of_id(operation.card_id), fact)
        if operation.purpose != ISSUE and operation.HasField("new_memo"):
            yield from _left_over(fact)


def _left_over(fact: Fact) -> Iterator[_Part]:
    """What a redemption leaves is a memo of its own, which a repeat does not touch."""
    name, shown = fact.operation.new_memo.number_sha256.hex(), fact.shown
    if shown is not None and shown.repeated:
        return
    if shown is not None and shown.outcome == realtime_pb2.SETTLEMENT_OUTCOME_APPLIED:
        yield _Part(name, Remainder(fact.left_minor, paid=True))
        return
    yield _Part(name, Remainder(fact.left_minor, paid=False), sure=shown is not None)
    yield _Part(name, Remainder(fact.left_minor, paid=True), some_day=True)


def _parts_of_people(call: CardCall, answer: Message | None, names: Names) -> Iterator[_Part]:
    match call.request:
        case realtime_pb2.ListCardEntriesRequest() as asked:
            ledger = answer if isinstance(answer, realtime_pb2.ListCardEntriesResponse) else None
            yield _Part(names.of(asked.number, asked.card_id), LedgerRead(ledger))
        case realtime_pb2.AdjustCardRequest() as asked:
            told = answer if isinstance(answer, realtime_pb2.AdjustCardResponse) else None
            yield _Part(names.of(asked.number, asked.card_id), Adjusted(asked, told))
        case realtime_pb2.BlockCardRequest() as asked:
            yield _Part(names.of(asked.number, asked.card_id), Blocked(asked.blocked))
        case realtime_pb2.ResolveExceptionRequest() as asked if not call.refused:
            found = names.by_exception.get(asked.exception_id)
            if found is not None:
                yield from _resolved(asked, found, names)
        case _:
            pass


def _resolved(
    asked: realtime_pb2.ResolveExceptionRequest, found: realtime_pb2.CardException, names: Names
) -> Iterator[_Part]:
    fact, operation = Fact(found.transaction_id, found.operation, None), found.operation
    if asked.resolution == realtime_pb2.EXCEPTION_RESOLUTION_APPLIED:
        yield _Part(names.of_id(operation.card_id), Resolved(fact))
        return
    if operation.purpose != ISSUE and operation.HasField("new_memo"):
        # Of a line that came with other contents nothing is void.
        yield _Part(operation.new_memo.number_sha256.hex(), Voided(), sure=False)
