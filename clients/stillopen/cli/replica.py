"""`stillopen replica`: what each channel and register has of its group's packages, and lacks."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.v1 import headquarters_pb2

app = typer.Typer(no_args_is_help=True, help="What channels and registers have, and lack.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_STATE = "DOWNLOAD_STATE_"


@app.command(name="list")
def list_(
    group: Annotated[str, typer.Option(help="One channel group only.")] = "",
    only_behind: Annotated[
        bool, typer.Option("--only-behind", help="Only those that lack something.")
    ] = False,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """What each channel and register has, and lacks.

    Example: stillopen replica list --only-behind
    """

    async def work() -> list[headquarters_pb2.Replica]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.replicas(group, only_behind=only_behind)]

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        [
            "store",
            "register",
            "group",
            ">has",
            ">newest",
            ">lacks",
            "state",
            "last heard",
            "left out",
            "",
        ],
        [
            (
                r.store_id,
                r.register_id or "(channel)",
                r.group_id,
                r.sequence,
                r.newest_sequence,
                r.behind,
                state_text(r.state),
                terminal.time_text(r.last_contact_time)
                if r.HasField("last_contact_time")
                else "never",
                ", ".join(r.excluded_tables),
                r.message,
            )
            for r in found
        ],
    )


def state_text(state: headquarters_pb2.DownloadState.ValueType) -> str:
    """A download state as people read it; one that newer software knows by its number."""
    named = headquarters_pb2.DownloadState.DESCRIPTOR.values_by_number.get(state)
    name = named.name.removeprefix(_STATE) if named else str(state)
    return name.lower().replace("_", " ")
