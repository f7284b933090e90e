"""Places that start, or say in one line why not and end; and cards in a process of their own."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.support.nursery import spawn
from tests.support.shop import CURRENCY, ForkedEstate

from stillopen.cli.estate import HEADQUARTERS, import_master_data
from stillopen.cli.frontend import Frontend, delivered, ready
from stillopen.cli.sample import sample_cards, sample_products
from stillopen.rpc.wire import money_from
from stillopen.v1 import types_pb2

TIMEOUT_S = 30.0
CARD = "6001000000000001"


async def ended(folder: Path, *arguments: str) -> tuple[int, str]:
    """Starts a place that cannot start; its exit status and what it says."""
    return await command("serve", *arguments, f"--data={folder}", "--listen=127.0.0.1:0")


async def command(*arguments: str) -> tuple[int, str]:
    """Runs the command; its exit status and what it says on standard error."""
    process = await spawn(
        *(sys.executable, "-m", "stillopen.cli", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "Traceback" not in said.decode()
    return process.returncode or 0, said.decode()


async def begun(folder: Path) -> Path:
    """A headquarters that ran once, with cards; its folder."""
    async with ForkedEstate(folder, CURRENCY) as estate:
        await estate.start_headquarters()
        await import_master_data(estate, [], sample_cards(CURRENCY))
    return folder / HEADQUARTERS


async def test_a_damaged_second_database_ends_the_place_and_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    folder = await begun(tmp_path)
    ruined = b"no database at all" * 1_000
    (folder / "realtime.db").write_bytes(ruined)
    for companion in ("realtime.db-wal", "realtime.db-shm"):
        (folder / companion).unlink(missing_ok=True)
    code, said = await ended(folder, "headquarters")
    assert (code, "DATABASE_DAMAGED" in said) == (2, True)
    assert (folder / "realtime.db").read_bytes() == ruined


@pytest.mark.parametrize("key", [None, b"", b"another key of the right length!"])
async def test_cards_are_not_served_with_another_key(tmp_path: Path, key: bytes | None) -> None:
    folder = await begun(tmp_path)
    path = folder / "realtime.key"
    if key is None:
        path.unlink()
    else:
        path.write_bytes(key)
    code, said = await ended(folder, "headquarters")
    assert (code, "restore it from a backup" in said) == (2, True)


async def test_a_damaged_replica_is_set_aside_and_made_again(tmp_path: Path) -> None:
    async with ForkedEstate(tmp_path, CURRENCY) as estate:
        await estate.start_headquarters()
        (tmp_path / "channel").mkdir()
        (tmp_path / "channel" / "replica.db").write_bytes(b"no database at all" * 1_000)
        await estate.start_channel()
        assert (tmp_path / "channel" / "replica.db.damaged-1").exists()


@pytest.mark.parametrize("currency", ["eur", "EURO", "€"])
async def test_a_headquarters_is_not_begun_in_no_currency(tmp_path: Path, currency: str) -> None:
    begin = ("headquarters", "begin", "--administrator=alice", f"--data={tmp_path}")
    code, said = await command(*begin, f"--currency={currency}")
    assert (code, "three capital letters" in said) == (2, True)
    assert not (tmp_path / "headquarters.db").exists()


async def test_a_headquarters_that_nobody_began_is_not_served(tmp_path: Path) -> None:
    code, said = await ended(tmp_path, "headquarters")
    assert (code, "stillopen headquarters begin" in said) == (2, True)


@pytest.mark.parametrize("place", ["channel", "register"])
async def test_a_place_that_was_not_installed_is_not_served(tmp_path: Path, place: str) -> None:
    code, said = await ended(tmp_path, place)
    assert (code, f"stillopen {place} install" in said) == (2, True)


async def test_plaintext_beyond_this_machine_is_not_served(tmp_path: Path) -> None:
    """Neither listened on nor connected to; nothing is made."""
    folder = await begun(tmp_path)
    far = f"--data={folder}"
    code, said = await command("serve", "headquarters", far, "--listen=0.0.0.0:0")
    assert (code, "PLAINTEXT_REFUSED" in said) == (2, True)
    install = ("channel", "install", "--code=X", f"--data={tmp_path / 'new'}")
    code, said = await command(*install, "--headquarters=192.0.2.1:7400")
    assert (code, "PLAINTEXT_REFUSED" in said) == (2, True)
    assert not (tmp_path / "new").exists()


async def test_a_folder_that_is_a_file_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    code, _ = await ended(path, "headquarters")
    assert code == 2


async def test_cards_in_a_process_of_their_own_are_reached_from_everywhere(
    tmp_path: Path,
) -> None:
    """Everybody but headquarters itself knows one address."""
    async with ForkedEstate(tmp_path, CURRENCY) as estate:
        await estate.start_headquarters_and_realtime()
        await import_master_data(estate, sample_products(CURRENCY), sample_cards(CURRENCY))
        await estate.start_channel()
        await estate.start_register("R1")
        async with Frontend(estate.address("R1")) as till, estate.office() as people:
            await till.sign_in()
            await till.until(ready)
            await till.begin()
            await till.ring("P011")
            await till.pay_card(CARD)
            assert (await people.card(CARD)).locked_by == "R1"
            await till.complete()
            await till.until(delivered)
            await people.until_complete(TIMEOUT_S)
            left = money_from((await people.card(CARD)).balance)
            [sale] = [each.sale async for each in people.transactions()]
    assert sale.state == types_pb2.SALE_STATE_COMPLETED
    assert left.minor == 5000 - sale.total.minor_units
