"""Parameters to messages and back."""

from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters, Parameters
from stillopen.core.purpose import CardKind
from stillopen.rpc.wire import duration_from, duration_to, money_to
from stillopen.v1 import types_pb2

_KINDS = {
    CardKind.GIFT_CARD: types_pb2.CARD_KIND_GIFT_CARD,
    CardKind.CREDIT_MEMO: types_pb2.CARD_KIND_CREDIT_MEMO,
}


def kind_to(kind: CardKind) -> types_pb2.CardKind.ValueType:
    """What a card is, as a number."""
    return _KINDS[kind]


def kind_from(number: types_pb2.CardKind.ValueType) -> CardKind:
    """What a card is; absent is a gift card."""
    credit_memo = number == types_pb2.CARD_KIND_CREDIT_MEMO
    return CardKind.CREDIT_MEMO if credit_memo else CardKind.GIFT_CARD


def parameters_to(parameters: Parameters) -> types_pb2.Parameters:
    """Parameters as a message."""
    return types_pb2.Parameters(
        version=parameters.version,
        currency_code=parameters.currency,
        gift_card=_cards_to(parameters.gift_card, parameters.currency),
        credit_memo=_cards_to(parameters.credit_memo, parameters.currency),
        journal_retention=duration_to(parameters.journal_retention_s),
    )


def parameters_from(message: types_pb2.Parameters) -> Parameters:
    """Parameters from a message; what an older sender does not say is as in `core`."""
    said = Parameters()
    return Parameters(
        version=message.version,
        currency=message.currency_code,
        gift_card=_cards_from(message.gift_card),
        credit_memo=(
            _cards_from(message.credit_memo)
            if message.HasField("credit_memo")
            else said.credit_memo
        ),
        journal_retention_s=(
            duration_from(message.journal_retention)
            if message.HasField("journal_retention")
            else said.journal_retention_s
        ),
    )


def _cards_to(card: CardParameters, currency: str) -> types_pb2.CardParameters:
    return types_pb2.CardParameters(
        allow_concluding_offline=card.allow_concluding_offline,
        conclude_within=duration_to(card.conclude_within_s),
        lease=duration_to(card.lease_s),
        grace=duration_to(card.grace_s),
        settle_margin=duration_to(card.settle_margin_s),
        hold_amount_only=card.hold_amount_only,
        cash_out_up_to=money_to(Money(currency, card.cash_out_up_to_minor)),
    )


def _cards_from(card: types_pb2.CardParameters) -> CardParameters:
    return CardParameters(
        allow_concluding_offline=card.allow_concluding_offline,
        conclude_within_s=duration_from(card.conclude_within),
        lease_s=duration_from(card.lease),
        grace_s=duration_from(card.grace),
        settle_margin_s=duration_from(card.settle_margin),
        hold_amount_only=card.hold_amount_only,
        cash_out_up_to_minor=card.cash_out_up_to.minor_units,
    )
