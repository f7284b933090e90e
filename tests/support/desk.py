"""Somebody who runs commands at a headquarters of a test."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.nursery import COMMAND, spawn

from stillopen.cli.sessions import SignedIn, keep_session


class Desk:
    """Somebody at a command line, signed in to an estate's headquarters."""

    def __init__(self, estate: Estate, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._at = f"--headquarters={estate.headquarters.address}"
        self._environment = {**os.environ, "STILLOPEN_HOME": str(home), "COLUMNS": "200"}
        monkeypatch.setenv("STILLOPEN_HOME", str(home))
        secret = callers.person("boss").secret
        keep_session(estate.headquarters.address, SignedIn("boss", secret, 1e11))

    async def says(self, *arguments: str) -> tuple[int, str]:
        """Runs a command and returns its exit status and what it said."""
        process = await spawn(
            COMMAND,
            *arguments,
            self._at,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def told(self, *arguments: str) -> dict[str, object]:
        """The one JSON object that a command prints."""
        code, said = await self.says(*arguments, "--json")
        assert code == 0, said
        found: dict[str, object] = json.loads(said)
        return found
