"""`stillopen demo`: a sale survives an outage, told as a timeline; or a file of sales does."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from stillopen.cli import terminal
from stillopen.cli.closing import Statement, close_books, faults
from stillopen.cli.estate import Estate, import_master_data
from stillopen.cli.frontend import Frontend, delivered, ready
from stillopen.cli.replay import Replay
from stillopen.cli.replay_plan import card_rows, catalogue, make_plan
from stillopen.cli.sales_file import CURRENCY, SalesFile, read_sales
from stillopen.cli.sample import sample_sales
from stillopen.cli.story import tell
from stillopen.core.ids import fold_code
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters, OfflineProfile

PROFILE = OfflineProfile(timeout_s=1.0, reconnect_interval_s=0.2, heartbeat_interval_s=0.5)
DRAIN_TIMEOUT_S = 120.0
REGISTERS_MAX, CUTS_MAX = 16, 200


def demo(
    sales: Annotated[
        Path | None,
        typer.Option(help="Replay this CSV (InvoiceNo, StockCode, Quantity, UnitPrice, ...)."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Replay a small generated file of sales.")
    ] = False,
    registers: Annotated[int, typer.Option(help="Registers.", min=1, max=REGISTERS_MAX)] = 4,
    cuts: Annotated[
        int, typer.Option(help="How often the channel is cut.", min=0, max=CUTS_MAX)
    ] = 4,
    seed: Annotated[int, typer.Option(help="Who sells what, who pays by card, how cuts go.")] = 1,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; alone it means --replay.")
    ] = False,
) -> None:
    """See a sale survive an outage, on real processes of this machine.

    Without options: a gift card is locked, the channel dies in the middle of the sale (killed, then
    in a second sale stopped), the sale is concluded offline, and everything comes home once.

    With --sales FILE, or --replay for a small generated file: the file's sales are rung up on
    several registers while the channel is cut, and headquarters is compared with the file to the
    penny.

    Example: stillopen demo --sales online-retail.csv --registers 4 --cuts 20
    """
    with tempfile.TemporaryDirectory(prefix="stillopen-") as folder:
        if sales is None and not replay and not json:
            terminal.run(tell(Path(folder), PROFILE))
            return
        path = sales
        if path is None:
            path = Path(folder) / "sales.csv"
            path.write_bytes(sample_sales(seed).encode())
        terminal.run(_replay(path, Path(folder), registers, cuts, seed, as_json=json))


async def _replay(
    path: Path, folder: Path, registers: int, cuts: int, seed: int, *, as_json: bool
) -> None:
    sales = read_sales(path)
    plan = make_plan(sales, registers, cuts, seed)
    async with Estate(folder / "estate", CURRENCY) as estate:
        with Progress(console=terminal.err, transient=True) as progress:
            starting = progress.add_task("Starting places", total=registers + 3)
            await estate.start_headquarters()
            progress.advance(starting)
            await import_master_data(estate, catalogue(sales), card_rows(plan, CURRENCY))
            async with estate.office() as headquarters:
                await headquarters.set_profile(PROFILE)
                offline = CardParameters(allow_concluding_offline=True)
                seen = await headquarters.parameters()
                await headquarters.set_parameters(
                    replace(seen, gift_card=offline, credit_memo=offline)
                )
            await estate.start_channel()
            progress.advance(starting, 2)
            for register in plan.by_register:
                await estate.start_register(register)
                progress.advance(starting)
            await asyncio.gather(
                *(_until(estate, each, drained=False) for each in plan.by_register)
            )
            outcome = await Replay(estate, plan, _prices(sales)).run(progress)
            waiting = await asyncio.gather(
                *(_until(estate, each, drained=True) for each in plan.by_register)
            )
            async with estate.office() as headquarters:
                await headquarters.until_complete(DRAIN_TIMEOUT_S)
                statement = await close_books(headquarters, sales, outcome, sum(waiting))
    wrong = faults(statement, cuts=cuts, registers=registers)
    if as_json:
        terminal.show_json(statement.as_json())
    else:
        _print(statement, sales)
    for each in wrong:
        terminal.err.print(f"[red]wrong[/] {each}")
    if wrong:
        raise typer.Exit(terminal.EXIT_REFUSED)


async def _until(estate: Estate, register: str, *, drained: bool) -> int:
    async with Frontend(estate.address(register)) as frontend:
        if not drained:
            await frontend.sign_in()  # a register gets its data once somebody works there
        status = await frontend.until(delivered if drained else ready, DRAIN_TIMEOUT_S)
        return status.waiting_headquarters


def _prices(sales: SalesFile) -> dict[str, Money]:
    return {fold_code(code): price for code, price in sales.prices.items()}


def _print(statement: Statement, sales: SalesFile) -> None:
    def money(minor: int) -> str:
        return str(Money(CURRENCY, minor))

    for reason, count in sorted(sales.lines_not_sales.items()):
        terminal.out.print(f"[dim]{count} lines are no sales: {reason}[/]")
    agree = statement.file_total_minor == statement.headquarters_total_minor
    terminal.show_table(
        ["closing statement", ">figure"],
        [
            ("invoices", statement.invoices),
            ("  sold", statement.sold),
            ("  returned", statement.returned),
            ("  not sales", statement.not_sales),
            ("lines", statement.lines),
            ("  not sales", statement.lines_not_sales),
            ("total of the file", money(statement.file_total_minor)),
            ("total at headquarters", money(statement.headquarters_total_minor)),
            ("lines missing", statement.missing),
            ("lines twice", statement.duplicates),
            ("exceptions", statement.exceptions),
            ("cuts (killed, stopped)", f"{statement.cuts} ({statement.kills}, {statement.stops})"),
            ("completed offline", statement.completed_offline),
            ("paid by gift card", statement.paid_by_gift_card),
            ("paid in cash instead", statement.paid_in_cash_instead),
            ("credit memos issued", statement.memos_issued),
            ("  spent again", statement.memos_spent),
            ("paid by credit memo", statement.paid_by_memo),
            ("  at another register", statement.memos_spent_elsewhere),
            ("refunded in cash instead", statement.refunded_in_cash_instead),
            ("cards used at two registers or more", statement.cards_shared),
            ("cards still locked", statement.cards_locked),
            ("entries still waiting", statement.waiting),
            ("seconds", f"{statement.seconds:.1f}"),
            ("sales per second", f"{statement.sales_per_s:.1f}"),
        ],
    )
    terminal.out.print(
        "[green]Headquarters and the file agree.[/]" if agree else "[red]They do not agree.[/]"
    )
