"""`stillopen channel install` and `stillopen register install`: a folder becomes a place.

The one-time code comes from headquarters; what comes back for it is kept in the folder, readable by
its owner alone.
"""

from pathlib import Path
from typing import Annotated

import typer

from stillopen.cli import registers, terminal
from stillopen.cli.machine import Machine
from stillopen.cli.security import Plaintext, Tls, security_of
from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.ids import check_id
from stillopen.register.tables import SCHEMA as REGISTER_SCHEMA
from stillopen.rpc.channel import open_channel
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.security import Security
from stillopen.rpc.status import call
from stillopen.storage.files import Hold
from stillopen.storage.identity_file import Identity, read_identity, write_identity
from stillopen.v1 import (
    channel_data_pb2,
    channel_data_pb2_grpc,
    headquarters_pb2,
    headquarters_pb2_grpc,
)

TIMEOUT_S = 30.0
_NOBODY = Caller(CallerKind.PERSON, "installing")

Code = Annotated[str, typer.Option("--code", help="The one-time code from headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


channel = typer.Typer(no_args_is_help=True, help="The channel of a store, on this machine.")


def installed(data: Path, kind: CallerKind) -> Identity:
    """What a folder was installed as; Misuse NOT_INSTALLED before."""
    found = read_identity(data, kind)
    if found is None:
        raise Misuse(
            Reason.NOT_INSTALLED,
            f"{data} is not installed: stillopen {kind} install --data {data} --code CODE",
        )
    return found


def installed_as(data: Path) -> Identity:
    """Which place a folder is, channel or register; Misuse NOT_INSTALLED when it is none."""
    for kind in (CallerKind.CHANNEL, CallerKind.REGISTER):
        try:
            found = read_identity(data, kind)
        except Misuse as error:
            if error.reason is not Reason.NOT_INSTALLED:
                raise
        else:
            if found is not None:
                return found
    raise Misuse(
        Reason.NOT_INSTALLED,
        f"{data} is neither a channel nor a register: there is no identity.json of one in it",
    )


@channel.command(name="install")
def channel_install(
    code: Code,
    data: Annotated[Path, typer.Option(help="Folder for its files.")] = Path("var/channel"),
    headquarters: Annotated[str, typer.Option(help="Address of headquarters.")] = "127.0.0.1:7400",
    tls: Tls = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Make a folder the channel of a store, with a code of `stillopen store activation-code`.

    Example: stillopen channel install --code 7K2M-9QXD-4TBN-C8HP --data var/channel
    """

    async def work() -> Identity:
        security = security_of(tls, plaintext=plaintext)
        return await install_channel(data, headquarters, code, security)

    _say(terminal.run(work()), data, as_json=json)


register = registers.app


@register.command(name="install")
def register_install(
    code: Code,
    data: Annotated[Path, typer.Option(help="Folder for its files.")] = Path("var/register"),
    upper: Annotated[str, typer.Option("--channel", help="Address of the store's channel.")] = (
        "127.0.0.1:7410"
    ),
    tls: Tls = None,
    plaintext: Plaintext = False,
    json: Json = False,
) -> None:
    """Make a folder a register, with a code of `stillopen register activation-code`.

    Sales that a register of this folder still owes stay and are delivered.
    Example: stillopen register install --code 7K2M-9QXD-4TBN-C8HP --data var/R1
    """

    async def work() -> Identity:
        security = security_of(tls, plaintext=plaintext)
        return await install_register(data, upper, code, security)

    _say(terminal.run(work()), data, as_json=json)


async def install_channel(data: Path, headquarters: str, code: str, security: Security) -> Identity:
    """Asks headquarters with the code, and keeps what it gives."""
    before = read_identity(data, CallerKind.CHANNEL)
    async with open_channel(headquarters, security) as connection:
        hold = Hold(data / "channel.db")
        try:
            stub = headquarters_pb2_grpc.HeadquartersServiceStub(connection)
            request = headquarters_pb2.ActivateChannelRequest(activation_code=code)
            answer = await call(stub.ActivateChannel, request, _NOBODY, TIMEOUT_S)
        finally:
            hold.release()
    if before is not None and before.name != answer.store_id:
        raise Refused(
            Reason.IN_USE,
            f"{data} is the channel of {before.name}; install {answer.store_id} in a folder of its"
            " own, with a new code",
        )
    identity = Identity(
        CallerKind.CHANNEL, answer.store_id, answer.store_id, headquarters, answer.secret
    )
    write_identity(data, identity)
    return identity


async def install_register(data: Path, upper: str, code: str, security: Security) -> Identity:
    """Asks the store's channel with the code, keeps what it gives, and makes the databases."""
    before = read_identity(data, CallerKind.REGISTER)
    async with open_channel(upper, security) as connection:
        hold = Hold(data / "journal.db")
        try:
            stub = channel_data_pb2_grpc.ChannelDataServiceStub(connection)
            request = channel_data_pb2.ActivateRegisterRequest(activation_code=code)
            answer = await call(stub.ActivateRegister, request, _NOBODY, TIMEOUT_S)
        finally:
            hold.release()
    check_id(answer.register_id, "register_id")
    if before is not None and before.name != answer.register_id:
        raise Refused(
            Reason.IN_USE,
            f"{data} is register {before.name}; its journal is not another's: install"
            f" {answer.register_id} in a folder of its own, with a new code",
        )
    identity = Identity(
        CallerKind.REGISTER, answer.register_id, answer.store_id, upper, answer.secret
    )
    write_identity(data, identity)
    engine = await Machine().open_engine(data / "journal.db", REGISTER_SCHEMA)
    await engine.close()
    return identity


def _say(identity: Identity, data: Path, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json({"kind": identity.kind, "id": identity.name, "data": str(data)})
    else:
        terminal.out.print(
            f"[bold]{data}[/] is {identity.kind} {identity.name} of store {identity.store_id};"
            f" start it with [bold]stillopen serve {identity.kind} --data {data}[/]",
            soft_wrap=True,
        )
