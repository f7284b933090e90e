"""How long a register takes to begin: its library's import, and its process to the first sale.

The process has master data of before and no channel, as after a power cut while the line is down.
From its start as a process until `complete` answered its frontend: one line, paid in cash, with the
cashier's sign-in before. Both stand beside a Python that does nothing. Everything was run before,
so that its bytecode is there, as pip leaves it behind.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import stores
from tests.bench.figures import Figure, median

from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate, import_master_data
from stillopen.cli.frontend import Frontend, ready
from stillopen.cli.sample import sample_cards, sample_products

ROUNDS = 7
REGISTER, CODE = "R1", "P000"
NOTHING, LIBRARY = "pass", "import stillopen.register"
READY_S = 60.0


@contextmanager
def bytecode_kept(folder: Path) -> Generator[None]:
    """What is started within keeps its bytecode in a folder, and finds it there again."""
    before = dict(os.environ)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def runs(program: str) -> float:
    """Seconds of a Python with that program, from its start to its end."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
    return time.perf_counter() - began


async def sells(estate: Estate) -> float:
    """Seconds from the start of the register's process to its first completed sale."""
    await estate.kill(REGISTER)
    began = time.perf_counter()
    await estate.restart(REGISTER)
    async with Frontend(estate.address(REGISTER)) as frontend:
        await frontend.sign_in()
        await frontend.begin()
        await frontend.ring(CODE)
        await frontend.pay_cash()
        await frontend.complete()
        return time.perf_counter() - began


async def prepare(estate: Estate) -> None:
    """A register that has everything, and then nobody above it."""
    await estate.start_headquarters()
    await import_master_data(estate, sample_products("EUR"), sample_cards("EUR"))
    await estate.start_channel()
    await estate.start_register(REGISTER)
    async with Frontend(estate.address(REGISTER)) as frontend:
        await frontend.sign_in()
        await frontend.until(ready, READY_S)
    for name in (CHANNEL, HEADQUARTERS):
        await estate.kill(name)


async def measure() -> list[Figure]:
    """Rounds of all three in turn."""
    await stores.check_flushes()
    with (
        tempfile.TemporaryDirectory(prefix="stillopen-bench-") as name,
        bytecode_kept(Path(name) / "bytecode"),
    ):
        async with Estate(Path(name) / "estate", "EUR") as estate:
            await prepare(estate)
            rounds = [
                (await runs(NOTHING), await runs(LIBRARY), await sells(estate))
                for _ in range(ROUNDS + 1)
            ][1:]
    nothing, library, first_sale = (median(each) for each in zip(*rounds, strict=True))
    return [
        _stated("start, import of the register", library, nothing),
        _stated("start, process to its first sale", first_sale, nothing),
    ]


def _stated(name: str, ours: float, reference: float) -> Figure:
    return Figure(name, ours * 1_000, "ms", reference * 1_000, aim=None, at_least=False)
