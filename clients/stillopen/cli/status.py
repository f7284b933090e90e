"""`stillopen status`: what the cashier of a register is told."""

import asyncio
from collections.abc import AsyncIterable
from typing import Annotated

import grpc.aio
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group
from rich.live import Live
from rich.table import Table

from stillopen.cli import terminal
from stillopen.cli.sync_text import sync_text
from stillopen.rpc.channel import open_channel
from stillopen.rpc.machine import SystemClock
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import money_from
from stillopen.v1 import register_pb2, register_pb2_grpc

CONNECT_TIMEOUT_S = 5.0
CHANGES_SHOWN = 10
_WORDS = {
    register_pb2.CONNECTION_MODE_ONLINE: "[green]ONLINE[/]",
    register_pb2.CONNECTION_MODE_OFFLINE: "[yellow]OFFLINE[/]",
    register_pb2.CONNECTION_MODE_OFFLINE_MANUAL: "[yellow]OFFLINE (by hand)[/]",
}
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def status(
    register: Annotated[
        str, typer.Option(help="Address of the register agent, not its id.")
    ] = "127.0.0.1:7420",
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it as it changes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Show a register's mode, why, since when, what works and what waits to be sent.

    Example: stillopen status --watch
    """
    terminal.run(_show(register, watch=watch, as_json=json))


async def _show(address: str, *, watch: bool, as_json: bool) -> None:
    async with open_channel(address) as channel:
        stub = register_pb2_grpc.RegisterServiceStub(channel)
        try:
            if not watch:
                answer = await stub.GetStatus(
                    register_pb2.GetStatusRequest(), timeout=CONNECT_TIMEOUT_S
                )
                _print(answer.status, as_json=as_json)
                return
            updates = stub.WatchStatus(register_pb2.WatchStatusRequest())
            if as_json or not terminal.out.is_terminal:
                async for update in updates:
                    _print(update.status, as_json=as_json)
                return
            await _live(updates)
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from None


async def _live(updates: AsyncIterable[register_pb2.WatchStatusResponse]) -> None:
    """Shows each update, and counts seconds on between them."""
    loop = asyncio.get_running_loop()
    now, heard_s = register_pb2.RegisterStatus(), loop.time()

    def picture() -> Group:
        return _picture(now, loop.time() - heard_s)

    with Live(console=terminal.out, get_renderable=picture, refresh_per_second=1) as live:
        async for update in updates:
            now, heard_s = update.status, loop.time()
            live.refresh()


def _print(now: register_pb2.RegisterStatus, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(now))
    else:
        terminal.out.print(_picture(now))


def _picture(now: register_pb2.RegisterStatus, older_s: float = 0.0) -> Group:
    """The status as it was said `older_s` ago."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("register", f"{now.register_id} in store {now.store_id or '(not known yet)'}")
    since = _time(now.mode_since)
    table.add_row("mode", f"{_WORDS.get(now.mode, '?')} since {since}: {now.mode_reason}")
    if now.cashier_asked:
        table.add_row("", "[yellow]reconnect or work offline?[/] answer with operation 917")
    if now.HasField("next_reconnect_s"):
        table.add_row("may come back", _in(now.next_reconnect_s - older_s))
    if now.check_again:
        table.add_row("checks again", ", ".join(now.check_again).lower())
    table.add_row("link", "up" if now.link_up else "[yellow]down[/]")
    table.add_row("cards", "reachable" if now.headquarters_reachable else "[yellow]unreachable[/]")
    table.add_row("sync", sync_text(now, SystemClock().wall_s()))
    table.add_row("waiting up", _waiting_up(now))
    table.add_row("  last taken", _time(now.last_acknowledgement))
    down = (
        f"1 package, {now.waiting_down_bytes} bytes to come"
        if now.waiting_down_bytes
        else "nothing"
    )
    table.add_row("waiting down", down)
    table.add_row("  last package", _time(now.last_package))
    age = _span(now.data_age_s + older_s) if now.HasField("data_age_s") else "-"
    data = f"catalogue {now.catalogue_sequence}, parameters {now.parameters_version}, age {age}"
    table.add_row("data", data)
    ready = "ready" if now.offline_ready else f"[red]lacks {', '.join(now.offline_missing)}[/]"
    table.add_row("to sell offline", ready)
    if now.clock_suspect:
        table.add_row("clock", "[red]more than a day from the store's[/]: set this machine's clock")
    table.add_row("signed in", now.staff_id or "nobody")
    table.add_row("open sale", now.open_transaction_id or "none")
    for what, operations in _operations(now):
        table.add_row(what, operations)
    return Group(table, _changes(now))


def _changes(now: register_pb2.RegisterStatus) -> Table:
    table = Table(box=None, header_style="bold", title="changes of mode", title_justify="left")
    for column in ("when", "mode", "why"):
        table.add_column(column)
    for change in now.mode_changes[:CHANGES_SHOWN]:
        table.add_row(_time(change.time), _WORDS.get(change.mode, "?"), change.reason)
    return table


def _waiting_up(now: register_pb2.RegisterStatus) -> str:
    text = f"{now.waiting_entries} for the channel, {now.waiting_headquarters} for headquarters"
    if now.waiting_suspended:
        text += f"; {now.waiting_suspended} suspended for the channel"
    if now.HasField("waiting_amount"):
        text += f"; {money_from(now.waiting_amount)}"
    if now.HasField("waiting_since"):
        text += f"; the oldest of {_time(now.waiting_since)}"
    return text


def _operations(now: register_pb2.RegisterStatus) -> list[tuple[str, str]]:
    """What works now, then what does not, by the reason."""
    by_reason: dict[str, list[str]] = {"": []}
    for operation in now.all_operations:
        ids = "/".join(map(str, operation.operation_ids))
        name = operation.name.lower().replace("_", " ")
        text = f"{name} ({ids})" if ids else name
        by_reason.setdefault("" if operation.works_now else operation.why_not, []).append(text)
    works = by_reason.pop("")
    waits = [(f"[dim]{why}[/]", f"[dim]{', '.join(names)}[/]") for why, names in by_reason.items()]
    return [("works now", ", ".join(works) or "nothing"), *waits]


def _time(moment: Timestamp) -> str:
    if not moment.seconds:
        return "never"
    return f"{terminal.time_text(moment)} UTC"


def _in(seconds: float) -> str:
    return f"in {_span(seconds)}" if seconds > 0 else "any moment"


def _span(seconds: float) -> str:
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
