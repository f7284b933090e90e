"""README and the pages of commands are true: every command block runs, and every path exists.

They use the ports that a user would have; one file, so that they never run at one time.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.repository import ROOT

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PAGE = (ROOT / "docs" / "set-up.md").read_text()
PAGE_BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BY_FILE = (ROOT / "docs" / "no-line.md").read_text()
BY_FILE_BLOCKS = re.findall(r"^```sh\n(.*?)^```$", BY_FILE, re.MULTILINE | re.DOTALL)
TIMEOUT_S = 100.0
LONG_S = 250.0
"""For a page of many commands, on a machine that is busy with other tests."""
SHORTER = {
    "make test\n": "make --dry-run test",
    "make demo\n": "make --dry-run demo",
    ".venv/bin/stillopen demo --replay\n": ".venv/bin/stillopen demo --help",
}
"""Running the first here would run this test again without end; the demos have tests of their own
in test_command.py."""
SERVING = "make serve\n"


@pytest.fixture(name="folder")
def copy_of_the_repository(tmp_path: Path) -> Path:
    """A folder that looks like the repository, with no files of its own under ./var."""
    for entry in ROOT.iterdir():
        if entry.name not in {"var", ".git"}:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "var").mkdir()
    return tmp_path


async def run(command: str, folder: Path, patience_s: float = TIMEOUT_S) -> str:
    """Runs a block as a person would and returns what it says; fails as it fails.

    What it leaves running ends with it.
    """
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", command),
        cwd=folder,
        env={**os.environ, "STILLOPEN_HOME": str(folder / "home")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(patience_s):
            out, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out.decode()
    return out.decode()


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[None]:
    """`make serve`, until it says that Ctrl-C stops all; then Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        *("make", "serve"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(TIMEOUT_S):
        while b"Ctrl-C stops all" not in said:
            line = await process.stdout.readline()
            said += line
            assert line, said.decode()
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            await process.communicate()


def blocks_before_serving() -> list[str]:
    """What can be run without anything running."""
    texts = [text for _, text in BLOCKS]
    return texts[: texts.index(SERVING)]


async def test_every_block_before_serving_runs(folder: Path) -> None:
    for block in blocks_before_serving():
        await run(SHORTER.get(block, block), folder)


async def test_every_block_after_serving_runs_while_it_serves(folder: Path) -> None:
    texts = [text for _, text in BLOCKS]
    after = BLOCKS[texts.index(SERVING) + 1 :]
    assert after
    async with serving(folder):
        for kind, block in after:
            if kind == "python":
                (folder / "example.py").write_text(block)
                assert "Receipt(" in await run(".venv/bin/python example.py", folder)
            else:
                await run(block, folder)


async def test_a_store_is_set_up_from_nothing_sells_through_a_cut_and_drains(
    folder: Path,
) -> None:
    """The page "Set up a store", word by word, in one shell."""
    said = await run("".join(PAGE_BLOCKS), folder)
    assert "SALE_STATE_COMPLETED" in said
    assert "card ...0001: 42.05 EUR, free" in said


@pytest.mark.timeout(2 * LONG_S)
async def test_a_store_without_a_line_is_filled_and_counted_by_files(folder: Path) -> None:
    """The page "A store without a line", word by word, in one shell."""
    said = await run("".join(BY_FILE_BLOCKS), folder, LONG_S)
    assert "SALE_STATE_COMPLETED" in said
    assert "1 entries new, 0 there before, 0 damaged" in said
    assert "0 entries new, 1 there before, 0 damaged" in said


def test_only_the_last_part_of_the_page_is_not_run() -> None:
    before, _, after = PAGE.partition("## Beyond one machine")
    assert "    stillopen" not in before
    assert "```" not in after


def test_no_block_is_of_a_kind_that_is_not_run() -> None:
    fences = re.findall(r"^```(\w*)$", TEXT, re.MULTILINE)
    assert [kind for kind in fences if kind] == [kind for kind, _ in BLOCKS]


def test_every_path_the_readme_names_exists() -> None:
    roots = ("", "services/stillopen/", "clients/stillopen/")
    named = re.findall(r"`([\w./]+\.(?:py|proto|md)|[\w./]+/)`", TEXT)
    assert named
    missing = [p for p in named if not any((ROOT / root / p).exists() for root in roots)]
    assert [p for p in missing if "/" in p] == []
