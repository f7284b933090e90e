"""`stillopen import`, `export` and `remove` as a person at a terminal meets them."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.nursery import COMMAND, spawn
from tests.support.shop import ForkedEstate

from stillopen.cli.estate import ADMINISTRATOR_ID, HEADQUARTERS, PASSWORD

TIMEOUT_S = 90.0


class Terminal:
    """A person's terminal, signed in at one headquarters."""

    def __init__(self, home: Path, address: str) -> None:
        self._environment = {**os.environ, "STILLOPEN_HOME": str(home)}
        self._address = address

    async def run(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        """Runs a command and returns its exit status, output and errors."""
        process = await spawn(
            *(str(COMMAND), *arguments, "--headquarters", self._address),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        said = process.communicate(typed.encode())
        out, err = await asyncio.wait_for(said, TIMEOUT_S)
        assert "Traceback" not in err.decode()
        return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal at which the administrator of a new headquarters signed in."""
    async with ForkedEstate(tmp_path / "estate", "EUR") as estate:
        await estate.start_headquarters()
        begun = Terminal(tmp_path / "home", estate.address(HEADQUARTERS))
        code, _, err = await begun.run(
            "sign-in", ADMINISTRATOR_ID, "--password-stdin", typed=f"{PASSWORD}\n"
        )
        assert code == 0, err
        yield begun


async def test_wrong_rows_are_named_by_line_and_what_is_right_goes_out_again_and_away(
    terminal: Terminal, tmp_path: Path
) -> None:
    path, again = tmp_path / "products.csv", tmp_path / "again.csv"
    path.write_text('product_id,name,price\nM1,"Mug, blue",1\nM2,Cup,cheap\nM3,Jug,1.005\n')
    code, out, err = await terminal.run("import", "products", str(path), "--check")
    assert (code, "1 products would be taken, 2 refused" in out) == (1, True), err
    code, out, _ = await terminal.run("import", "products", str(path), "--json")
    told = json.loads(out)
    assert (code, told["accepted"], told["refused"]) == (1, "1", "2")
    assert [(each["row"], each["field"]) for each in told["refusals"]] == [
        ("3", "price"),
        ("4", "price"),
    ]
    code, out, _ = await terminal.run("export", "products")
    assert out.splitlines()[1:] == ['M1,"Mug, blue",1.00,,,']
    code, out, _ = await terminal.run("export", "products", str(again), "--json")
    assert (code, json.loads(out)["rows"]) == (0, 1)
    code, out, _ = await terminal.run("import", "products", str(again))
    assert (code, out) == (0, "1 products taken, 0 refused\n")
    code, _, err = await terminal.run("remove", "products", "M1", "M2")
    assert (code, "NAME_UNKNOWN" in err) == (1, True)
    code, out, _ = await terminal.run("remove", "products", "M1")
    assert (code, out) == (0, "1 products removed\n")


KINDS = {
    "products": (
        "product_id,name,price,barcodes,tax_group,tax_percent\nM1,Mug,2.50,1 2,HIGH,21.000\n"
    ),
    "prices": "product_id,price,valid_from,valid_to\nM1,2.00,2026-01-31T00:00:00Z,\n",
    "tender-types": "tender_type_id,name,kind,closed\n1,Cash,cash,no\n",
    "staff": "staff_id,name,role,blocked\nadmin,Administrator,administrator,no\n",
}


async def test_what_goes_in_comes_out_the_same(terminal: Terminal, tmp_path: Path) -> None:
    for kind, text in KINDS.items():
        path = tmp_path / f"{kind}.csv"
        path.write_text(text)
        code, out, err = await terminal.run("import", kind, str(path))
        assert code == 0, (out, err)
    for kind, text in KINDS.items():
        code, out, _ = await terminal.run("export", kind)
        assert (code, out) == (0, text)


async def test_cards_are_checked_without_being_made(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "cards.csv"
    path.write_text("number,balance\n7777000000000001,1\n7777000000000002,-1\n,1\n")
    code, out, _ = await terminal.run("import", "cards", str(path), "--check", "--json")
    told = json.loads(out)
    assert (code, told["accepted"], told["refused"]) == (1, "1", "2")
    assert [each["row"] for each in told["refusals"]] == ["3", "4"]
    code, _, err = await terminal.run("card", "balance", "7777000000000001")
    assert (code, "CARD_UNKNOWN" in err) == (1, True)
    code, out, _ = await terminal.run("import", "cards", str(path))
    assert (code, "1 cards taken, 2 refused" in out) == (1, True)
