"""One place, as it ships, in a process that can end itself: `python -m tests.processes.launcher`.

It prints where it listens. With `--die POINT` it ends itself there with SIGKILL, having written the
marker file; counting begins at once, or anew with `--arm` when SIGUSR1 comes; what was counted
until then is printed.
SIGTERM ends it in good order; it prints what it has counted.
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.processes.counting import Points
from tests.support import callers
from tests.support.estate_parts import RESERVE_BYTES, STORE, fits

from stillopen.cli.machine import Machine, Place
from stillopen.cli.places import (
    ChannelSettings,
    HeadquartersSettings,
    start_channel,
    start_headquarters,
    start_register,
)
from stillopen.register import RegisterSettings
from stillopen.storage.reserve import FileReserve


def say(value: object) -> None:
    """One line of JSON."""
    print(json.dumps(value), flush=True)  # noqa: T201 - this is how the test hears it


async def start(arguments: argparse.Namespace, machine: Machine) -> Place:
    """Starts the place that was asked for."""
    data, listen, upper = arguments.data, arguments.listen, arguments.upper
    match arguments.place:
        case "headquarters":
            return await start_headquarters(HeadquartersSettings(data, listen), machine)
        case "channel":
            return await start_channel(
                ChannelSettings(data, listen, upper, STORE, callers.channel(STORE).secret), machine
            )
        case _:
            return await start_register(
                RegisterSettings("R1", data, upper, callers.register("R1").secret), listen, machine
            )


async def run(arguments: argparse.Namespace) -> None:
    """Runs the place until SIGTERM."""
    points = Points(arguments.die, arguments.marker, armed=not arguments.arm)
    machine = Machine(
        open_engine=points.open_engine,
        open_channel=points.open_channel,
        check_password=fits,
        off_loop=points.off_loop,
        reserve=partial(FileReserve, size_bytes=RESERVE_BYTES),
    )
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: say({"armed": points.arm()}))
    place = await start(arguments, machine)
    tasks = [asyncio.create_task(_run(work)) for work in place.work]
    say({"address": place.address})
    await stop.wait()
    say({"seen": dict(points.seen)})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await place.close()


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def main() -> None:
    """Reads the arguments and runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", choices=["headquarters", "channel", "register"], required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--upper", default="", help="headquarters of a channel, or vice versa")
    parser.add_argument("--die", default="", help="the point at which the process ends itself")
    parser.add_argument("--marker", type=Path, required=True, help="written just before")
    parser.add_argument("--arm", action="store_true", help="count from SIGUSR1 on")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
