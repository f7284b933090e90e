from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_till import Till


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    """Headquarters and a channel that shows its master data; registers on request."""
    async with Estate(tmp_path) as started:
        yield started


@pytest.fixture
async def till(estate: Estate) -> Till:
    """A frontend, signed in on register R1, which is online and known at headquarters."""
    return await estate.till("R1")
