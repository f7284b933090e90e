"""Sales to messages and back, and what a journal entry holds."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from stillopen.core.errors import invalid
from stillopen.core.money import Money
from stillopen.core.overrides import Override
from stillopen.core.purpose import CardKind
from stillopen.core.sale import (
    HeldCard,
    Line,
    Receipt,
    ReturnOf,
    Sale,
    SaleState,
    Tender,
    TenderKind,
    change_of,
)
from stillopen.core.settle import Operation
from stillopen.core.tax import Tax
from stillopen.rpc.wire import (
    money_from,
    money_to,
    permissions_from,
    permissions_to,
    time_from,
    time_to,
)
from stillopen.rpc.wire_card import memo_from, memo_to, purpose_from, purpose_to
from stillopen.v1 import types_pb2

_STATES = {
    SaleState.OPEN: types_pb2.SALE_STATE_OPEN,
    SaleState.SUSPENDED: types_pb2.SALE_STATE_SUSPENDED,
    SaleState.COMPLETED: types_pb2.SALE_STATE_COMPLETED,
    SaleState.VOIDED: types_pb2.SALE_STATE_VOIDED,
}
_STATES_BACK = {number: state for state, number in _STATES.items()}
_KINDS = {
    TenderKind.CASH: types_pb2.TENDER_KIND_CASH,
    TenderKind.GIFT_CARD: types_pb2.TENDER_KIND_GIFT_CARD,
    TenderKind.CREDIT_MEMO: types_pb2.TENDER_KIND_CREDIT_MEMO,
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}


def sale_to(sale: Sale) -> types_pb2.Sale:
    """A sale as a message, its sums included."""
    total, tendered = sale.total, sale.tendered
    due = total - tendered
    return types_pb2.Sale(
        transaction_id=sale.transaction_id,
        version=sale.version,
        state=_STATES[sale.state],
        store_id=sale.store_id,
        register_id=sale.register_id,
        staff_id=sale.staff_id,
        currency_code=sale.currency,
        lines=[_line_to(line) for line in sale.lines],
        tenders=[_tender_to(tender) for tender in sale.tenders],
        total=money_to(total),
        tendered=money_to(tendered),
        due=money_to(due),
        change=money_to(change_of(total, due)),
        tax=money_to(sale.tax),
        begin_time=time_to(sale.begin_wall_s),
        receipt=receipt_to(sale.receipt) if sale.receipt else None,
        recalled_from=sale.recalled_from,
        overrides=[_override_to(each) for each in sale.overrides],
        customer_id=sale.customer_id,
    )


def sale_from(message: types_pb2.Sale) -> Sale:
    """A sale from a message; its sums are computed, not believed."""
    if message.state not in _STATES_BACK:
        raise invalid("state", "not a state of a sale")
    return Sale(
        transaction_id=message.transaction_id,
        store_id=message.store_id,
        register_id=message.register_id,
        staff_id=message.staff_id,
        currency=message.currency_code,
        begin_wall_s=time_from(message.begin_time),
        version=message.version,
        state=_STATES_BACK[message.state],
        lines=tuple(_line_from(line) for line in message.lines),
        tenders=tuple(_tender_from(tender) for tender in message.tenders),
        receipt=_receipt_from(message.receipt) if message.HasField("receipt") else None,
        recalled_from=message.recalled_from,
        overrides=_overrides_from(message.overrides),
        customer_id=message.customer_id,
    )


def _override_to(override: Override) -> types_pb2.Override:
    [permission] = permissions_to(frozenset({override.permission}))
    return types_pb2.Override(
        permission=permission,
        staff_id=override.staff_id,
        reason=override.reason,
        time=time_to(override.wall_s),
    )


def _overrides_from(messages: Iterable[types_pb2.Override]) -> tuple[Override, ...]:
    """What others allowed; a permission that newer software knows allows nothing here."""
    return tuple(
        Override(permission, each.staff_id, each.reason, time_from(each.time))
        for each in messages
        for permission in permissions_from([each.permission])
    )


def return_from(message: types_pb2.ReturnOf) -> ReturnOf:
    """What a return line gives back, from a message."""
    return ReturnOf(message.reason, message.transaction_id, message.line_id)


def kind_from(number: types_pb2.TenderKind.ValueType) -> TenderKind:
    """A tender's kind from its number."""
    if number not in _KINDS_BACK:
        raise invalid("kind", "not a kind of tender")
    return _KINDS_BACK[number]


def receipt_to(receipt: Receipt) -> types_pb2.Receipt:
    """A receipt as a message."""
    return types_pb2.Receipt(
        receipt_number=receipt.receipt_number,
        register_id=receipt.register_id,
        epoch=receipt.epoch,
        sequence=receipt.sequence,
        digest_prefix=receipt.digest_prefix,
        time=time_to(receipt.wall_s),
        offline=receipt.offline,
    )


