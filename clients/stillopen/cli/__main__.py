"""The `stillopen` command."""

import typer

from stillopen.cli import card, demo, imports, journal, lane, parameters, profile, returns, serve
from stillopen.cli.status import status

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Stillopen: the network goes down, the shop is still open.",
)
app.add_typer(serve.app, name="serve")
app.add_typer(imports.app, name="import")
app.command()(status)
app.add_typer(journal.app, name="journal")
app.add_typer(card.app, name="card")
app.add_typer(lane.app, name="lane")
app.add_typer(parameters.app, name="parameters")
app.add_typer(profile.app, name="profile")
app.add_typer(returns.app, name="returns")
app.command()(demo.demo)


def main() -> None:
    """Runs the command."""
    app(prog_name="stillopen")


if __name__ == "__main__":
    main()
