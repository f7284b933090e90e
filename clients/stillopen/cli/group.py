"""`stillopen group`: channel groups, the stores that get the same packages."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.v1 import headquarters_pb2

app = typer.Typer(no_args_is_help=True, help="Channel groups: stores that get the same packages.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Id = Annotated[str, typer.Argument(help="The group.")]
STORES_SHOWN = 5


@app.command(name="list")
def list_(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Channel groups and their stores.

    Example: stillopen group list
    """

    async def work() -> list[headquarters_pb2.ChannelGroup]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.groups()]

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        ["group", "name", ">stores", ""],
        [(g.group_id, g.name, len(g.store_ids), some(list(g.store_ids))) for g in found],
    )


@app.command(name="set")
def set_(
    group: Id,
    name: Annotated[str, typer.Option(help="The name for people.")] = "",
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Add a channel group, or change its name.

    Example: stillopen group set north --name "Stores of the north"
    """

    async def work() -> headquarters_pb2.ChannelGroup:
        async with Headquarters(headquarters) as place:
            return await place.set_group(group, name)

    found = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(found))
    else:
        terminal.out.print(f"group [bold]{found.group_id}[/]: {found.name}")


@app.command()
def remove(group: Id, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Remove a channel group that has no stores.

    Example: stillopen group remove north
    """
    kind = headquarters_pb2.SET_UP_KIND_CHANNEL_GROUP
    remove_set_up(kind, "group", group, headquarters, as_json=json)


def remove_set_up(
    kind: headquarters_pb2.SetUpKind.ValueType,
    what: str,
    name: str,
    headquarters: str,
    *,
    as_json: bool,
) -> None:
    """Removes a row of the set-up and says so."""

    async def work() -> None:
        async with Headquarters(headquarters) as place:
            await place.remove_set_up(kind, name)

    terminal.run(work())
    if as_json:
        terminal.show_json({"removed": name})
    else:
        terminal.out.print(f"{what} [bold]{name}[/] is removed")


def some(names: list[str]) -> str:
    """The first of many names."""
    more = f" and {len(names) - STORES_SHOWN} more" if len(names) > STORES_SHOWN else ""
    return ", ".join(names[:STORES_SHOWN]) + more
