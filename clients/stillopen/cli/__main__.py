"""The `stillopen` command."""

import typer

from stillopen.cli import (
    audit,
    begin,
    card,
    demo,
    exports,
    group,
    imports,
    install,
    journal,
    lane,
    parameters,
    people,
    period,
    profile,
    registers,
    removals,
    replica,
    returns,
    schedule,
    serve,
    session,
    store,
)
from stillopen.cli.status import status
from stillopen.cli.wait import wait

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Stillopen: the network goes down, the shop is still open.",
)
app.command()(people.sign_in)
app.command()(people.sign_out)
app.command()(people.who)
app.add_typer(people.roles, name="role")
app.add_typer(begin.app, name="headquarters")
app.add_typer(serve.app, name="serve")
app.add_typer(imports.app, name="import")
app.add_typer(exports.app, name="export")
app.command()(removals.remove)
app.command()(status)
app.command()(wait)
app.add_typer(journal.app, name="journal")
app.add_typer(card.app, name="card")
app.add_typer(lane.app, name="lane")
app.add_typer(group.app, name="group")
app.add_typer(store.app, name="store")
registers.app.command(name="install")(install.register_install)
app.add_typer(registers.app, name="register")
app.add_typer(install.channel, name="channel")
app.add_typer(parameters.app, name="parameters")
app.add_typer(profile.app, name="profile")
app.add_typer(period.app, name="period")
app.add_typer(schedule.app, name="schedule")
app.add_typer(replica.app, name="replica")
app.add_typer(session.app, name="session")
app.add_typer(audit.app, name="audit")
app.add_typer(returns.app, name="returns")
app.command()(demo.demo)


def main() -> None:
    """Runs the command."""
    app(prog_name="stillopen")


if __name__ == "__main__":
    main()
