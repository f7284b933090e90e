"""`stillopen lane`: what came home of every journal, and what people do about the rest."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.register_status import show_registers
from stillopen.core.errors import Reason, Refused, invalid
from stillopen.core.lanes import AlarmKind, epoch_text
from stillopen.rpc.machine import SystemClock
from stillopen.rpc.wire import money_from, time_from
from stillopen.v1 import headquarters_pb2, types_pb2

app = typer.Typer(no_args_is_help=True, help="The lanes of journals, as headquarters has them.")

Register = Annotated[str, typer.Argument(help="The register.")]
Lane = Annotated[
    str, typer.Argument(help="The lane, as `lane list` shows it; its first digits are enough.")
]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with who and when.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SHORT = 8
HOUR_S = 3_600.0
HERE = "127.0.0.1:7400"


@app.command(name="list")
def list_(
    register: Annotated[str, typer.Argument(help="One register; none for all.")] = "",
    silent_h: Annotated[
        float | None, typer.Option(help="Only registers not heard for so many hours.", min=0)
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Only what is not complete, or has an alarm.")
    ] = False,
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """Every lane: how much of it is here, when its register was heard, what is strange about it.

    Below, the registers that are offline or have something waiting, as they last said.

    Example: stillopen lane list --silent-h 24
    """

    async def work() -> headquarters_pb2.GetCompletenessResponse:
        async with Headquarters(headquarters) as place:
            return await place.completeness(register, only_open=open_)

    found = terminal.run(work())
    if register and not (found.registers or open_):
        terminal.fail(Refused(Reason.NAME_UNKNOWN, f"headquarters knows no register {register}"))
    if silent_h is not None:
        _leave_out_heard(found, SystemClock().wall_s() - silent_h * HOUR_S)
    if json:
        terminal.show_json(terminal.as_json(found))
        return
    terminal.show_table(
        [
            "register",
            "lane",
            ">claimed",
            ">here",
            ">applied",
            "in no effect",
            "last heard",
            "alarms",
        ],
        [
            (
                lane.register_id,
                epoch_text(lane.epoch)[:SHORT],
                lane.claimed_head,
                lane.stored_through,
                lane.applied,
                _in_no_effect(lane),
                terminal.time_text(lane.last_contact_time),
                _remarks(lane),
            )
            for lane in found.lanes
        ],
    )
    if wrong := [each for each in found.lanes if _in_no_effect(each)]:
        _point_to_quarantine(wrong)
    if waiting := [each for each in found.registers if _waits(each)]:
        show_registers(waiting)
    for alarm in found.other_alarms:
        terminal.out.print(f"[yellow]{alarm.register_id}: {_name(alarm.kind)}[/] {alarm.detail}")
    if found.recovering:
        terminal.out.print(f"[red]{found.recovering}[/]")
    terminal.out.print("complete" if found.complete else "[yellow]not complete[/]")


@app.command()
def show(register: Register, lane: Lane, headquarters: Address = HERE, json: Json = False) -> None:
    """One lane: its alarms, what people did about it, and what was lost with it.

    Example: stillopen lane show R1 5eed0000
    """

    async def work() -> tuple[headquarters_pb2.LaneCompleteness, headquarters_pb2.LostLane | None]:
        async with Headquarters(headquarters) as place:
            found = await find(place, register, lane)
            lost = await place.lost_lanes(register)
            return found, next((each for each in lost if each.epoch == found.epoch), None)

    found, lost = terminal.run(work())
    if json:
        record = terminal.as_json(lost) if lost else None
        terminal.show_json({"lane": terminal.as_json(found), "lost_lane": record})
        return
    _show_lane(found)
    if lost:
        _show_lost(lost)


@app.command(name="declare-lost")
def declare_lost(
    register: Register, lane: Lane, reason: Why, headquarters: Address = HERE, json: Json = False
) -> None:
    """Declare that what a lane lacks will not come; it is taken all the same if it does.

    Example: stillopen lane declare-lost R1 5eed0000 --reason "the disk is dead"
    """

    async def work() -> headquarters_pb2.LostLane:
        async with Headquarters(headquarters) as place:
            found = await find(place, register, lane)
            return await place.declare_lost(register, found.epoch, reason)

    lost = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(lost))
    else:
        _show_lost(lost)


@app.command()
def acknowledge(
    register: Register,
    lane: Lane,
    alarm: Annotated[AlarmKind, typer.Argument(help="Which alarm.", case_sensitive=False)],
    reason: Why,
    headquarters: Address = HERE,
    json: Json = False,
) -> None:
    """Note that an alarm was seen.

    Example: stillopen lane acknowledge R1 5eed0000 restored --reason "an old disk was put back"
    """
    kind = types_pb2.LaneAlarmKind.Value(f"LANE_ALARM_KIND_{alarm}")

    async def work() -> headquarters_pb2.LaneAlarm:
        async with Headquarters(headquarters) as place:
            epoch = await _find_alarm(place, register, lane)
            return await place.acknowledge(register, epoch, kind, reason)

    seen = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(seen))
        return
    terminal.out.print(f"acknowledged by {seen.acknowledged_by}: {seen.acknowledged_reason}")


@app.command(name="end-recovery")
def end_recovery(reason: Why, headquarters: Address = HERE, json: Json = False) -> None:
    """Wait no longer for journals that a restored headquarters once had, and lock cards again.

    Example: stillopen lane end-recovery --reason "store 12 burned down"
    """

    async def work() -> list[types_pb2.JournalPosition]:
        async with Headquarters(headquarters) as place:
            return await place.end_recovery(reason)

    given_up = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in given_up])
        return
    for each in given_up:
        lane = epoch_text(each.epoch)[:SHORT]
        terminal.out.print(f"{each.register_id} {lane}: had {each.sequence}, not waited for")
    if not given_up:
        terminal.out.print("nothing was waited for")


async def find(place: Headquarters, register: str, lane: str) -> headquarters_pb2.LaneCompleteness:
    """The one lane whose epoch begins so."""
    lanes = (await place.completeness(register)).lanes
    found = [each for each in lanes if _begins(each.epoch, lane)]
    if not found:
        raise Refused(Reason.LANE_UNKNOWN, f"register {register} has no lane {lane}")
    if len(found) > 1:
        raise invalid("lane", "several lanes begin so; give more digits")
    return found[0]


async def _find_alarm(place: Headquarters, register: str, lane: str) -> int:
    """The same; the alarm of a channel belongs to no lane."""
    for alarm in (await place.completeness(register)).other_alarms:
        if _begins(alarm.epoch, lane):
            return alarm.epoch
    return (await find(place, register, lane)).epoch


def _begins(epoch: int, lane: str) -> bool:
    return bool(lane) and epoch_text(epoch).startswith(lane.lower())


def _show_lane(lane: headquarters_pb2.LaneCompleteness) -> None:
    terminal.out.print(
        f"register {lane.register_id}, lane {epoch_text(lane.epoch)}: {lane.stored_through} of"
        f" {lane.claimed_head} are here, {lane.applied} applied, last heard"
        f" {terminal.time_text(lane.last_contact_time)}"
    )
    if _in_no_effect(lane):
        terminal.out.print(f"in no effect: {_in_no_effect(lane)}")
        _point_to_quarantine([lane])
    if lane.alarms:
        terminal.show_table(
            ["first seen", "alarm", "what was seen", "acknowledged"],
            [
                (
                    terminal.time_text(alarm.first_seen_time),
                    _name(alarm.kind),
                    alarm.detail,
                    f"{alarm.acknowledged_by}: {alarm.acknowledged_reason}"
                    if alarm.acknowledged_by
                    else "",
                )
                for alarm in lane.alarms
            ],
        )
    if lane.actions:
        terminal.show_table(
            ["time", "done", "by", "because"],
            [
                (terminal.time_text(a.time), a.action.lower().replace("_", " "), a.person, a.reason)
                for a in lane.actions
            ],
        )


def _show_lost(lost: headquarters_pb2.LostLane) -> None:
    terminal.out.print(
        f"declared lost by {lost.person} at {terminal.time_text(lost.declared_time)}:"
        f" {lost.reason}; claimed {lost.claimed_head}, {lost.received_head} were here"
    )
    if lost.received_head >= lost.claimed_head:
        terminal.out.print("[yellow]nothing of it was missing[/], as far as anybody said")
    if lost.came_back:
        terminal.out.print(f"[yellow]it came back: {lost.stored_through} are here now[/]")
    for each in lost.locks:
        terminal.out.print(
            f"open then: card ...{each.lock.last_four}, {money_from(each.lock.balance)} on it, sale"
            f" {each.transaction_id}"
        )


def _waits(register: headquarters_pb2.RegisterCompleteness) -> bool:
    """Whether a register is offline, or something of it is not home, as far as anybody said."""
    report = register.report
    return report.offline or report.waiting_entries > 0 or register.entries_missing > 0


def _in_no_effect(lane: headquarters_pb2.LaneCompleteness) -> str:
    counts = (
        (lane.quarantined, "in quarantine"),
        (lane.damaged, "damaged"),
        (lane.conflicts, "in conflict"),
    )
    return ", ".join(f"{count} {name}" for count, name in counts if count)


def _point_to_quarantine(lanes: list[headquarters_pb2.LaneCompleteness]) -> None:
    registers = {each.register_id for each in lanes}
    one = f" {registers.pop()}" if len(registers) == 1 else ""
    terminal.out.print(f"[yellow]why entries are in no effect[/]: stillopen quarantine list{one}")


def _remarks(lane: headquarters_pb2.LaneCompleteness) -> str:
    names = [_name(a.kind) for a in lane.alarms if not a.acknowledged_by]
    if lane.declared_lost:
        names.append("declared lost")
    if lane.recover_to:
        names.append(f"waited for to {lane.recover_to}")
    return ", ".join(names)


def _name(kind: types_pb2.LaneAlarmKind.ValueType) -> str:
    name = types_pb2.LaneAlarmKind.Name(kind).removeprefix("LANE_ALARM_KIND_")
    return name.lower().replace("_", " ")


def _leave_out_heard(found: headquarters_pb2.GetCompletenessResponse, since_wall_s: float) -> None:
    """Leaves the lanes of registers that were heard since then out of the list."""
    heard = {
        lane.register_id for lane in found.lanes if time_from(lane.last_contact_time) > since_wall_s
    }
    silent = [lane for lane in found.lanes if lane.register_id not in heard]
    del found.lanes[:]
    found.lanes.extend(silent)
    quiet = [each for each in found.registers if each.register_id not in heard]
    del found.registers[:]
    found.registers.extend(quiet)
