"""Replays a file of sales on real processes while the channel is cut, again and again."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.progress import Progress, TaskID

from stillopen.cli.estate import CHANNEL, Estate
from stillopen.cli.frontend import Frontend
from stillopen.cli.replay_memos import Memo, Purse
from stillopen.cli.replay_plan import Plan, Planned, comes_again_at
from stillopen.cli.sales_file import FileLine
from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import fold_code
from stillopen.core.money import Money
from stillopen.replication.news import News
from stillopen.rpc.wire import money_from
from stillopen.v1 import types_pb2

LINK_TIMEOUT_S = 60.0
CARDS_TRIED = 3
OFFLINE_AT_A_TILL = 3
"""Sales that each till may begin while the channel is cut, so that a cut takes as much of a replay
on a slow machine as on a fast one."""

_CARD_CANNOT_PAY = {
    Reason.OFFLINE,
    Reason.HEADQUARTERS_UNREACHABLE,
    Reason.CARD_LOCKED,
    Reason.LOCK_ENDED,
    Reason.CONCLUDE_NOT_ALLOWED,
    Reason.CONFIRM_REFUSED,
    Reason.CARD_PENDING,
    Reason.CARD_TWICE,
}
"""What a customer hears now and then in an outage, and pays in another way."""


@dataclass(slots=True)
class Outcome:
    """What the tills saw: the sale of each invoice, and how it was paid."""

    transactions: dict[str, Planned] = field(default_factory=dict[str, Planned])
    offline: set[str] = field(default_factory=set[str])
    by_card: dict[str, str] = field(default_factory=dict[str, str])
    """Transaction to the card that paid."""
    cash_instead: int = 0
    purse: Purse = field(default_factory=Purse)
    refunded_in_cash: int = 0
    """Cancellations at a till that had nothing else to do in an outage."""
    registers_of_card: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set[str]))
    cuts: int = 0
    kills: int = 0
    stops: int = 0
    seconds: float = 0.0


class _ComesAgain(Exception):
    """A customer who wants a memo waits until headquarters is reached."""


class Replay:
    """The tills and the one who pulls the plug."""

    def __init__(self, estate: Estate, plan: Plan, prices: dict[str, Money]) -> None:
        self._estate = estate
        self._plan = plan
        self._prices = prices
        self._news = News()
        self._open: dict[str, int] = {}
        """Registers with a sale open, and how many lines it has."""
        self._running = len(plan.by_register)
        self._may_begin = plan.cut_before[0] if plan.cut_before else 10**9
        self.outcome = Outcome()

    async def run(self, progress: Progress) -> Outcome:
        """Sells everything; every cut begins in a sale and lasts until one completed offline."""
        total = sum(len(planned) for planned in self._plan.by_register.values())
        bar = progress.add_task("Replaying sales", total=total)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.TaskGroup() as group:
            for register, planned in self._plan.by_register.items():
                group.create_task(self._till(register, planned, progress, bar))
            group.create_task(self._cut_all())
        self.outcome.seconds = loop.time() - began_s
        return self.outcome

    async def _till(
        self, register: str, todo: list[Planned], progress: Progress, bar: TaskID
    ) -> None:
        async with Frontend(self._estate.address(register)) as frontend:
            await frontend.sign_in()
            waiting = deque(todo)
            while waiting:
                await self._until(lambda: self._begun() < self._may_begin)
                planned = waiting.popleft()
                others = any(not each.invoice.cancelled for each in waiting)
                if await self._sell(register, frontend, planned, may_wait=others):
                    progress.advance(bar)
                else:
                    waiting.insert(comes_again_at(waiting), planned)
        self._running -= 1
        self._news.tell()

    async def _sell(
        self, register: str, frontend: Frontend, planned: Planned, *, may_wait: bool
    ) -> bool:
        """Rings an invoice up; False when its customer waits for a memo and comes again later."""
        self._tell(register, 0)
        await frontend.begin()
        for number, line in enumerate(planned.invoice.lines, 1):
            await self._ring(frontend, line)
            self._tell(register, number)
        try:
            card, memo = await self._pay(register, frontend, planned, may_wait=may_wait)
        except _ComesAgain:
            await frontend.void()
            self._tell(register, None)
            return False
        try:
            receipt = await frontend.complete()
        except Refused as error:
            if error.reason not in _CARD_CANNOT_PAY:
                raise
            await self._cash_instead(frontend)
            if memo:
                self.outcome.purse.put_back(memo)
            card, memo = "", None
            receipt = await frontend.complete()
        self.outcome.purse.printed(frontend.sale, memo)
        transaction = frontend.sale.transaction_id
        self.outcome.transactions[transaction] = planned
        if receipt.offline:
            self.outcome.offline.add(transaction)
        if card:
            self.outcome.by_card[transaction] = card
            self.outcome.registers_of_card[card].add(register)
        self._tell(register, None)
        return True

    async def _ring(self, frontend: Frontend, line: FileLine) -> None:
        given = line.price if line.price != self._prices[fold_code(line.code)] else None
        await frontend.ring(
            line.code,
            line.quantity_milli,
            given,
            "price of the invoice" if given else "",
            "cancelled invoice" if line.quantity_milli < 0 else "",
        )

    async def _pay(
        self, register: str, frontend: Frontend, planned: Planned, *, may_wait: bool
    ) -> tuple[str, Memo | None]:
        """Pays, or gives back; the gift card and the memo that did."""
        if planned.invoice.cancelled:
            await self._refund(frontend, may_wait=may_wait)
            return "", None
        card = await self._pay_card(register, frontend, planned)
        memo = None if card else await self._pay_memo(register, frontend)
        if money_from(frontend.sale.due).minor:
            await frontend.pay_cash()
        return card, memo

    async def _refund(self, frontend: Frontend, *, may_wait: bool) -> None:
        try:
            await frontend.pay_memo(frontend.sale.due)
        except Refused as error:
            if error.reason not in _CARD_CANNOT_PAY:
                raise
            if may_wait:
                raise _ComesAgain from None
            self.outcome.refunded_in_cash += 1
            await frontend.pay_cash()

    async def _pay_memo(self, register: str, frontend: Frontend) -> Memo | None:
        memo = self.outcome.purse.take(register)
        if memo is None:
            return None
        due = frontend.sale.due
        amount = types_pb2.Money(
            currency_code=due.currency_code, minor_units=min(due.minor_units, memo.amount_minor)
        )
        try:
            await frontend.pay_memo(amount, memo.number)
        except Refused as error:
            if error.reason not in _CARD_CANNOT_PAY:
                raise
            self.outcome.purse.put_back(memo)
            return None
        return memo

    async def _pay_card(self, register: str, frontend: Frontend, planned: Planned) -> str:
        for card in self._wallet(register) if planned.by_card else ():
            try:
                await frontend.pay_card(card)
            except Refused as error:
                if error.reason not in _CARD_CANNOT_PAY:
                    raise
                if error.reason is not Reason.CARD_LOCKED:
                    break
            else:
                return card
        self.outcome.cash_instead += planned.by_card
        return ""

    def _wallet(self, register: str) -> list[str]:
        """Three cards to try: first those that were used at one other register only."""
        used = self.outcome.registers_of_card

        def order(card: str) -> tuple[bool, int]:
            places = used.get(card, set())
            return (not (len(places) == 1 and register not in places), len(places))

        return sorted(self._plan.cards, key=order)[:CARDS_TRIED]

    async def _cash_instead(self, frontend: Frontend) -> None:
        self.outcome.cash_instead += 1
        tender = next(t for t in frontend.sale.tenders if t.HasField("card") and not t.voided)
        await frontend.take_back(tender.line_id)
        await frontend.pay_cash()

    async def _cut_all(self) -> None:
        limits = (*self._plan.cut_before[1:], 10**9)
        for limit, kill in zip(limits, self._plan.kills, strict=False):
            await self._until(self._all_wait)
            if not self._running:
                return
            during = self._begun() + OFFLINE_AT_A_TILL * len(self._plan.by_register)
            self._let_begin(min(limit, during))
            await self._until(lambda: any(self._open.values()) or not self._running)
            if not self._running:
                return
            await self._cut(kill=kill)
            self._let_begin(limit)

    def _let_begin(self, limit: int) -> None:
        self._may_begin = limit
        self._news.tell()

    async def _cut(self, *, kill: bool) -> None:
        before = len(self.outcome.offline)
        if kill:
            await self._estate.kill(CHANNEL)
            self.outcome.kills += 1
        else:
            self._estate.pause(CHANNEL)
            self.outcome.stops += 1
        await self._until(lambda: len(self.outcome.offline) > before or not self._running)
        if kill:
            await self._estate.restart(CHANNEL)
        else:
            self._estate.resume(CHANNEL)
        self.outcome.cuts += len(self.outcome.offline) > before
        await asyncio.gather(*(self._back(register) for register in self._plan.by_register))

    async def _back(self, register: str) -> None:
        async with Frontend(self._estate.address(register)) as frontend:
            await frontend.until(lambda status: status.link_up, LINK_TIMEOUT_S)

    def _begun(self) -> int:
        return len(self.outcome.transactions) + len(self._open)

    def _all_wait(self) -> bool:
        return not self._running or (not self._open and self._begun() >= self._may_begin)

    def _tell(self, register: str, lines: int | None) -> None:
        if lines is None:
            self._open.pop(register, None)
        else:
            self._open[register] = lines
        self._news.tell()

    async def _until(self, state: Callable[[], bool]) -> None:
        while not state():
            await self._news.after(self._news.version)
