"""`stillopen serve`: headquarters, realtime, channel, register, or all three on this machine."""

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.install import installed
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
from stillopen.cli.security import ClientCertificates, Plaintext, Tls, security_of
from stillopen.core.errors import StillopenError
from stillopen.register import RegisterSettings
from stillopen.rpc.identity import CallerKind

GARBAGE_FIRST = 20_000
"""So many new objects before the collector looks for circles among them."""

app = typer.Typer(
    no_args_is_help=True, help="Run a place: headquarters, a channel, a register, or all of them."
)

Data = Annotated[Path, typer.Option(help="Folder for its files; made when missing.")]
Listen = Annotated[str, typer.Option(help="Address to listen on; port 0 takes a free one.")]
Json = Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON object.")]


@app.command()
def headquarters(
    data: Data = Path("var/headquarters"),
    listen: Listen = "127.0.0.1:7400",
    realtime: Annotated[str, typer.Option(help="RealtimeService, if it runs elsewhere.")] = "",
    tls: Tls = None,
    client_certificates: ClientCertificates = False,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Headquarters: master data, cards, and where sales come home. Begin it first.

    Example: stillopen serve headquarters --data var/headquarters
    """

    def start(machine: Machine) -> Awaitable[Place]:
        security = security_of(tls, client_certificates=client_certificates, plaintext=plaintext)
        settings = HeadquartersSettings(data, listen, realtime, security)
        return start_headquarters(settings, machine)

    serve("headquarters", start, as_json=json)


@app.command()
def realtime(
    headquarters: Annotated[str, typer.Option(help="Address of headquarters.")],
    house_key: Annotated[
        Path, typer.Option(help="The file house.key of headquarters; by it they know each other.")
    ] = Path("var/headquarters/house.key"),
    data: Data = Path("var/realtime"),
    listen: Listen = "127.0.0.1:7401",
    tls: Tls = None,
    client_certificates: ClientCertificates = False,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Cards in a process of their own, for a headquarters started with --realtime.

    Example: stillopen serve realtime --headquarters 127.0.0.1:7400
    """

    def start(machine: Machine) -> Awaitable[Place]:
        security = security_of(tls, client_certificates=client_certificates, plaintext=plaintext)
        settings = RealtimeSettings(data, listen, headquarters, house_key, security)
        return start_realtime(settings, machine)

    serve("realtime", start, as_json=json)


@app.command()
def channel(
    data: Data = Path("var/channel"),
    headquarters: Annotated[
        str, typer.Option(help="Address of headquarters; else that of the installation.")
    ] = "",
    listen: Listen = "127.0.0.1:7410",
    tls: Tls = None,
    client_certificates: ClientCertificates = False,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """A store's channel: what its registers ask while they are online. Install it first.

    Example: stillopen serve channel --data var/channel
    """

    def start(machine: Machine) -> Awaitable[Place]:
        found = installed(data, CallerKind.CHANNEL)
        security = security_of(tls, client_certificates=client_certificates, plaintext=plaintext)
        upper = headquarters or found.upper
        return start_channel(
            ChannelSettings(data, listen, upper, found.store_id, found.secret, security), machine
        )

    serve("channel", start, as_json=json)


@app.command()
def register(
    data: Data = Path("var/register"),
    channel: Annotated[
        str, typer.Option(help="Address of the store's channel; else that of the installation.")
    ] = "",
    listen: Listen = "127.0.0.1:7420",
    tls: Tls = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """A register with its agent on loopback, for a POS frontend. Install it first.

    Example: stillopen serve register --data var/R1
    """

    def start(machine: Machine) -> Awaitable[Place]:
        found = installed(data, CallerKind.REGISTER)
        security = security_of(tls, plaintext=plaintext)
        settings = RegisterSettings(
            found.name, data, channel or found.upper, found.secret, security
        )
        return start_register(settings, listen, machine)

    serve("register", start, as_json=json)


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
    _leave_alone_what_stays()
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


def _leave_alone_what_stays() -> None:
    """Spares the collector what is there for as long as the process, and small rounds.

    Sales and frames are many small objects without circles: to look for circles among them, and
    among all that was imported, costs a tenth of what a batch of sales needs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_FIRST)


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
