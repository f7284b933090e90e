"""`stillopen store`: stores, their group and offline profile, and codes for their channels."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.group import remove_set_up
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import Reason, Refused
from stillopen.v1 import headquarters_pb2

app = typer.Typer(no_args_is_help=True, help="Stores, each with its channel.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Id = Annotated[str, typer.Argument(help="The store.")]


@app.command(name="list")
def list_(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Stores by id.

    Example: stillopen store list
    """

    async def work() -> list[headquarters_pb2.Store]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.stores()]

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
    else:
        _print(found)


@app.command()
def show(store: Id, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """One store.

    Example: stillopen store show S1
    """

    async def work() -> headquarters_pb2.Store:
        async with Headquarters(headquarters) as place:
            found = await _find(place, store)
        if found is None:
            raise Refused(Reason.NAME_UNKNOWN, f"there is no store {store}", "store_id")
        return found

    _say(terminal.run(work()), as_json=json)


@app.command(name="set")
def set_(
    store: Id,
    name: Annotated[str | None, typer.Option(help="The name for people.")] = None,
    group: Annotated[str | None, typer.Option(help="Its channel group.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="The offline profile of its registers.")
    ] = None,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Add a store, or change what is given of one.

    Example: stillopen store set S2 --name "Second street" --group north --profile Fast
    """

    async def work() -> headquarters_pb2.Store:
        async with Headquarters(headquarters) as place:
            wanted = headquarters_pb2.Store(store_id=store)
            if None in (name, group, profile):
                wanted = await _find(place, store) or wanted
            if name is not None:
                wanted.name = name
            if group is not None:
                wanted.group_id = group
            if profile is not None:
                wanted.offline_profile = profile
            return await place.set_store(wanted)

    _say(terminal.run(work()), as_json=json)


@app.command()
def remove(store: Id, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Remove a store that has no registers and whose channel was never installed.

    Example: stillopen store remove S2
    """
    kind = headquarters_pb2.SET_UP_KIND_STORE
    remove_set_up(kind, "store", store, headquarters, as_json=json)


@app.command(name="activation-code")
def activation_code(
    store: Id, headquarters: Address = "127.0.0.1:7400", json: Json = False
) -> None:
    """A one-time code with which a machine becomes the store's channel; an earlier one is void.

    Example: stillopen store activation-code S1
    """

    async def work() -> headquarters_pb2.CreateActivationCodeResponse:
        async with Headquarters(headquarters) as place:
            return await place.activation_code(store_id=store)

    say_code(terminal.run(work()), f"stillopen channel install --code {{}}  # {store}", json=json)


def say_code(
    answer: headquarters_pb2.CreateActivationCodeResponse, command: str, *, json: bool
) -> None:
    """Shows a code, and what it is for."""
    if json:
        terminal.show_json(terminal.as_json(answer))
        return
    hours = answer.expires_in.ToSeconds() / 3600
    terminal.out.print(f"[bold]{answer.activation_code}[/]")
    terminal.err.print(  # so that the code alone can be taken into a script
        f"good once, for {hours:g} hours: {command.format(answer.activation_code)}",
        soft_wrap=True,
    )


async def _find(place: Headquarters, store: str) -> headquarters_pb2.Store | None:
    async for each in place.stores():
        if each.store_id == store:
            return each
    return None


def _say(store: headquarters_pb2.Store, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(store))
    else:
        _print([store])


def _print(stores: list[headquarters_pb2.Store]) -> None:
    terminal.show_table(
        ["store", "name", "group", "offline profile", "channel since", "last heard"],
        [
            (
                s.store_id,
                s.name,
                s.group_id,
                s.offline_profile,
                terminal.time_text(s.activated_time) if s.HasField("activated_time") else "-",
                terminal.time_text(s.last_contact_time)
                if s.HasField("last_contact_time")
                else "never",
            )
            for s in stores
        ],
    )
