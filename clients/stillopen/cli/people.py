"""`stillopen sign-in`, `sign-out`, `who` and `role`: people at headquarters, and their roles."""

from collections.abc import Iterable
from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters, signed_in
from stillopen.cli.machine import Machine
from stillopen.cli.secrets import ask_password
from stillopen.cli.security import Plaintext, Tls, security_of
from stillopen.cli.sessions import SignedIn, forget_session, keep_session, read_session
from stillopen.core.errors import Misuse, Reason, StillopenError, Unreachable, invalid
from stillopen.core.permissions import Permission
from stillopen.rpc.wire import permissions_from, permissions_to, time_to
from stillopen.v1 import types_pb2

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AT_HOME = "127.0.0.1:7400"

roles = typer.Typer(no_args_is_help=True, help="Roles: what people may do.")


def sign_in(
    name: Annotated[str, typer.Argument(help="The staff id.")],
    headquarters: Address = AT_HOME,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    tls: Tls = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Sign in to headquarters; the commands that follow need it.

    The token is good for twelve hours and kept in a file that you alone may read.
    The environment's STILLOPEN_HOME names another folder for it.
    Example: stillopen sign-in alice
    """

    async def work() -> tuple[SignedIn, types_pb2.StaffMember]:
        security = security_of(tls, plaintext=plaintext)
        password = ask_password(f"Password of {name}", from_stdin=password_stdin)
        answer = await signed_in(headquarters, name, password, security)
        expires_wall_s = Machine().clock.wall_s() + answer.expires_in.seconds
        folder = str(tls.absolute()) if tls else ""
        kept = SignedIn(answer.staff.staff_id, answer.token, expires_wall_s, folder, plaintext)
        keep_session(headquarters, kept)
        return kept, answer.staff

    kept, staff = terminal.run(work())
    until = time_to(kept.expires_wall_s)
    if json:
        terminal.show_json(
            {
                "staff_id": staff.staff_id,
                "name": staff.name,
                "role_id": staff.role_id,
                "permissions": _names(staff.permissions),
                "expires": until.ToJsonString(),
            }
        )
    else:
        terminal.out.print(
            f"[bold]{staff.name}[/] is signed in to {headquarters} as {staff.role_id} until"
            f" {terminal.time_text(until)} UTC",
            soft_wrap=True,
        )


def sign_out(headquarters: Address = AT_HOME, json: Json = False) -> None:
    """Sign out of headquarters; the token is good for nothing then.

    Example: stillopen sign-out
    """

    async def work() -> SignedIn:
        kept = _kept(headquarters)
        try:
            async with Headquarters(headquarters) as place:
                await place.sign_out()
        except Unreachable:
            raise  # the token is still good there, so it is not forgotten here
        except StillopenError as error:
            if error.reason is not Reason.CALLER_UNKNOWN:
                raise
        forget_session(headquarters)
        return kept

    kept = terminal.run(work())
    if json:
        terminal.show_json({"staff_id": kept.staff_id})
    else:
        terminal.out.print(f"{kept.staff_id} is signed out of {headquarters}", soft_wrap=True)


def who(headquarters: Address = AT_HOME, json: Json = False) -> None:
    """Who is signed in to headquarters here, and until when. Asks nobody.

    Example: stillopen who
    """

    async def work() -> SignedIn:
        kept = _kept(headquarters)
        if kept.expires_wall_s <= Machine().clock.wall_s():
            raise Misuse(Reason.CALLER_UNKNOWN, f"the sign-in of {kept.staff_id} has ended")
        return kept

    kept = terminal.run(work())
    until = time_to(kept.expires_wall_s)
    if json:
        terminal.show_json({"staff_id": kept.staff_id, "expires": until.ToJsonString()})
    else:
        terminal.out.print(f"{kept.staff_id} until {terminal.time_text(until)} UTC", soft_wrap=True)


@roles.command("list")
def list_roles(headquarters: Address = AT_HOME, json: Json = False) -> None:
    """Every role and what it allows.

    Example: stillopen role list
    """

    async def work() -> list[types_pb2.Role]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.roles()]

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        ["role", "name", "may"],
        [(each.role_id, each.name, ", ".join(_names(each.permissions))) for each in found],
    )


@roles.command("set")
def set_role(
    role_id: Annotated[str, typer.Argument(help="The role's id; a new one is made.")],
    may: Annotated[
        list[str] | None,
        typer.Option("--may", help="What it allows; once for each permission."),
    ] = None,
    name: Annotated[str, typer.Option(help="The name for people; the id without one.")] = "",
    headquarters: Address = AT_HOME,
    json: Json = False,
) -> None:
    """Make a role, or change it: it allows what is named here and nothing else.

    At headquarters it counts at once, at a register with its next data.
    Example: stillopen role set trainee --may SELL --may VOID
    """

    async def work() -> types_pb2.Role:
        wanted = [_permission(each) for each in may or []]
        role = types_pb2.Role(
            role_id=role_id, name=name or role_id, permissions=permissions_to(frozenset(wanted))
        )
        async with Headquarters(headquarters) as place:
            return await place.set_role(role)

    role = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(role))
    else:
        allowed = ", ".join(_names(role.permissions)) or "nothing"
        terminal.out.print(f"role [bold]{role.role_id}[/] may: {allowed}", soft_wrap=True)


def _kept(headquarters: str) -> SignedIn:
    kept = read_session(headquarters)
    if kept is None:
        raise Misuse(Reason.CALLER_UNKNOWN, f"nobody is signed in to {headquarters} here")
    return kept


def _permission(text: str) -> Permission:
    try:
        return Permission(text.strip().upper().replace("-", "_"))
    except ValueError:
        raise invalid("may", f"{text!r} is none of {', '.join(Permission)}") from None


def _names(numbers: Iterable[types_pb2.Permission.ValueType]) -> list[str]:
    held = permissions_from(numbers)
    return [str(each) for each in Permission if each in held]
