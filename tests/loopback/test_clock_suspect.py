"""A register whose clock is wrong by years sells, delivers and says so (H21)."""

from pathlib import Path

import pytest
from tests.support.estate import Estate

from stillopen.v1 import types_pb2

YEAR_S = 366 * 86_400.0


@pytest.mark.parametrize("off_s", [-30 * YEAR_S, 30 * YEAR_S])
async def test_a_clock_that_is_years_off_loses_and_delays_nothing(
    tmp_path: Path, off_s: float
) -> None:
    async with Estate(tmp_path) as estate:
        till = await estate.till("R1")
        assert not (await till.status()).clock_suspect
        await till.sign_in()
        estate.clock.wrong_by_s = off_s
        assert (await till.status()).clock_suspect
        sold = await till.sold()
        by_card = await till.sold_by_card()
        await till.until(lambda status: status.waiting_headquarters == 0)
        await estate.people.until_complete(10.0)
        home = {each.sale.transaction_id for each in await estate.sales_home()}
        assert home == {sold.transaction_id, by_card.transaction_id}
        lines = await till.journal()
        assert len(lines) == 2
        assert sold.state == types_pb2.SALE_STATE_COMPLETED
