"""The closing statement: what headquarters has, compared with what the file says."""

from collections import Counter
from dataclasses import dataclass, fields

from stillopen.cli.closing_memos import Memos, memo_faults
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.replay import Outcome
from stillopen.cli.sales_file import FileLine, SalesFile
from stillopen.core.ids import fold_code
from stillopen.core.money import Money
from stillopen.rpc.wire import money_from
from stillopen.v1 import realtime_pb2, types_pb2

CARDS_SHARED_MIN = 20


@dataclass(frozen=True, slots=True)
class Statement:
    """The figures of a replay; what headquarters has is read back from there."""

    invoices: int
    sold: int
    returned: int
    not_sales: int
    lines: int
    lines_not_sales: int
    file_total_minor: int
    headquarters_total_minor: int
    missing: int
    duplicates: int
    exceptions: int
    cuts: int
    kills: int
    stops: int
    completed_offline: int
    paid_by_gift_card: int
    paid_in_cash_instead: int
    memos_issued: int
    memos_spent: int
    paid_by_memo: int
    memos_spent_elsewhere: int
    refunded_in_cash_instead: int
    cards_shared: int
    cards_locked: int
    waiting: int
    seconds: float
    sales_per_s: float

    def as_json(self) -> dict[str, object]:
        """The figures by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


async def close_books(
    headquarters: Headquarters,
    sales: SalesFile,
    outcome: Outcome,
    waiting: int,
) -> Statement:
    """Reads headquarters and compares it with the file line by line and to the penny."""
    missing = Counter[str]()
    for invoice in sales.invoices:
        missing.update(_file_lines(invoice.number, invoice.lines))
    extra = Counter[str]()
    total_minor = 0
    debits = Counter[str]()
    memos = Memos()
    async for received in headquarters.transactions():
        sale = received.sale
        if sale.state != types_pb2.SALE_STATE_COMPLETED:
            continue
        total_minor += sale.total.minor_units
        planned = outcome.transactions.get(sale.transaction_id)
        number = planned.invoice.number if planned else f"unknown {sale.transaction_id}"
        extra.update(_sale_lines(number, sale))
        for tender in sale.tenders:
            if tender.voided or not tender.HasField("card"):
                continue
            if tender.kind == types_pb2.TENDER_KIND_CREDIT_MEMO:
                memos.add(tender)
            else:
                debits[tender.card.card_id] += tender.amount.minor_units
    both = missing & extra
    missing, extra = missing - both, extra - both
    locks = await headquarters.locks()
    return Statement(
        invoices=len(sales.invoices) + len(sales.not_sales),
        sold=sum(not invoice.cancelled for invoice in sales.invoices),
        returned=sum(invoice.cancelled for invoice in sales.invoices),
        not_sales=len(sales.not_sales),
        lines=sales.lines,
        lines_not_sales=sum(sales.lines_not_sales.values()),
        file_total_minor=sales.total_minor,
        headquarters_total_minor=total_minor,
        missing=missing.total(),
        duplicates=extra.total(),
        exceptions=len(await headquarters.exceptions())
        + await _ledger_faults(headquarters, debits)
        + await memo_faults(headquarters, memos, outcome.purse),
        cuts=outcome.cuts,
        kills=outcome.kills,
        stops=outcome.stops,
        completed_offline=len(outcome.offline),
        paid_by_gift_card=len(outcome.by_card),
        paid_in_cash_instead=outcome.cash_instead,
        memos_issued=memos.issued,
        memos_spent=len(outcome.purse.spent),
        paid_by_memo=memos.redeemed,
        memos_spent_elsewhere=outcome.purse.elsewhere,
        refunded_in_cash_instead=outcome.refunded_in_cash,
        cards_shared=sum(len(used) > 1 for used in outcome.registers_of_card.values()),
        cards_locked=sum(_blocks(each.lock) for each in locks),
        waiting=waiting,
        seconds=round(outcome.seconds, 3),
        sales_per_s=round(len(outcome.transactions) / max(outcome.seconds, 1e-9), 3),
    )


def faults(statement: Statement, *, cuts: int, registers: int) -> list[str]:
    """What does not agree, or stayed below its minimum; nothing when all is well."""
    found = [
        f"{name} is {getattr(statement, name)}"
        for name in ("missing", "duplicates", "exceptions", "cards_locked", "waiting")
        if getattr(statement, name)
    ]
    if statement.file_total_minor != statement.headquarters_total_minor:
        found.append("the totals differ")
    if statement.cuts < cuts:
        found.append(f"{statement.cuts} cuts of {cuts} had a sale completed offline")
    if statement.paid_by_gift_card * 10 < statement.sold:
        found.append("less than a tenth of the sales was paid by gift card")
    if statement.memos_spent * 2 < statement.memos_issued:
        found.append("less than half of the credit memos was spent again")
    if statement.memos_issued + statement.refunded_in_cash_instead < statement.returned:
        found.append("a cancellation was refunded neither as a memo nor in cash")
    if registers > 1 and statement.memos_spent and not statement.memos_spent_elsewhere:
        found.append("no credit memo was spent at another register")
    if registers > 1 and statement.cards_shared < CARDS_SHARED_MIN:
        found.append(f"less than {CARDS_SHARED_MIN} cards were used at more than one register")
    return found


async def _ledger_faults(headquarters: Headquarters, debits: Counter[str]) -> int:
    """How many cards do not have what their sales left on them."""
    wrong = 0
    for card_id, spent in debits.items():
        ledger = await headquarters.ledger(card_id)
        amounts = [entry.amount.minor_units for entry in ledger.entries]
        opening = sum(e.amount.minor_units for e in ledger.entries if e.kind == "OPENING")
        wrong += sum(amounts) != ledger.balance.minor_units or opening - spent != sum(amounts)
    return wrong


def _blocks(lock: realtime_pb2.CardLock) -> bool:
    return lock.blocks_for.seconds > 0 or lock.blocks_for.nanos > 0


def _key(number: str, code: str, quantity_milli: int, price: Money) -> str:
    return f"{number}|{fold_code(code)}|{quantity_milli}|{price.minor}"


def _file_lines(number: str, lines: list[FileLine]) -> list[str]:
    return [_key(number, line.code, line.quantity_milli, line.price) for line in lines]


def _sale_lines(number: str, sale: types_pb2.Sale) -> list[str]:
    return [
        _key(number, line.product_id, line.quantity_milli, money_from(line.unit_price))
        for line in sale.lines
        if not line.voided
    ]
