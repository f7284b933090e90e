"""Registers that read older or newer tables than their servers, while they sell."""

from pathlib import Path

import pytest
from tests.loopback.test_self_repair import selling, shows_all
from tests.support.estate import Estate
from tests.support.estate_distribution import add_plum
from tests.support.estate_parts import until

from stillopen.replication.scope import Scope

OLDER, NEWER = Scope((), 1), Scope((), 2)
REGISTERS, CHANNELS = (
    "stillopen.replication.replica.EVERYTHING",
    "stillopen.channel.lines.EVERYTHING",
)


def know(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """Headquarters, and whoever checks packages, know tables up to a version."""
    for module in ("replication.tables", "replication.packages", "headquarters.distribution_logs"):
        monkeypatch.setattr(f"stillopen.{module}.SCHEMA_VERSION", version)
    monkeypatch.setattr("stillopen.headquarters.distribution_snapshots.SCHEMA_VERSION", version)


async def test_an_older_register_sells_on_behind_newer_servers_and_is_kept_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, 2)
    monkeypatch.setattr(CHANNELS, NEWER)
    monkeypatch.setattr(REGISTERS, NEWER)
    async with Estate(tmp_path) as estate:
        monkeypatch.setattr(REGISTERS, OLDER)
        till = await estate.till("R1")
        database = estate.folder / "R1" / "offline.db"
        async with selling(till):
            await add_plum(estate)
            await until(lambda: shows_all(estate, database))
            await add_plum(estate, 70)
            await until(lambda: shows_all(estate, database))
        assert (estate.folder / "channel" / "registers-1.db").is_symlink()
        await estate.until_home(till)


async def test_a_newer_register_sells_on_what_older_servers_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Estate(tmp_path) as estate:
        till = await estate.till("R1")
        await estate.registers["R1"].stop()
        monkeypatch.setattr(REGISTERS, NEWER)  # it is upgraded before its servers
        await estate.registers["R1"].start()
        await till.sign_in()
        database = estate.folder / "R1" / "offline.db"
        async with selling(till):
            await add_plum(estate)
            await until(lambda: shows_all(estate, database))
        await estate.until_home(till)
