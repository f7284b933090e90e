"""Importing cards: creates them, never changes one; repeated, it finishes what was begun."""

from collections.abc import AsyncIterator, Iterable

from stillopen.core.card_number import read_number
from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.ids import check_id
from stillopen.core.money import Money, check_money
from stillopen.core.purpose import CardKind
from stillopen.realtime.store import CardRow, CardStore
from stillopen.rpc.context import Context
from stillopen.rpc.importing import check_whole, collect, refuse
from stillopen.rpc.wire import money_from
from stillopen.rpc.wire_parameters import kind_from
from stillopen.v1 import realtime_pb2, types_pb2


async def import_cards(
    store: CardStore,
    requests: AsyncIterator[realtime_pb2.ImportCardsRequest],
    context: Context,
) -> types_pb2.ImportReport:
    """Creates the cards of the stream, a few hundred at a time, and reports row by row."""
    import_id = ""

    async def batches() -> AsyncIterator[Iterable[realtime_pb2.CardRow]]:
        nonlocal import_id
        async for request in requests:
            import_id = import_id or check_id(request.import_id, "import_id")
            yield request.rows

    rows, report = await collect(batches(), _check)
    await check_whole(context)
    if not import_id:
        raise invalid("import_id", "missing")
    cards = [CardRow(row, *card) for row, card in rows]
    taken = await store.create(import_id, cards)
    for row in taken:
        error = Refused(Reason.ALREADY_EXISTS, "the card exists and is not changed", "number")
        refuse(report, row, error)
    report.accepted -= len(taken)
    return report


def _check(row: realtime_pb2.CardRow) -> tuple[str, Money, CardKind]:
    money = check_money(money_from(row.balance), "balance")
    if money.minor < 0:
        raise invalid("balance", "must not be negative")
    kind = kind_from(row.kind)
    return read_number(row.number, kind), money, kind
