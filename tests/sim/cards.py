"""What the tills of a scene do with cards besides paying, and what headquarters says of them."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from tests.sim.scene import ANSWER_S, Scene, Till
from tests.sim.world import CURRENCY, OFFICE, money

from stillopen.core.parameters import CardParameters, Parameters
from stillopen.rpc.status import call, send_all
from stillopen.rpc.wire_parameters import parameters_from, parameters_to
from stillopen.v1 import headquarters_pb2, realtime_pb2, register_pb2, types_pb2

GIFT_CARD = types_pb2.CARD_KIND_GIFT_CARD
CREDIT_MEMO = types_pb2.CARD_KIND_CREDIT_MEMO
ISSUE = types_pb2.CARD_PURPOSE_ISSUE
RELOAD = types_pb2.CARD_PURPOSE_RELOAD
CASH_OUT = types_pb2.CARD_PURPOSE_CASH_OUT
PRICE = 101
"""What one P0 costs."""
Sale = types_pb2.Sale


async def card_line(
    till: Till,
    sale: Sale,
    purpose: types_pb2.CardPurpose.ValueType,
    number: str,
    minor: int | None = None,
) -> Sale:
    """Sells, reloads or cashes out a gift card."""
    request = register_pb2.AddCardLineRequest(
        transaction_id=sale.transaction_id,
        version=sale.version,
        purpose=purpose,
        amount=None if minor is None else money(minor),
        card_number=number,
    )
    return (await call(till.stub.AddCardLine, request, OFFICE, ANSWER_S)).sale


async def memo(till: Till, sale: Sale, number: str = "", minor: int | None = None) -> Sale:
    """Pays with a credit memo, or gives one."""
    request = register_pb2.AddTenderRequest(
        transaction_id=sale.transaction_id,
        version=sale.version,
        kind=types_pb2.TENDER_KIND_CREDIT_MEMO,
        amount=sale.due if minor is None else money(minor),
        card_number=number,
    )
    return (await call(till.stub.AddTender, request, OFFICE, ANSWER_S)).sale


async def brought_back(till: Till, pieces: int = 1) -> Sale:
    """An open sale in which goods come back."""
    sale = await till.begin()
    request = register_pb2.AddLineRequest(
        transaction_id=sale.transaction_id,
        version=sale.version,
        code="P0",
        quantity_milli=-1_000 * pieces,
        return_of=types_pb2.ReturnOf(reason="torn"),
    )
    return (await call(till.stub.AddLine, request, OFFICE, ANSWER_S)).sale


async def given_memo(till: Till, pieces: int = 5) -> str:
    """The number of a memo that was given for goods."""
    return printed(await till.complete(await memo(till, await brought_back(till, pieces))))


async def rung_up(till: Till, pieces: int = 1) -> Sale:
    """An open sale of so many pieces."""
    sale = await till.begin()
    request = register_pb2.AddLineRequest(
        transaction_id=sale.transaction_id,
        version=sale.version,
        code="P0",
        quantity_milli=1_000 * pieces,
    )
    return (await call(till.stub.AddLine, request, OFFICE, ANSWER_S)).sale


async def touched(till: Till, sale: Sale) -> Sale:
    """The same sale, after the cashier rang something up and took it off."""
    more = await till.line(sale)
    request = register_pb2.VoidLineRequest(
        transaction_id=more.transaction_id,
        version=more.version,
        line_id=more.lines[-1].line_id,
    )
    return (await call(till.stub.VoidLine, request, OFFICE, ANSWER_S)).sale


async def voided(till: Till, sale: Sale) -> Sale:
    """The sale, given up."""
    request = register_pb2.VoidRequest(transaction_id=sale.transaction_id, version=sale.version)
    return (await call(till.stub.Void, request, OFFICE, ANSWER_S)).sale


async def switch(till: Till, *, connect: bool) -> None:
    """Operation 917."""
    request = register_pb2.SwitchConnectionRequest(connect=connect)
    await call(till.stub.SwitchConnection, request, OFFICE, ANSWER_S)


def printed(sale: Sale) -> str:
    """The number of the one memo that a completed sale made."""
    [number] = [t.card.new_memo.number for t in sale.tenders if t.card.new_memo.number]
    return number


async def seen(
    till: Till, number: str, kind: types_pb2.CardKind.ValueType = GIFT_CARD
) -> register_pb2.RegisterServiceGetCardBalanceResponse:
    """What a register says of a card."""
    request = register_pb2.RegisterServiceGetCardBalanceRequest(card_number=number, kind=kind)
    return await call(till.stub.GetCardBalance, request, OFFICE, ANSWER_S)


async def ledger(scene: Scene, number: str) -> list[tuple[str, int]]:
    """The entries of a card."""
    request = realtime_pb2.ListCardEntriesRequest(number=number)
    answer = await call(scene.estate.cards.ListCardEntries, request, OFFICE, ANSWER_S)
    entries = [(each.kind, each.amount.minor_units) for each in answer.entries]
    assert answer.balance.minor_units == sum(minor for _, minor in entries)
    return entries


async def card_state(scene: Scene, number: str) -> str:
    """Where a card stands at headquarters."""
    request = realtime_pb2.ListCardEntriesRequest(number=number)
    return (await call(scene.estate.cards.ListCardEntries, request, OFFICE, ANSWER_S)).state


async def person_ends(
    scene: Scene,
    number: str,
    kind: types_pb2.CardKind.ValueType = GIFT_CARD,
    *,
    force: bool = True,
) -> None:
    """Somebody at headquarters ends what holds a card."""
    request = realtime_pb2.UnlockCardRequest(
        number=number, kind=kind, reason="the customer called", force=force
    )
    await call(scene.estate.cards.UnlockCard, request, OFFICE, ANSWER_S)


async def resolve(scene: Scene, *, apply: bool) -> None:
    """Somebody at headquarters resolves the one exception there is."""
    [each] = await scene.exceptions()
    resolution = (
        realtime_pb2.EXCEPTION_RESOLUTION_APPLIED
        if apply
        else realtime_pb2.EXCEPTION_RESOLUTION_WRITTEN_OFF
    )
    request = realtime_pb2.ResolveExceptionRequest(
        exception_id=each.exception_id, resolution=resolution, note="looked at"
    )
    await call(scene.estate.cards.ResolveException, request, OFFICE, ANSWER_S)


async def adjusted(scene: Scene, number: str, minor: int) -> None:
    """Somebody at headquarters adds to a card, or takes away."""
    request = realtime_pb2.AdjustCardRequest(
        number=number, change=money(minor), reason="counted again", adjustment_id=f"by{minor}"
    )
    await call(scene.estate.cards.AdjustCard, request, OFFICE, ANSWER_S)


async def set_both(scene: Scene, gift_card: CardParameters, credit_memo: CardParameters) -> None:
    """Changes the parameters of both kinds."""
    request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
    stub = scene.estate.headquarters
    now = parameters_from((await call(stub.GetParameters, request, OFFICE, ANSWER_S)).parameters)
    wanted = Parameters(now.version, CURRENCY, gift_card, credit_memo)
    update = headquarters_pb2.UpdateParametersRequest(parameters=parameters_to(wanted))
    await call(stub.UpdateParameters, update, OFFICE, ANSWER_S)


async def import_cards(scene: Scene, *cards: tuple[str, int]) -> types_pb2.ImportReport:
    """Imports cards, as a person who does it again."""
    rows = [realtime_pb2.CardRow(number=number, balance=money(minor)) for number, minor in cards]

    async def requests() -> AsyncIterator[realtime_pb2.ImportCardsRequest]:
        yield realtime_pb2.ImportCardsRequest(import_id="again", rows=rows)

    return (await send_all(scene.estate.cards.ImportCards, requests(), OFFICE, ANSWER_S)).report


def image_of(scene: Scene, name: str) -> Path:
    """A copy of all that a machine that is off has on its disk."""
    copy = scene.estate.folder / f"image of {name}"
    shutil.copytree(scene.estate.folder / name, copy)
    return copy


def restore(scene: Scene, name: str, image: Path) -> None:
    """Puts the image back on the disk of a machine that is off."""
    shutil.rmtree(scene.estate.folder / name)
    shutil.copytree(image, scene.estate.folder / name)
