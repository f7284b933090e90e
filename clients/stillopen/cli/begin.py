"""`stillopen headquarters begin`: a new headquarters, and who may sign in to it first."""

from pathlib import Path
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.machine import Machine
from stillopen.cli.secrets import ask_new_password
from stillopen.core.ids import check_id, check_name
from stillopen.core.money import Money, check_money
from stillopen.core.permissions import ADMINISTRATOR
from stillopen.core.products import SALT_BYTES, StaffMember, hash_password
from stillopen.headquarters.audit import note
from stillopen.headquarters.changes import mark
from stillopen.headquarters.credentials import end_sessions
from stillopen.headquarters.parameters import begin_parameters
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.tables import STAFF_MEMBER
from stillopen.storage.engine import Session

app = typer.Typer(no_args_is_help=True, help="Begin a headquarters.")


@app.command()
def begin(
    administrator: Annotated[str, typer.Option(help="Who may sign in and do everything.")],
    data: Annotated[Path, typer.Option(help="Folder for its files; made when missing.")] = Path(
        "var/headquarters"
    ),
    currency: Annotated[str, typer.Option(help="Currency of a new headquarters.")] = "EUR",
    name: Annotated[str, typer.Option(help="The administrator's full name.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make the databases of a headquarters and its first administrator.

    On one that exists it adds an administrator, or gives one a new password; headquarters must not
    run meanwhile.

    Example: stillopen headquarters begin --administrator alice --currency EUR
    """

    async def work() -> None:
        check_money(Money(currency, 0), "currency")
        check_id(administrator, "administrator")
        full_name = check_name(name or administrator, "name")
        password = ask_new_password(from_stdin=password_stdin)
        machine = Machine()
        password_hash = hash_password(password, machine.rng.randbytes(SALT_BYTES))
        member = StaffMember(administrator, full_name, password_hash, ADMINISTRATOR.role_id)
        await begin_headquarters(data, currency, member, machine)

    terminal.run(work())
    if json:
        terminal.show_json({"data": str(data), "administrator": administrator})
    else:
        terminal.out.print(
            f"[bold]{data}[/] is a headquarters; {administrator} may sign in. Start it with"
            f" [bold]stillopen serve headquarters --data {data}[/]",
            soft_wrap=True,
        )


async def begin_headquarters(
    data: Path, currency: str, administrator: StaffMember, machine: Machine
) -> None:
    """Makes the databases, if there are none, and an administrator."""
    check_money(Money(currency, 0), "currency")
    engine = await machine.open_engine(data / "headquarters.db", SCHEMA)
    try:
        await begin_parameters(engine, currency)
        wall_s = machine.clock.wall_s()
        await engine.write(lambda session: _put(session, administrator, wall_s))
    finally:
        await engine.close()


def _put(session: Session, member: StaffMember, wall_s: float) -> None:
    session.run(
        "INSERT OR REPLACE INTO staff VALUES (?,?,?,?,?)",
        member.staff_id,
        member.name,
        member.password_hash,
        member.role_id,
        int(member.blocked),
    )
    mark(session, STAFF_MEMBER, [member.staff_id])
    end_sessions(session, "SELECT ?", member.staff_id)
    note(
        session, wall_s, "the machine's owner", "BEGIN", f"staff {member.staff_id}", "administrator"
    )
