"""What a till does with cards besides paying: it sells and reloads them, gives back, asks."""

from dataclasses import replace
from pathlib import Path

from tests.support.estate import Estate
from tests.support.estate_parts import ME, eur
from tests.support.estate_till import TIMEOUT_S, Till

from stillopen.core.parameters import CardParameters
from stillopen.rpc.status import call
from stillopen.v1 import register_pb2, types_pb2

GIFT_CARD = types_pb2.CARD_KIND_GIFT_CARD
CREDIT_MEMO = types_pb2.CARD_KIND_CREDIT_MEMO
ISSUE = types_pb2.CARD_PURPOSE_ISSUE
RELOAD = types_pb2.CARD_PURPOSE_RELOAD
CASH_OUT = types_pb2.CARD_PURPOSE_CASH_OUT
BACK = types_pb2.ReturnOf(reason="too small")

Sale = types_pb2.Sale


def card_line_of(
    sale: Sale,
    purpose: types_pb2.CardPurpose.ValueType,
    number: str,
    minor: int | None = None,
) -> register_pb2.AddCardLineRequest:
    """A request to sell, reload or cash out a gift card."""
    return register_pb2.AddCardLineRequest(
        transaction_id=sale.transaction_id,
        version=sale.version,
        purpose=purpose,
        amount=None if minor is None else eur(minor),
        card_number=number,
    )


async def card_line(
    till: Till,
    sale: Sale,
    purpose: types_pb2.CardPurpose.ValueType,
    number: str,
    minor: int | None = None,
) -> Sale:
    """Sells, reloads or cashes out a gift card."""
    request = card_line_of(sale, purpose, number, minor)
    return (await call(till.stub.AddCardLine, request, ME, TIMEOUT_S)).sale


def tender_of(
    sale: Sale, kind: types_pb2.TenderKind.ValueType, minor: int, number: str = ""
) -> register_pb2.AddTenderRequest:
    """A request to pay, or to give back."""
    return register_pb2.AddTenderRequest(
        transaction_id=sale.transaction_id,
        version=sale.version,
        kind=kind,
        amount=eur(minor),
        card_number=number,
    )


async def tender(
    till: Till, sale: Sale, kind: types_pb2.TenderKind.ValueType, minor: int, number: str = ""
) -> Sale:
    """Pays, or gives back, with any kind."""
    request = tender_of(sale, kind, minor, number)
    return (await call(till.stub.AddTender, request, ME, TIMEOUT_S)).sale


async def memo_tender(till: Till, sale: Sale, number: str = "", minor: int | None = None) -> Sale:
    """Pays with a credit memo, or issues one when money is to be given back."""
    amount = sale.due.minor_units if minor is None else minor
    return await tender(till, sale, types_pb2.TENDER_KIND_CREDIT_MEMO, amount, number)


async def refund(till: Till, sale: Sale, number: str, minor: int | None = None) -> Sale:
    """Gives what is due back onto a gift card."""
    amount = sale.due.minor_units if minor is None else minor
    return await tender(till, sale, types_pb2.TENDER_KIND_GIFT_CARD, amount, number)


async def brought_back(till: Till, quantity_milli: int = 3_000) -> Sale:
    """An open sale in which apples come back: three are 3.00 to be given out."""
    return await till.line(await till.begin(), quantity_milli=-quantity_milli, return_of=BACK)


async def issued(till: Till, number: str, minor: int) -> Sale:
    """A gift card, sold for cash."""
    sale = await card_line(till, await till.begin(), ISSUE, number, minor)
    return await till.complete(await till.cash(sale))


async def given_memo(till: Till, quantity_milli: int = 3_000) -> str:
    """The number of a credit memo that was given for apples; 3.00 for three."""
    sale = await memo_tender(till, await brought_back(till, quantity_milli))
    return number_printed(await till.complete(sale))


def number_printed(sale: Sale) -> str:
    """The number of the one memo that the completed sale made."""
    [number] = [t.card.new_memo.number for t in sale.tenders if t.card.new_memo.number]
    return number


async def card_seen(
    till: Till, number: str, kind: types_pb2.CardKind.ValueType = GIFT_CARD
) -> register_pb2.RegisterServiceGetCardBalanceResponse:
    """What the register says of a card."""
    request = register_pb2.RegisterServiceGetCardBalanceRequest(card_number=number, kind=kind)
    return await call(till.stub.GetCardBalance, request, ME, TIMEOUT_S)


async def unlock(
    till: Till,
    number: str,
    word: types_pb2.ManagerWord | None,
    kind: types_pb2.CardKind.ValueType = GIFT_CARD,
    *,
    force: bool = False,
) -> int:
    """Ends what holds a card on a manager's word."""
    request = register_pb2.RegisterServiceUnlockCardRequest(
        card_number=number, kind=kind, manager=word, force=force
    )
    return (await call(till.stub.UnlockCard, request, ME, TIMEOUT_S)).ended


async def set_cards(
    estate: Estate,
    *,
    gift_card: CardParameters | None = None,
    credit_memo: CardParameters | None = None,
) -> None:
    """Changes the parameters of a kind of card; in effect with the next lock."""
    now = await estate.people.parameters()
    wanted = replace(
        now,
        gift_card=gift_card or now.gift_card,
        credit_memo=credit_memo or now.credit_memo,
    )
    await estate.people.set_parameters(wanted)


def forms_of(number: str) -> set[str]:
    """How a number may be written."""
    bare = number.replace("-", "")
    return {number, bare, number.lower(), bare.lower()}


def files_holding(folder: Path, number: str) -> set[str]:
    """The names of the files below the folder in which a number can be read."""
    forms = [form.encode() for form in forms_of(number)]
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {each.name for each in files if any(form in each.read_bytes() for form in forms)}
