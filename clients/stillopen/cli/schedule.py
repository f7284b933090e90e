"""`stillopen schedule`: what carries master data to which stores, and when."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import Reason, Refused
from stillopen.replication.tables import ALL_JOBS
from stillopen.rpc.wire import duration_from, duration_to
from stillopen.v1 import headquarters_pb2

app = typer.Typer(
    no_args_is_help=True, help="Distribution schedules: what goes to which stores, and when."
)

Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Name = Annotated[str, typer.Argument(help="The schedule.")]
Schedule = headquarters_pb2.DistributionSchedule


@app.command(name="list")
def list_(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Schedules by name.

    Example: stillopen schedule list
    """

    async def work() -> list[Schedule]:
        async with Headquarters(headquarters) as place:
            return await place.schedules()

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        ["schedule", "jobs", "groups", "runs", "last run"],
        [(s.name, _jobs(s), _groups(s), _when(s), _last(s)) for s in found],
    )


@app.command(name="set")
def set_(
    name: Name,
    jobs: Annotated[
        list[int] | None,
        typer.Option(
            "--job",
            help="A job; may be repeated: 1010 customers, 1020 prices, 1040 products, 1060 staff,"
            " 1070 stores, 1080 taxes, 1090 registers, 1110 parameters, 9999 all of them.",
        ),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--group", help="A channel group; may be repeated. None means all."),
    ] = None,
    on_change: Annotated[
        bool | None, typer.Option(help="Whether it runs as soon as something changed.")
    ] = None,
    every_s: Annotated[
        float | None,
        typer.Option(help="How often it runs; with --on-change the least time between two runs."),
    ] = None,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Add a schedule, or change what is named of one.

    Example: stillopen schedule set prices --job 1020 --job 1040 --every-s 3600
    """

    async def work() -> Schedule:
        async with Headquarters(headquarters) as place:
            wanted = await _find(place, name) or Schedule(name=name, jobs=[ALL_JOBS])
            if jobs is not None:
                wanted.jobs[:] = jobs
            if groups is not None:
                wanted.group_ids[:] = groups
            if on_change is not None:
                wanted.on_change = on_change
            if every_s is not None:
                wanted.every.CopyFrom(duration_to(every_s))
            return await place.set_schedule(wanted)

    _say(terminal.run(work()), as_json=json)


@app.command()
def run(name: Name, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Run a schedule now, also one that is paused.

    Example: stillopen schedule run default
    """

    async def work() -> list[headquarters_pb2.DistributionRun]:
        async with Headquarters(headquarters) as place:
            return await place.run_schedule(name)

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
    elif not found:
        terminal.out.print("every channel group has everything already")
    else:
        show_runs(found)


@app.command()
def runs(
    group: Annotated[str, typer.Option(help="One channel group only.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """The packages that were made, the newest first.

    Example: stillopen schedule runs --group Default
    """

    async def work() -> list[headquarters_pb2.DistributionRun]:
        found: list[headquarters_pb2.DistributionRun] = []
        async with Headquarters(headquarters) as place:
            async for each in place.runs(group):
                found.append(each)
                if len(found) == limit:
                    break
        return found

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
    else:
        show_runs(found)


@app.command()
def pause(name: Name, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Have a schedule not run by itself.

    Example: stillopen schedule pause default
    """
    _pause(name, headquarters, paused=True, as_json=json)


@app.command()
def resume(name: Name, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Have a paused schedule run by itself again.

    Example: stillopen schedule resume default
    """
    _pause(name, headquarters, paused=False, as_json=json)


@app.command()
def remove(name: Name, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Remove a schedule.

    Example: stillopen schedule remove prices
    """

    async def work() -> None:
        async with Headquarters(headquarters) as place:
            await place.remove_schedule(name)

    terminal.run(work())
    if json:
        terminal.show_json({"removed": name})
    else:
        terminal.out.print(f"schedule [bold]{name}[/] is removed")


def show_runs(found: list[headquarters_pb2.DistributionRun]) -> None:
    """Runs as a table."""
    terminal.show_table(
        ["began", "schedule", "group", ">package", ">changed", ">removed", ">bytes", "failure"],
        [
            (
                terminal.time_text(r.begin_time),
                r.schedule or "-",
                r.group_id,
                r.sequence,
                r.changed,
                r.removed,
                r.size,
                r.failure,
            )
            for r in found
        ],
    )


def _pause(name: str, headquarters: str, *, paused: bool, as_json: bool) -> None:
    async def work() -> Schedule:
        async with Headquarters(headquarters) as place:
            found = await _find(place, name)
            if found is None:
                raise Refused(Reason.NAME_UNKNOWN, f"there is no schedule {name}", "name")
            found.paused = paused
            return await place.set_schedule(found)

    _say(terminal.run(work()), as_json=as_json)


async def _find(place: Headquarters, name: str) -> Schedule | None:
    return next((each for each in await place.schedules() if each.name == name), None)


def _say(schedule: Schedule, *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(terminal.as_json(schedule))
    else:
        terminal.out.print(
            f"schedule [bold]{schedule.name}[/]: jobs {_jobs(schedule)} for {_groups(schedule)},"
            f" {_when(schedule)}"
        )


def _jobs(schedule: Schedule) -> str:
    return " ".join(map(str, schedule.jobs))


def _groups(schedule: Schedule) -> str:
    return ", ".join(schedule.group_ids) or "all groups"


def _when(schedule: Schedule) -> str:
    every_s = duration_from(schedule.every)
    if schedule.paused:
        return "paused"
    if schedule.on_change:
        return f"on change, at most every {every_s:g} s" if every_s else "on change"
    return f"every {every_s:g} s" if every_s else "when somebody runs it"


def _last(schedule: Schedule) -> str:
    return (
        terminal.time_text(schedule.last_run_time)
        if schedule.HasField("last_run_time")
        else "never"
    )
