"""Which locks keep more than the parameters now allow, and for how long at most."""

from stillopen.core.parameters import CardParameters, Parameters
from stillopen.headquarters.older_terms import OlderTerms, with_older_terms
from stillopen.rpc.wire import duration_to
from stillopen.v1 import realtime_pb2, types_pb2

HOUR_S = 3_600.0
OFF = Parameters()


def on(hours: float) -> Parameters:
    """Gift cards may be concluded offline for so long."""
    return Parameters(gift_card=CardParameters(True, hours * HOUR_S))  # noqa: FBT003


def lock(
    terms_h: float,
    blocks_h: float = 72,
    kind: types_pb2.CardKind.ValueType = types_pb2.CARD_KIND_GIFT_CARD,
) -> realtime_pb2.OpenLock:
    """An open lock."""
    return realtime_pb2.OpenLock(
        lock=realtime_pb2.CardLock(
            conclude_within=duration_to(terms_h * HOUR_S),
            blocks_for=duration_to(blocks_h * HOUR_S),
            kind=kind,
        )
    )


def test_without_locks_nothing_is_left() -> None:
    assert with_older_terms([], OFF) == OlderTerms(0, 0.0)


def test_locks_that_allow_more_are_counted_and_those_that_do_not_are_not() -> None:
    locks = [lock(8), lock(4), lock(2), lock(0)]
    assert with_older_terms(locks, on(2)) == OlderTerms(2, 8 * HOUR_S)
    assert with_older_terms(locks, OFF) == OlderTerms(3, 8 * HOUR_S)
    assert with_older_terms(locks, on(8)) == OlderTerms(0, 0.0)


def test_a_lock_that_blocks_for_less_long_bounds_what_is_left_of_its_terms() -> None:
    assert with_older_terms([lock(8, blocks_h=3)], OFF) == OlderTerms(1, 3 * HOUR_S)


def test_a_lock_that_lapsed_has_nothing_left() -> None:
    assert with_older_terms([lock(8, blocks_h=0)], OFF) == OlderTerms(0, 0.0)


def test_each_kind_of_card_is_compared_with_its_own_terms() -> None:
    memo = lock(8, kind=types_pb2.CARD_KIND_CREDIT_MEMO)
    assert with_older_terms([lock(8), memo], on(8)) == OlderTerms(1, 8 * HOUR_S)
