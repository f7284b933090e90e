"""Sales that were concluded without headquarters' word: only within what their locks allowed."""

from collections.abc import Iterator, Sequence

from tests.sim.card_calls import CardCall
from tests.sim.history import Event, Kind
from tests.sim.ledgers import COMPLETED, cards_of

from stillopen.v1 import realtime_pb2

_CLOCK = 1.001
"""How much slower than time the clock of a machine may be."""


def concluded_too_late(events: Sequence[Event], calls: Sequence[CardCall]) -> Iterator[str]:
    """Says which sale was concluded alone when the window of a card was closed, or had never been.

    The window is counted from before the payment was seen; the sale was not concluded before its
    last Complete was sent; a confirm that headquarters heard since may have been answered.
    """
    allowed_s, confirmed_s = _allowed_s(calls), _confirmed_s(calls)
    seen_s: dict[bytes, float] = {}
    completing_s: dict[str, float] = {}
    done: set[str] = set()
    for event in events:
        name = event.transaction_id
        if event.kind is Kind.SENT and event.method == "Complete":
            completing_s[name] = event.time_s
        if event.sale is None:
            continue
        keys = [card.lock_key for _, card, _ in cards_of(event.sale)]
        for key in keys:
            seen_s.setdefault(key, event.time_s)
        if event.sale.state != COMPLETED or name in done:
            continue
        done.add(name)
        for key in keys:
            asked_s = completing_s.get(name, 0.0)
            alone = confirmed_s.get(key, -1.0) < asked_s
            since_s = asked_s - seen_s[key]
            within_s = allowed_s.get(key)
            if alone and within_s is not None and since_s > within_s * _CLOCK:
                yield (
                    f"sale {name} was concluded without headquarters {since_s:.3f} s after its card"
                    f" was seen on it, and {within_s:g} s were allowed"
                )


def _allowed_s(calls: Sequence[CardCall]) -> dict[bytes, float]:
    """By lock key: how long after LockCard the sale may be concluded alone."""
    found: dict[bytes, float] = {}
    for call in calls:
        if call.method == "LockCard" and call.answer is not None:
            lock = realtime_pb2.LockCardResponse.FromString(call.answer).lock
            seconds = lock.conclude_within.seconds + lock.conclude_within.nanos / 1e9
            found[lock.lock_key] = max(found.get(lock.lock_key, 0.0), seconds)
    return found


def _confirmed_s(calls: Sequence[CardCall]) -> dict[bytes, float]:
    """By lock key: when headquarters was last asked to confirm it."""
    found: dict[bytes, float] = {}
    for call in calls:
        request = call.request
        if isinstance(request, realtime_pb2.RenewLocksRequest) and request.confirm:
            found.update(dict.fromkeys(request.lock_keys, call.asked_s))
    return found
