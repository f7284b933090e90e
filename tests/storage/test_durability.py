"""What was answered is on the disk: every commit is flushed before its answer."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.five_writes import WRITES
from tests.support.notes import SCHEMA
from tests.support.repository import ROOT

from stillopen.storage.files import open_writer

FLUSHED = re.compile(r"\b(fsync|fdatasync)(\(\d+\)| resumed>\)) += 0")
ANSWERED = re.compile(r'\bwrite\(1, "answered (\d+)')

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: system calls cannot be seen"
)


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_journal_and_ledger_commit_with_synchronous_full(
    tmp_path: Path, *, durable: bool, level: int
) -> None:
    connection = open_writer(tmp_path / "notes.db", SCHEMA, durable=durable)
    try:
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        connection.close()


def flushes_before_each_answer(folder: Path, how: str) -> list[int]:
    """How often the process flushed before each answer, since the one before."""
    log = folder / "calls.txt"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,write", "-o", str(log)]
    command += [sys.executable, "-m", "tests.support.five_writes", str(folder / "notes.db"), how]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "PTRACE" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    counts = [0]
    answers: list[int] = []
    for line in log.read_text().splitlines():
        if FLUSHED.search(line):
            counts[-1] += 1
        elif answer := ANSWERED.search(line):
            answers.append(int(answer[1]))
            counts.append(0)
    assert answers == list(range(WRITES + 1))
    return counts[1 : WRITES + 1]


@needs_strace
def test_every_commit_reaches_the_disk_before_its_answer(tmp_path: Path) -> None:
    flushes = flushes_before_each_answer(tmp_path, "durable")
    assert len(flushes) == WRITES
    assert all(count >= 1 for count in flushes), flushes


@needs_strace
def test_without_durability_nothing_is_flushed_between_answers(tmp_path: Path) -> None:
    """The test above can fail: it tells flushed commits from others."""
    assert flushes_before_each_answer(tmp_path, "careless") == [0] * WRITES
