"""What the cashier of the crash tests does: one script for each kind of sale."""

from tests.processes.cashier import Cashier
from tests.support.estate_parts import GIFT, eur
from tests.support.estate_parts import SECOND as OTHER_GIFT

from stillopen.v1 import types_pb2

FIRST, SECOND, THIRD = "1" * 32, "2" * 32, "3" * 32
BY_CARD = 300


async def gift_card(cashier: Cashier) -> None:
    """A sale partly paid by gift card; one whose gift card is taken back, and that is given up."""
    till = cashier.till
    sale = await cashier.write(lambda: till.begin(FIRST))
    sale = await cashier.on(sale, lambda s: till.line(s, "APPLE", 2_000))
    sale = await cashier.on(sale, lambda s: till.line(s, "4002", 1_000))
    sale = await cashier.on(sale, lambda s: till.card(s, eur(BY_CARD)))
    sale = await cashier.on(sale, till.cash)
    await cashier.complete(sale)
    await cashier.surely(lambda: till.until(lambda s: s.waiting_entries == 0))
    sale = await cashier.write(lambda: till.begin(SECOND))
    sale = await cashier.on(sale, lambda s: till.line(s, "PEAR", 2_000))
    sale = await cashier.on(sale, lambda s: till.card(s, number=GIFT))
    sale = await cashier.on(sale, lambda s: till.void_tender(s, "T1"))
    await cashier.on(sale, till.void)


async def two_cards(cashier: Cashier) -> None:
    """A sale paid by two gift cards and cash."""
    till = cashier.till
    sale = await cashier.write(lambda: till.begin(FIRST))
    sale = await cashier.on(sale, lambda s: till.line(s, "APPLE", 5_000))
    sale = await cashier.on(sale, lambda s: till.card(s, eur(100)))
    sale = await cashier.on(sale, lambda s: till.card(s, eur(150), OTHER_GIFT))
    sale = await cashier.on(sale, till.cash)
    await cashier.complete(sale)


async def memo(cashier: Cashier) -> None:
    """A return to a memo, a sale that redeems it in part, and one that redeems the remainder."""
    till = cashier.till
    reason = types_pb2.ReturnOf(reason="bruised")
    sale = await cashier.write(lambda: till.begin(FIRST))
    sale = await cashier.on(sale, lambda s: till.line(s, "APPLE", -3_000, return_of=reason))
    sale = await cashier.on(sale, till.memo)
    number = number_on(await cashier.complete(sale))
    cashier.memos[number] = 0
    await cashier.home()
    sale = await cashier.write(lambda: till.begin(SECOND))
    sale = await cashier.on(sale, lambda s: till.line(s, "APPLE", 2_000))
    sale = await cashier.on(sale, lambda s: till.memo(s, number=number))
    number = number_on(await cashier.complete(sale))
    cashier.memos[number] = 0
    await cashier.home()
    sale = await cashier.write(lambda: till.begin(THIRD))
    sale = await cashier.on(sale, lambda s: till.line(s, "APPLE", 4_000))
    sale = await cashier.on(sale, lambda s: till.memo(s, eur(60), number))
    sale = await cashier.on(sale, till.cash)
    cashier.memos[number_on(await cashier.complete(sale))] = 40


async def suspended(cashier: Cashier) -> None:
    """A sale that is suspended, handed to the channel, recalled and completed."""
    till = cashier.till
    sale = await cashier.write(lambda: till.begin(FIRST))
    sale = await cashier.on(sale, lambda s: till.line(s, "APPLE", 2_000))
    await cashier.suspend(sale)
    sale = await cashier.write(lambda: till.recall(FIRST, SECOND))
    sale = await cashier.on(sale, lambda s: till.line(s, "PEAR", 1_000))
    sale = await cashier.on(sale, till.cash)
    await cashier.complete(sale)


def number_on(sale: types_pb2.Sale) -> str:
    """The number of the memo that a sale made, as it is printed."""
    [number] = [t.card.new_memo.number for t in sale.tenders if t.card.new_memo.number]
    return number


SCRIPTS = {"gift card": gift_card, "two cards": two_cards, "memo": memo, "suspended": suspended}