def _receipt_from(message: types_pb2.Receipt) -> Receipt:
    return Receipt(
        receipt_number=message.receipt_number,
        register_id=message.register_id,
        epoch=message.epoch,
        sequence=message.sequence,
        digest_prefix=message.digest_prefix,
        wall_s=time_from(message.time),
        offline=message.offline,
    )


def _line_to(line: Line) -> types_pb2.SaleLine:
    back = line.return_of
    return types_pb2.SaleLine(
        line_id=line.line_id,
        product_id=line.product_id,
        name=line.name,
        quantity_milli=line.quantity_milli,
        unit_price=money_to(line.unit_price),
        list_price=money_to(line.list_price),
        price_reason=line.price_reason,
        total=money_to(line.total),
        voided=line.voided,
        catalogue_sequence=line.catalogue_sequence,
        return_of=types_pb2.ReturnOf(
            reason=back.reason, transaction_id=back.transaction_id, line_id=back.line_id
        )
        if back
        else None,
        card=_card_to(line.card) if line.card else None,
        tax_group=line.tax.group,
        tax_percent_milli=line.tax.percent_milli,
        tax=money_to(line.tax_included) if line.tax.percent_milli else None,
    )


def _line_from(message: types_pb2.SaleLine) -> Line:
    return Line(
        line_id=message.line_id,
        product_id=message.product_id,
        name=message.name,
        quantity_milli=message.quantity_milli,
        unit_price=money_from(message.unit_price),
        list_price=money_from(message.list_price),
        catalogue_sequence=message.catalogue_sequence,
        price_reason=message.price_reason,
        return_of=return_from(message.return_of) if message.HasField("return_of") else None,
        voided=message.voided,
        card=_card_from(message.card) if message.HasField("card") else None,
        tax=Tax(message.tax_group, message.tax_percent_milli),
    )


def _card_to(card: HeldCard) -> types_pb2.HeldCard:
    return types_pb2.HeldCard(
        lock_key=card.lock_key,
        card_id=card.card_id,
        last_four=card.last_four,
        balance=money_to(card.balance),
        purpose=purpose_to(card.purpose),
        new_memo=memo_to(card.new_memo),
    )


def _card_from(message: types_pb2.HeldCard) -> HeldCard:
    return HeldCard(
        message.lock_key,
        message.card_id,
        message.last_four,
        money_from(message.balance),
        purpose_from(message.purpose),
        memo_from(message.new_memo) if message.HasField("new_memo") else None,
    )


def _tender_to(tender: Tender) -> types_pb2.Tender:
    return types_pb2.Tender(
        line_id=tender.line_id,
        kind=_KINDS[tender.kind],
        amount=money_to(tender.amount),
        voided=tender.voided,
        card=_card_to(tender.card) if tender.card else None,
    )


def _tender_from(message: types_pb2.Tender) -> Tender:
    return Tender(
        message.line_id,
        kind_from(message.kind),
        money_from(message.amount),
        _card_from(message.card) if message.HasField("card") else None,
        message.voided,
    )


@dataclass(frozen=True, slots=True)
class Unlock:
    """A journal entry's word that a lock was given up."""

    lock_key: bytes
    transaction_id: str


Record = Sale | Unlock
"""What a journal entry tells."""


def record_from(payload: bytes) -> Record:
    """What the entry tells; Misuse INVALID_ARGUMENT when this version cannot read it."""
    return record_of(message_from(payload))


def message_from(payload: bytes) -> types_pb2.JournalRecord:
    """An entry's bytes as a message; Misuse INVALID_ARGUMENT when they are none."""
    try:
        return types_pb2.JournalRecord.FromString(payload)
    except DecodeError:
        raise invalid("payload", "not a journal record") from None


def record_of(message: types_pb2.JournalRecord) -> Record:
    """What the message tells; Misuse INVALID_ARGUMENT when this version does not know it."""
    match message.WhichOneof("record"):
        case "sale":
            sale = sale_from(message.sale)
            if sale.state not in {SaleState.COMPLETED, SaleState.VOIDED}:
                raise invalid("payload", f"a journal holds no {sale.state} sale")
            return sale
        case "unlock":
            return Unlock(message.unlock.lock_key, message.unlock.transaction_id)
        case _:
            raise invalid("payload", "a kind of record this version does not know")


def operations_of(sale: Sale) -> list[Operation]:
    """The card operations of a completed sale."""
    if sale.state is not SaleState.COMPLETED:
        return []
    lines = [
        _operation(sale, x.line_id, x.card, x.total, CardKind.GIFT_CARD)
        for x in sale.lines
        if x.card and not x.voided
    ]
    tenders = [
        _operation(sale, t.line_id, t.card, t.amount, t.kind.card_kind)
        for t in sale.live_tenders
        if t.card
    ]
    return lines + tenders


def _operation(
    sale: Sale, line_id: str, card: HeldCard, amount: Money, kind: CardKind
) -> Operation:
    absolute = amount if amount.minor > 0 else -amount
    return Operation(
        sale.transaction_id,
        line_id,
        card.lock_key,
        card.card_id,
        absolute,
        card.purpose,
        kind,
        card.new_memo,
    )
