"""`stillopen audit`: what people did to the set-up."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.v1 import headquarters_pb2

app = typer.Typer(no_args_is_help=True, help="What people did to the set-up: who, when and why.")

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def audit() -> None:
    """What people did to the set-up: who, when and why."""


@app.command(name="list")
def list_(
    subject: Annotated[
        str, typer.Option(help="Only what concerns this register, store, profile and so on.")
    ] = "",
    most: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=100_000)] = 50,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """The newest entries.

    Example: stillopen audit list --subject R1
    """

    async def work() -> list[headquarters_pb2.AuditEntry]:
        async with Headquarters(headquarters) as place:
            return await place.audit(subject, most)

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        ["when (UTC)", "who", "what", "to", "detail"],
        [
            (
                terminal.time_text(each.time),
                each.person,
                each.action.lower().replace("_", " "),
                each.subject,
                each.detail,
            )
            for each in found
        ],
    )
