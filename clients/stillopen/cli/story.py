"""The demo's story: two gift-card sales that lose their channel, with the moments measured."""

import asyncio
from pathlib import Path

from stillopen.cli import terminal
from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate, import_master_data
from stillopen.cli.frontend import Frontend, delivered, ready
from stillopen.cli.sample import sample_cards, sample_products
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters, OfflineProfile
from stillopen.rpc.wire import money_from
from stillopen.v1 import register_pb2, types_pb2

CURRENCY = "EUR"
CARDS = ("6001000000000001", "6001000000000002")
CARD_PAYS_MINOR = 1000
STATE_TIMEOUT_S = 30.0


class Timeline:
    """What happened when, in seconds since the beginning."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self.measured: list[tuple[str, str]] = []

    def now_s(self) -> float:
        """Seconds since the beginning."""
        return self._loop.time() - self._began_s

    def say(self, who: str, what: str) -> None:
        """A line of the timeline."""
        terminal.out.print(
            f"[dim]{self.now_s():7.3f} s[/]  [bold]{who:<12}[/] {what}", soft_wrap=True
        )

    def measure(self, what: str, since_s: float) -> None:
        """A moment worth keeping for the end."""
        self.measured.append((what, f"{(self.now_s() - since_s) * 1000:.1f} ms"))


async def tell(folder: Path, profile: OfflineProfile) -> None:
    """Tells the whole story and ends with the closing statement."""
    timeline = Timeline()
    async with Estate(folder, CURRENCY) as estate:
        await _open_shop(estate, timeline, profile)
        async with (
            Frontend(estate.address("R1")) as first,
            Frontend(estate.address("R2")) as second,
        ):
            for frontend in (first, second):
                await frontend.sign_in()
                await frontend.until(ready, STATE_TIMEOUT_S)
            timeline.say("both tills", "signed in, and ready to sell without a network")
            await _sale_through_a_cut(estate, timeline, first, CARDS[0], kill=True)
            await _more_sales(timeline, first, second)
            await _come_back(estate, timeline, (first, second), kill=True)
            await _sale_through_a_cut(estate, timeline, second, CARDS[1], kill=False)
            await _more_sales(timeline, second)
            await _come_back(estate, timeline, (first, second), kill=False)
        await _close(estate, timeline)


async def _open_shop(estate: Estate, timeline: Timeline, profile: OfflineProfile) -> None:
    await estate.start_headquarters()
    timeline.say("headquarters", f"listens on {estate.address(HEADQUARTERS)}")
    products, cards = sample_products(CURRENCY), sample_cards(CURRENCY)
    await import_master_data(estate, products, cards)
    async with estate.office() as headquarters:
        await headquarters.set_profile(profile)
        await headquarters.set_gift_card(CardParameters(allow_concluding_offline=True))
    timeline.say("headquarters", f"has {len(products)} products and {len(cards)} gift cards")
    await estate.start_channel()
    timeline.say("channel", f"listens on {estate.address(CHANNEL)}")
    for register in ("R1", "R2"):
        await estate.start_register(register)
        timeline.say(register, f"its agent listens on {estate.address(register)}")


async def _sale_through_a_cut(
    estate: Estate, timeline: Timeline, till: Frontend, card: str, *, kill: bool
) -> None:
    who = (await till.status()).register_id
    await till.begin()
    await till.ring("P011", 2000)
    await till.pay_card(card, types_pb2.Money(currency_code=CURRENCY, minor_units=CARD_PAYS_MINOR))
    timeline.say(who, f"2 mugs; card ...{card[-4:]} is locked at headquarters for this sale")
    if kill:
        await estate.kill(CHANNEL)
    else:
        estate.pause(CHANNEL)
    timeline.say(
        "channel", "[red]killed[/]" if kill else "[red]stopped: its port is open, it is mute[/]"
    )
    since_s = timeline.now_s()
    await till.ring("P023", 1000)
    timeline.measure(
        f"{who} answers from its own data after the channel was {'killed' if kill else 'stopped'}",
        since_s,
    )
    status = await till.status()
    timeline.say(who, f"a lantern, from offline.db; [yellow]OFFLINE[/], {status.mode_reason}")
    await till.pay_cash()
    since_s = timeline.now_s()
    receipt = await till.complete()
    timeline.measure(f"{who} completes the sale offline, durable", since_s)
    timeline.say(
        who,
        f"concluded offline: receipt {receipt.receipt_number},"
        f" {money_from(till.sale.total)}, of it {Money(CURRENCY, CARD_PAYS_MINOR)} from the card",
    )


async def _more_sales(timeline: Timeline, *tills: Frontend) -> None:
    for till in tills:
        for code in ("P007", "P042", "P015"):
            await till.begin()
            await till.ring(code)
            await till.pay_cash()
            await till.complete()
        status = await till.status()
        timeline.say(
            status.register_id,
            f"sells on for cash; {status.waiting_entries} entries wait,"
            f" {money_from(status.waiting_amount)}",
        )


async def _come_back(
    estate: Estate, timeline: Timeline, tills: tuple[Frontend, ...], *, kill: bool
) -> None:
    since_s = timeline.now_s()
    if kill:
        await estate.restart(CHANNEL)
    else:
        estate.resume(CHANNEL)
    timeline.say("channel", "[green]is back[/]")
    back_s = timeline.now_s() if kill else since_s
    for till in tills:
        status = await till.until(delivered, STATE_TIMEOUT_S)
        timeline.say(status.register_id, "everything is at headquarters")
    timeline.measure("from the channel's return to the last acknowledgement", back_s)
    for till in tills:
        await till.until(lambda status: status.link_up, STATE_TIMEOUT_S)
        await _first_online_sale(timeline, till)


async def _first_online_sale(timeline: Timeline, till: Frontend) -> None:
    """Sells until the register has come back by itself, as it does when a sale begins."""
    while True:
        await till.begin()
        await till.ring("P001")
        await till.pay_cash()
        await till.complete()
        status = await till.status()
        if status.mode == register_pb2.CONNECTION_MODE_ONLINE:
            timeline.say(status.register_id, f"[green]ONLINE[/] again: {status.mode_reason}")
            return


async def _close(estate: Estate, timeline: Timeline) -> None:
    async with estate.office() as headquarters:
        await headquarters.until_complete(STATE_TIMEOUT_S)
        sales = [each.sale async for each in headquarters.transactions()]
        cards = [await headquarters.card(number) for number in CARDS]
        exceptions = await headquarters.exceptions()
        total = Money(CURRENCY, sum(sale.total.minor_units for sale in sales))
        distinct = {sale.transaction_id for sale in sales}
    terminal.out.print()
    terminal.show_table(["measured", ">"], timeline.measured)
    terminal.out.print()
    terminal.show_table(
        ["closing statement, read from headquarters", ">"],
        [
            ("sales", len(sales)),
            ("of them twice", len(sales) - len(distinct)),
            ("total", total),
            *(
                (f"card ...{card.last_four}", f"{money_from(card.balance)}, free")
                if not card.locked_by
                else (f"card ...{card.last_four}", f"[red]held by {card.locked_by}[/]")
                for card in cards
            ),
            ("exceptions", len(exceptions)),
        ],
    )
