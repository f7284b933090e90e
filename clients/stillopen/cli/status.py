"""`stillopen status`: what the cashier of a register is told."""

from collections.abc import AsyncIterable
from typing import Annotated

import grpc.aio
import typer
from rich.live import Live
from rich.table import Table

from stillopen.cli import terminal
from stillopen.rpc.channel import open_channel
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import money_from
from stillopen.v1 import register_pb2, register_pb2_grpc

CONNECT_TIMEOUT_S = 5.0
_WORDS = {
    register_pb2.CONNECTION_MODE_ONLINE: "[green]ONLINE[/]",
    register_pb2.CONNECTION_MODE_OFFLINE: "[yellow]OFFLINE[/]",
    register_pb2.CONNECTION_MODE_OFFLINE_MANUAL: "[yellow]OFFLINE (by hand)[/]",
}


def status(
    register: Annotated[
        str, typer.Option(help="Address of the register agent.")
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
    with Live(console=terminal.out, auto_refresh=False) as live:
        async for update in updates:
            live.update(_table(update.status), refresh=True)


def _print(now: register_pb2.RegisterStatus, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(now))
    else:
        terminal.out.print(_table(now))


def _table(now: register_pb2.RegisterStatus) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    since = now.mode_since.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")
    table.add_row("register", f"{now.register_id} in store {now.store_id or '(not known yet)'}")
    table.add_row("mode", f"{_WORDS.get(now.mode, '?')} since {since}: {now.mode_reason}")
    table.add_row("link", "up" if now.link_up else "[yellow]down[/]")
    table.add_row("cards", "reachable" if now.headquarters_reachable else "[yellow]unreachable[/]")
    waiting = f"{now.waiting_entries} for the channel, {now.waiting_headquarters} for headquarters"
    if now.HasField("waiting_amount"):
        oldest = now.waiting_since.ToDatetime().strftime("%H:%M:%S")
        waiting += f"; {money_from(now.waiting_amount)} since {oldest}"
    table.add_row("waiting", waiting)
    ready = "ready" if now.offline_ready else f"[red]lacks {', '.join(now.offline_missing)}[/]"
    table.add_row("to sell offline", ready)
    table.add_row(
        "data", f"catalogue {now.catalogue_sequence}, parameters {now.parameters_version}"
    )
    table.add_row("signed in", now.staff_id or "nobody")
    table.add_row("open sale", now.open_transaction_id or "none")
    table.add_row("works now", ", ".join(now.operations).lower())
    return table
