"""`stillopen serve`: headquarters, realtime, channel, register, or all three on this machine."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.machine import Machine, Place
from stillopen.cli.places import (
    ChannelSettings,
    HeadquartersSettings,
    RealtimeSettings,
    start_channel,
    start_headquarters,
    start_realtime,
    start_register,
)
from stillopen.core.errors import StillopenError
from stillopen.register import RegisterSettings

app = typer.Typer(
    no_args_is_help=True, help="Run a place: headquarters, a channel, a register, or all of them."
)

Data = Annotated[Path, typer.Option(help="Folder for its files; made when missing.")]
Listen = Annotated[str, typer.Option(help="Address to listen on; port 0 takes a free one.")]
Json = Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON object.")]
Plaintext = Annotated[
    bool,
    typer.Option(
        "--plaintext-beyond-loopback",
        help="Allow unencrypted connections beyond this machine. Only inside a network you trust.",
    ),
]


@app.command()
def headquarters(
    data: Data = Path("var/headquarters"),
    listen: Listen = "127.0.0.1:7400",
    currency: Annotated[str, typer.Option(help="Currency of a new headquarters.")] = "EUR",
    realtime: Annotated[str, typer.Option(help="RealtimeService, if it runs elsewhere.")] = "",
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Headquarters: master data, cards, and where sales come home.

    Example: stillopen serve headquarters --data var/headquarters --currency GBP
    """
    settings = HeadquartersSettings(data, listen, currency, realtime, plaintext)
    serve("headquarters", lambda machine: start_headquarters(settings, machine), as_json=json)


@app.command()
def realtime(
    headquarters: Annotated[str, typer.Option(help="Address of headquarters.")],
    data: Data = Path("var/realtime"),
    listen: Listen = "127.0.0.1:7401",
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Cards in a process of their own, for a headquarters started with --realtime.

    Example: stillopen serve realtime --headquarters 127.0.0.1:7400
    """
    settings = RealtimeSettings(data, listen, headquarters, plaintext)
    serve("realtime", lambda machine: start_realtime(settings, machine), as_json=json)


@app.command()
def channel(
    store: Annotated[str, typer.Option(help="The store it serves.")],
    headquarters: Annotated[str, typer.Option(help="Address of headquarters.")] = "127.0.0.1:7400",
    data: Data = Path("var/channel"),
    listen: Listen = "127.0.0.1:7410",
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """A store's channel: what its registers ask while they are online.

    Example: stillopen serve channel --store S1
    """
    settings = ChannelSettings(data, listen, headquarters, store, plaintext)
    serve("channel", lambda machine: start_channel(settings, machine), as_json=json)


@app.command()
def register(
    register_id: Annotated[str, typer.Option("--register", help="The register's id.")],
    channel: Annotated[
        str, typer.Option(help="Address of the store's channel.")
    ] = "127.0.0.1:7410",
    data: Data = Path("var/register"),
    listen: Listen = "127.0.0.1:7420",
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """A register with its agent on loopback, for a POS frontend.

    Example: stillopen serve register --register R1
    """
    settings = RegisterSettings(register_id, data, channel, plaintext)
    serve("register", lambda machine: start_register(settings, listen, machine), as_json=json)


def serve(name: str, start: Callable[[Machine], Awaitable[Place]], *, as_json: bool) -> None:
    """Starts a place, says where it listens, and serves until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")

    def warn(text: str) -> None:
        terminal.err.print(f"[yellow]warning[/] {text}", soft_wrap=True)

    def ready(place: Place) -> None:
        if as_json:
            terminal.show_json({"place": name, "address": place.address})
        else:
            terminal.out.print(f"[bold]{name}[/] listens on {place.address}; Ctrl-C stops it")

    terminal.run(run_place(start, Machine(warn=warn), ready))


async def run_place(
    start: Callable[[Machine], Awaitable[Place]],
    machine: Machine,
    ready: Callable[[Place], None],
) -> None:
    """Runs a place until it is told to stop; when a part of it fails, all of it ends."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    place = await start(machine)
    try:
        ready(place)
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(_run(work)) for work in place.work]
            await stop.wait()
            for task in running:
                task.cancel()
    except* StillopenError as failed:
        raise next(_leaves(failed)) from None
    finally:
        await place.close()


def _leaves(group: BaseExceptionGroup[StillopenError]) -> Iterator[StillopenError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


@app.command(name="all")
def all_places(
    data: Annotated[Path, typer.Option(help="Folder for the files of all places.")] = Path("var"),
    currency: Annotated[str, typer.Option(help="Currency of a new headquarters.")] = "EUR",
) -> None:
    """Headquarters, a channel and a register with a small catalogue, each a process of its own.

    Example: stillopen serve all --data var
    """
    from stillopen.cli.estate import serve_all  # noqa: PLC0415 - only this command needs it

    terminal.run(serve_all(data, currency))
