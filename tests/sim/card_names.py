"""Which card is meant by a number, an id, a key or an exception.

Cards are named by the SHA-256 of their number, as a memo is named before it is there.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.message import Message
from tests.sim.card_calls import CardCall

from stillopen.v1 import realtime_pb2


def name_of(number: str) -> str:
    """A card's name."""
    return hashlib.sha256(number.replace("-", "").replace(" ", "").encode()).hexdigest()


@dataclass(slots=True)
class Names:
    """What calls and answers tell of names. An id or a key never changes its card."""

    by_id: dict[str, str] = field(default_factory=dict[str, str])
    by_key: dict[bytes, str] = field(default_factory=dict[bytes, str])
    by_exception: dict[int, realtime_pb2.CardException] = field(
        default_factory=dict[int, realtime_pb2.CardException]
    )

    def elsewhere(self) -> "Names":
        """What of this holds in other lives of the server: numbers of exceptions do not."""
        return Names(dict(self.by_id), dict(self.by_key))

    def learn(self, call: CardCall, answer: Message | None) -> None:
        """Takes what a call tells."""
        match call.request, answer:
            case realtime_pb2.LockCardRequest() as asked, _:
                self.by_key[asked.lock_key] = name_of(asked.number)
                if isinstance(answer, realtime_pb2.LockCardResponse):
                    self.by_id[answer.lock.card_id] = name_of(asked.number)
            case (
                realtime_pb2.GetCardBalanceRequest() as asked,
                realtime_pb2.GetCardBalanceResponse() as told,
            ):
                self.by_id[told.card_id] = name_of(asked.number)
            case (
                realtime_pb2.ListCardEntriesRequest() as wanted,
                realtime_pb2.ListCardEntriesResponse() as ledger,
            ) if wanted.number:
                self.by_id[ledger.card_id] = name_of(wanted.number)
            case _, realtime_pb2.ListExceptionsResponse() as listed:
                self.by_exception |= {each.exception_id: each for each in listed.exceptions}
            case _, realtime_pb2.ResolveExceptionResponse() as resolved:
                exception = resolved.exception
                self.by_exception[exception.exception_id] = exception
            case _:
                pass

    def of_key(self, key: bytes) -> str:
        """The card of a lock; a key that was only ever unlocked is one of its own."""
        return self.by_key.get(key, f"key {key.hex()}")

    def of_id(self, card_id: str) -> str:
        """The card of an id; one that nobody asked for by its number is one of its own."""
        return self.by_id.get(card_id, f"id {card_id}")

    def of(self, number: str, card_id: str) -> str:
        """The card of a number, or else of an id."""
        return name_of(number) if number else self.of_id(card_id)

    def by_card(
        self, locks: Iterable[realtime_pb2.OpenLock]
    ) -> dict[str, list[realtime_pb2.CardLock]]:
        """Open locks by their card."""
        found: defaultdict[str, list[realtime_pb2.CardLock]] = defaultdict(list)
        for each in locks:
            found[self.of_key(each.lock.lock_key)].append(each.lock)
        return found
