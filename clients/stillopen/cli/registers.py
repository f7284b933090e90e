"""`stillopen register`: registers of stores, codes for them, and retiring one."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.group import remove_set_up
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.register_status import status
from stillopen.cli.store import say_code
from stillopen.core.errors import Reason, Refused, invalid
from stillopen.v1 import headquarters_pb2

app = typer.Typer(no_args_is_help=True, help="Registers: set up, made known, retired.")
app.command(name="status")(status)

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Id = Annotated[str, typer.Argument(help="The register.")]

_STATES = {
    headquarters_pb2.REGISTER_STATE_NEW: "new",
    headquarters_pb2.REGISTER_STATE_ACTIVE: "active",
    headquarters_pb2.REGISTER_STATE_RETIRED: "retired",
}


@app.command(name="list")
def list_(
    store: Annotated[str, typer.Option(help="Only those of one store.")] = "",
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Registers by id, with how they stood when they were last heard.

    Example: stillopen register list --store S1
    """

    async def work() -> list[headquarters_pb2.RegisterRow]:
        async with Headquarters(headquarters) as place:
            return [each async for each in place.registers(store)]

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
    else:
        _print(found)


@app.command()
def show(register: Id, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """One register.

    Example: stillopen register show R1
    """

    async def work() -> headquarters_pb2.RegisterRow:
        async with Headquarters(headquarters) as place:
            found = await _find(place, register)
        if found is None:
            raise Refused(Reason.NAME_UNKNOWN, f"there is no register {register}", "register_id")
        return found

    _say(terminal.run(work()), as_json=json)


@app.command(name="set")
def set_(
    register: Id,
    store: Annotated[str | None, typer.Option(help="Its store.")] = None,
    name: Annotated[str | None, typer.Option(help="The name for people.")] = None,
    offline: Annotated[
        bool | None,
        typer.Option("--offline/--no-offline", help="Whether it may work offline. A new one may."),
    ] = None,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Add a register, or change what is given of one.

    Example: stillopen register set R3 --store S1 --name "At the door"
    """

    async def work() -> headquarters_pb2.RegisterRow:
        async with Headquarters(headquarters) as place:
            wanted = await _find(place, register)
            if wanted is None:
                if store is None:
                    raise invalid("store", f"register {register} is new: name its store")
                wanted = headquarters_pb2.RegisterRow(register_id=register, support_offline=True)
            if store is not None:
                wanted.store_id = store
            if name is not None:
                wanted.name = name
            if offline is not None:
                wanted.support_offline = offline
            return await place.set_register(wanted)

    _say(terminal.run(work()), as_json=json)


@app.command()
def remove(register: Id, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Remove a register that was never made known. One that sold is retired instead.

    Example: stillopen register remove R3
    """
    kind = headquarters_pb2.SET_UP_KIND_REGISTER
    remove_set_up(kind, "register", register, headquarters, as_json=json)


@app.command(name="activation-code")
def activation_code(
    register: Id, headquarters: Address = "127.0.0.1:7400", json: Json = False
) -> None:
    """A one-time code with which a machine becomes this register; an earlier one is void.

    Example: stillopen register activation-code R1
    """

    async def work() -> headquarters_pb2.CreateActivationCodeResponse:
        async with Headquarters(headquarters) as place:
            return await place.activation_code(register_id=register)

    command = f"stillopen register install --code {{}}  # {register}"
    say_code(terminal.run(work()), command, json=json)


@app.command()
def retire(
    register: Id,
    reason: Annotated[str, typer.Option(help="Why; kept with who and when.")],
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Although sales are not home: what its lanes lack is declared lost."
        ),
    ] = False,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Retire a register: it may deliver what it has, and nothing else.

    Refused with INCOMPLETE while its sales are not home.

    Example: stillopen register retire R1 --reason "Sold with the old shop"
    """

    async def work() -> headquarters_pb2.RetireRegisterResponse:
        async with Headquarters(headquarters) as place:
            return await place.retire(register, reason, force=force)

    answer = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(answer))
        return
    terminal.out.print(f"register [bold]{register}[/] is retired")
    if answer.lost_lanes:
        terminal.show_table(
            ["declared lost", ">claimed", ">received", ">locks then"],
            [
                (f"{lane.epoch:016x}", lane.claimed_head, lane.received_head, len(lane.locks))
                for lane in answer.lost_lanes
            ],
        )


async def _find(place: Headquarters, register: str) -> headquarters_pb2.RegisterRow | None:
    async for each in place.registers():
        if each.register_id == register:
            return each
    return None


def _say(register: headquarters_pb2.RegisterRow, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(register))
    else:
        _print([register])


def _print(registers: list[headquarters_pb2.RegisterRow]) -> None:
    terminal.show_table(
        ["register", "store", "name", "state", "offline", "known since", "last said", ">waiting"],
        [_row(each) for each in registers],
    )


def _row(each: headquarters_pb2.RegisterRow) -> tuple[object, ...]:
    said = each.report if each.HasField("report") else None
    known = terminal.time_text(each.activated_time) if each.HasField("activated_time") else "-"
    return (
        each.register_id,
        each.store_id,
        each.name,
        _STATES.get(each.state, "?"),
        "yes" if each.support_offline else "no",
        known,
        terminal.time_text(said.reported_time) if said else "nothing",
        said.waiting_entries if said else "",
    )
