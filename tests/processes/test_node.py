"""A frontend in another language sells through a cut, over stubs made from the contract alone."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from tests.support.repository import ROOT
from tests.support.shop import open_shop

from stillopen.cli.estate import CHANNEL
from stillopen.cli.frontend import Frontend, delivered

SCRIPT = ROOT / "tests/processes/node"
TIMEOUT_S = 60.0


async def install(folder: Path) -> bool:
    """Installs grpc-js from the lock; whether it could be had."""
    for name in ("package.json", "package-lock.json", "sell.js"):
        shutil.copy(SCRIPT / name, folder / name)
    process = await asyncio.create_subprocess_exec(
        *("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"),
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await asyncio.wait_for(process.wait(), TIMEOUT_S) == 0


@pytest.mark.skipif(shutil.which("npm") is None, reason="node and npm are not on this machine")
async def test_a_frontend_in_javascript_sells_through_a_cut(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    if not await install(folder):
        pytest.skip("grpc-js cannot be installed here")
    async with open_shop(tmp_path / "shop", "R1") as estate:
        process = await asyncio.create_subprocess_exec(
            *("node", "sell.js", str(ROOT / "protos"), estate.address("R1")),
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            assert await process.stdout.readline() == b"locked\n"
            await estate.kill(CHANNEL)
            process.stdin.write(b"cut\n")
            told = json.loads(await process.stdout.readline())
            assert await process.wait() == 0
        assert told["receipt"]["offline"] is True
        await estate.restart(CHANNEL)
        async with (
            Frontend(estate.address("R1")) as frontend,
            estate.office() as headquarters,
        ):
            await frontend.until(delivered)
            await headquarters.until_complete(TIMEOUT_S)
            [home] = [each.sale async for each in headquarters.transactions()]
            card = await headquarters.card("6001000000000001")
    assert home.transaction_id == told["transaction_id"]
    assert card.balance.minor_units == 5000 - 1000
    assert card.locked_by == ""
