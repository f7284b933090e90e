"""Sales, locks, card operations and journal records as messages."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.card_cases import ON, card_with, granted, key_of, operation_of, request_of
from tests.support.sale_cases import APPLE, SALE, card_of, eur

from stillopen.core.card import EndReason, Lock, LockState, tombstone
from stillopen.core.errors import Misuse, Reason
from stillopen.core.money import Money
from stillopen.core.overrides import Override
from stillopen.core.permissions import Permission
from stillopen.core.sale import (
    HeldCard,
    Line,
    Receipt,
    ReturnOf,
    Sale,
    SaleState,
    Tender,
    TenderKind,
    add_line,
    complete,
    void,
)
from stillopen.core.settle import Operation
from stillopen.core.tender import add_card, add_cash, void_tender
from stillopen.rpc.wire_card import lock_to, operation_from, operation_to
from stillopen.rpc.wire_sale import (
    Unlock,
    kind_from,
    operations_of,
    record_from,
    return_from,
    sale_from,
    sale_to,
)
from stillopen.v1 import realtime_pb2, types_pb2

TEXT = st.text(max_size=20)
MINOR = st.integers(-(10**15), 10**15)
MONEY = st.builds(Money, st.just("EUR"), MINOR)
UINT = st.integers(0, 2**63)
WALL = st.integers(0, 2**32).map(float)
BYTES = st.binary(max_size=32)
LINES = st.builds(
    Line,
    line_id=TEXT,
    product_id=TEXT,
    name=TEXT,
    quantity_milli=st.integers(-1000, 1000),
    unit_price=MONEY,
    list_price=MONEY,
    catalogue_sequence=UINT,
    price_reason=TEXT,
    return_of=st.none() | st.builds(ReturnOf, TEXT, TEXT, TEXT),
    voided=st.booleans(),
)
TENDERS = st.builds(
    Tender,
    line_id=TEXT,
    kind=st.sampled_from(TenderKind),
    amount=MONEY,
    card=st.none() | st.builds(HeldCard, BYTES, TEXT, TEXT, MONEY),
    voided=st.booleans(),
)
RECEIPTS = st.builds(Receipt, TEXT, TEXT, UINT, UINT, TEXT, WALL, st.booleans())
OVERRIDES = st.builds(Override, st.sampled_from(Permission), TEXT, TEXT, WALL)
SALES = st.builds(
    Sale,
    transaction_id=TEXT,
    store_id=TEXT,
    register_id=TEXT,
    staff_id=TEXT,
    currency=st.just("EUR"),
    begin_wall_s=WALL,
    version=UINT,
    state=st.sampled_from(SaleState),
    lines=st.lists(LINES, max_size=4).map(tuple),
    tenders=st.lists(TENDERS, max_size=4).map(tuple),
    receipt=st.none() | RECEIPTS,
    overrides=st.lists(OVERRIDES, max_size=3).map(tuple),
    customer_id=TEXT,
)


@given(SALES)
def test_sales_across_serialization(sale: Sale) -> None:
    sent = sale_to(sale).SerializeToString()
    assert sale_from(types_pb2.Sale.FromString(sent)) == sale


@given(SALES)
def test_a_message_carries_the_sums_and_they_are_not_believed(sale: Sale) -> None:
    message = sale_to(sale)
    assert message.total.minor_units == sale.total.minor
    assert message.due.minor_units == sale.due.minor
    message.due.minor_units = message.total.minor_units = 4711
    assert sale_from(message) == sale


def test_a_state_or_kind_of_a_later_version_is_refused() -> None:
    message = sale_to(SALE)
    message.state = types_pb2.SALE_STATE_UNSPECIFIED
    with pytest.raises(Misuse):
        sale_from(message)
    with pytest.raises(Misuse):
        kind_from(types_pb2.TENDER_KIND_UNSPECIFIED)


@given(st.builds(ReturnOf, TEXT, TEXT, TEXT))
def test_what_is_given_back(back: ReturnOf) -> None:
    message = types_pb2.ReturnOf(
        reason=back.reason, transaction_id=back.transaction_id, line_id=back.line_id
    )
    assert return_from(message) == back


HELD = granted(request_of(1, 500), card_with(1_000), [], 100.0, ON)


@pytest.mark.parametrize(
    ("lock", "state", "blocks_s"),
    [
        (HELD, realtime_pb2.LOCK_STATE_OPEN, HELD.until_s - 150.0),
        (replace(HELD, until_s=150.0), realtime_pb2.LOCK_STATE_OPEN, 0),
        (replace(HELD, state=LockState.SETTLED), realtime_pb2.LOCK_STATE_SETTLED, 0),
        (HELD.ended(EndReason.LAPSED), realtime_pb2.LOCK_STATE_ENDED, 0),
        (tombstone(key_of(1), "R1", EndReason.REFUSED), realtime_pb2.LOCK_STATE_ENDED, 0),
    ],
    ids=["blocking", "lapsed", "settled", "ended", "tombstone"],
)
def test_a_lock_is_told_as_it_is_now_and_in_spans(
    lock: Lock, state: realtime_pb2.LockState.ValueType, blocks_s: float
) -> None:
    message = lock_to(lock, 150.0, "4321", eur(1_000))
    assert message.state == state
    assert (message.lock_key, message.end_reason) == (lock.lock_key, lock.end_reason)
    assert (message.card_id, message.last_four) == (lock.card_id, "4321")
    assert message.blocks_for.seconds == blocks_s
    assert message.conclude_within.seconds == lock.terms_s
    assert message.balance.minor_units == 1_000
    assert not lock_to(lock, 150.0).HasField("balance")


@given(st.builds(Operation, st.just("tx"), TEXT, st.binary(min_size=16, max_size=16), TEXT, MONEY))
def test_operations(operation: Operation) -> None:
    message = operation_to(operation)
    if operation.amount.minor > 0:
        assert operation_from(message, "tx") == operation
        assert operation_from(message, "tx").digest() == operation.digest()
    else:
        with pytest.raises(Misuse):
            operation_from(message, "tx")


def test_an_operation_of_another_purpose_or_without_a_key_is_refused() -> None:
    for damage in ("purpose", "lock_key"):
        message = operation_to(operation_of(1, 5))
        if damage == "purpose":
            message.purpose = cast("types_pb2.CardPurpose.ValueType", 99)
        else:
            message.ClearField("lock_key")
        with pytest.raises(Misuse) as refusal:
            operation_from(message, "tx")
        assert refusal.value.field == damage


def test_an_operation_of_older_software_is_a_redemption() -> None:
    message = operation_to(operation_of(1, 5))
    message.ClearField("purpose")
    message.ClearField("kind")
    assert operation_from(message, "sale-1") == operation_of(1, 5)


PAID = add_card(add_line(SALE, APPLE, 3000, 7), eur(200), card_of(1))
DONE = complete(add_cash(PAID, eur(150)))


@pytest.mark.parametrize("sale", [DONE, void(PAID)], ids=["completed", "voided"])
def test_a_journal_tells_final_sales(sale: Sale) -> None:
    record = types_pb2.JournalRecord(sale=sale_to(sale))
    assert record_from(record.SerializeToString()) == sale


def test_a_journal_tells_unlocks() -> None:
    unlock = types_pb2.CardUnlock(lock_key=key_of(1), transaction_id="tx")
    record = types_pb2.JournalRecord(unlock=unlock)
    assert record_from(record.SerializeToString()) == Unlock(key_of(1), "tx")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff" * 10,
        types_pb2.JournalRecord(receipt_number="1").SerializeToString(),
        types_pb2.JournalRecord(sale=sale_to(PAID)).SerializeToString(),
        types_pb2.JournalRecord(sale=types_pb2.Sale()).SerializeToString(),
    ],
    ids=["empty", "noise", "nothing", "open sale", "no sale"],
)
def test_what_this_version_cannot_read_is_refused_not_guessed(payload: bytes) -> None:
    with pytest.raises(Misuse) as refusal:
        record_from(payload)
    assert refusal.value.reason is Reason.INVALID_ARGUMENT


def test_a_completed_sale_carries_one_operation_for_each_card() -> None:
    twice = add_card(void_tender(PAID, "T1"), eur(100), card_of(1))
    sale = complete(add_card(twice, eur(200), card_of(2)))
    assert operations_of(sale) == [
        Operation(sale.transaction_id, "T2", card_of(1).lock_key, "card-1", eur(100)),
        Operation(sale.transaction_id, "T3", card_of(2).lock_key, "card-2", eur(200)),
    ]


@pytest.mark.parametrize("sale", [PAID, void(PAID)], ids=["open", "voided"])
def test_no_other_sale_moves_money(sale: Sale) -> None:
    assert operations_of(sale) == []
