"""A sale that was concluded alone for longer than its locks allowed is found."""

import pytest
from tests.sim.card_calls import CardCall
from tests.sim.concluding import concluded_too_late
from tests.sim.history import Event, Kind
from tests.sim.world import money

from stillopen.v1 import realtime_pb2, types_pb2

KEY = b"k" * 16
NAME = "a sale"


def sale(state: types_pb2.SaleState.ValueType) -> types_pb2.Sale:
    card = types_pb2.HeldCard(lock_key=KEY, card_id="C")
    tender = types_pb2.Tender(line_id="T1", amount=money(100), card=card)
    return types_pb2.Sale(transaction_id=NAME, state=state, tenders=[tender])


def events(completed_s: float) -> list[Event]:
    """A card comes on the sale at second 10; later it is completed."""
    paid, done = sale(types_pb2.SALE_STATE_OPEN), sale(types_pb2.SALE_STATE_COMPLETED)
    return [
        Event(10.0, "R1", Kind.ANSWERED, NAME, 2, "AddTender", paid),
        Event(completed_s, "R1", Kind.SENT, NAME, 2, "Complete"),
        Event(completed_s + 1, "R1", Kind.ANSWERED, NAME, 3, "Complete", done),
    ]


def locked(within_s: int) -> CardCall:
    lock = realtime_pb2.CardLock(lock_key=KEY)
    lock.conclude_within.seconds = within_s
    answer = realtime_pb2.LockCardResponse(lock=lock).SerializeToString()
    request = realtime_pb2.LockCardRequest(lock_key=KEY)
    return CardCall("LockCard", "R1", request, 0, 1, 9.5, 2, 9.6, answer)


def confirmed(asked_s: float) -> CardCall:
    request = realtime_pb2.RenewLocksRequest(lock_keys=[KEY], confirm=True)
    return CardCall("RenewLocks", "R1", request, 0, 3, asked_s)


@pytest.mark.parametrize(
    ("completed_s", "calls", "times"),
    [
        (14.0, [locked(5)], 0),
        (16.0, [locked(5)], 1),
        (10.1, [locked(0)], 1),
        (16.0, [locked(5), confirmed(16.5)], 0),
        (16.0, [locked(5), confirmed(11.0)], 1),
        (16.0, [], 0),
    ],
)
def test_a_sale_is_concluded_alone_only_within_what_its_lock_allowed(
    completed_s: float, calls: list[CardCall], times: int
) -> None:
    assert len(list(concluded_too_late(events(completed_s), calls))) == times
