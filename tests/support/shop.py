"""A small shop of real processes: headquarters, a channel, registers, a catalogue and cards."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from tests.support.nursery import COMMAND, PIPE, spawn

from stillopen.cli.estate import Estate, Process, import_master_data
from stillopen.cli.frontend import Frontend, ready
from stillopen.cli.sample import sample_cards, sample_products
from stillopen.core.parameters import CardParameters, OfflineProfile

CURRENCY = "EUR"
PROFILE = OfflineProfile(timeout_s=1.0, reconnect_interval_s=0.0, heartbeat_interval_s=0.5)


class ForkedEstate(Estate):
    """One whose processes come from the nursery."""

    async def begin(self, *arguments: str, errors: IO[bytes]) -> Process:
        """Runs the command in a process of its own."""
        return await spawn(COMMAND, *arguments, stdout=PIPE, stderr=errors)


@asynccontextmanager
async def open_shop(folder: Path, *registers: str) -> AsyncGenerator[Estate]:
    """Starts everything, waits until every register could lose its channel, and ends it after."""
    async with ForkedEstate(folder, CURRENCY) as estate:
        await estate.start_headquarters()
        await import_master_data(estate, sample_products(CURRENCY), sample_cards(CURRENCY))
        async with estate.office() as headquarters:
            await headquarters.set_profile(PROFILE)
            await headquarters.set_gift_card(CardParameters(allow_concluding_offline=True))
        await estate.start_channel()
        for register in registers:
            await estate.start_register(register)
            async with Frontend(estate.address(register)) as frontend:
                await frontend.sign_in()
                await frontend.until(ready)
        yield estate
