"""`stillopen session`: what is on its way, as the incumbent calls it."""

from typing import Annotated

import typer

from stillopen.cli import replica, terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.lanes import epoch_text
from stillopen.v1 import headquarters_pb2

app = typer.Typer(
    no_args_is_help=True, help="Sessions: journals on their way up, packages on their way down."
)

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
HERE = "127.0.0.1:7400"
SHORT = 8


@app.command()
def uploads(
    register: Annotated[str, typer.Argument(help="One register; none for all.")] = "",
    open_: Annotated[
        bool, typer.Option("--open", help="Only those that are not applied whole.")
    ] = False,
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """The journal of each start of a register: where it stands on its way to headquarters.

    Example: stillopen session uploads --open
    """

    async def work() -> list[headquarters_pb2.UploadSession]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.upload_sessions(register, only_open=open_)]

    found = terminal.run(work())
    if json:
        terminal.show_json({"sessions": [terminal.as_json(each) for each in found]})
        return
    terminal.show_table(
        ["register", "store", "lane", "state", ">claimed", ">here", ">applied", "last heard"],
        [
            (
                each.register_id,
                each.store_id,
                epoch_text(each.epoch)[:SHORT],
                state_text(each.state),
                each.claimed,
                each.stored,
                each.applied,
                terminal.time_text(each.last_contact_time),
            )
            for each in found
        ],
    )


@app.command()
def downloads(
    store: Annotated[str, typer.Argument(help="One store; none for all.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 100,
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """Each package and replica: where it stands on its way to a channel or register.

    Example: stillopen session downloads S1
    """

    async def work() -> list[headquarters_pb2.DownloadSession]:
        found: list[headquarters_pb2.DownloadSession] = []
        async with Headquarters(headquarters) as place:
            async for each in place.downloads(store):
                found.append(each)
                if len(found) == limit:
                    break
        return found

    found = terminal.run(work())
    if json:
        terminal.show_json({"sessions": [terminal.as_json(each) for each in found]})
        return
    terminal.show_table(
        ["made", "group", ">package", ">bytes", "store", "register", "state", ""],
        [
            (
                terminal.time_text(each.run.begin_time),
                each.run.group_id,
                each.run.sequence,
                each.run.size,
                each.store_id,
                each.register_id or "(channel)",
                replica.state_text(each.state),
                each.message,
            )
            for each in found
        ],
    )


def state_text(state: headquarters_pb2.UploadState.ValueType) -> str:
    """A state as people read it."""
    name = headquarters_pb2.UploadState.Name(state).removeprefix("UPLOAD_STATE_")
    return name.lower().replace("_", " ")
