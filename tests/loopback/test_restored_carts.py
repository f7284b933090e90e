"""Suspended sales when a channel or a till was put back to an older copy (H9, H25)."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_parts import until
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, Refused


def free_at(till: Till, transaction_id: str) -> Callable[[], Awaitable[bool]]:
    """Whether the channel gives a suspended sale out."""

    async def look() -> bool:
        return transaction_id in [x.transaction_id for x in (await till.suspended()).sales]

    return look


async def test_a_restored_channel_gives_no_cart_out_that_was_sold(tmp_path: Path) -> None:
    async with Estate(tmp_path) as estate:
        till, other = await estate.till("R1"), await estate.till("R2")
        await till.sign_in()
        await other.sign_in()
        cart = await till.suspend(await till.rung_up())
        await until(free_at(other, cart.transaction_id))
        await estate.channel.stop()
        shutil.copytree(tmp_path / "channel", tmp_path / "backup")
        await estate.channel.start()
        await other.until(lambda status: status.link_up)
        await other.switch(connect=True)
        sold = await other.recall(cart.transaction_id, "b" * 32)
        await other.complete(await other.cash(sold))
        await estate.until_home(other)
        await estate.channel.stop()
        shutil.rmtree(tmp_path / "channel")
        shutil.copytree(tmp_path / "backup", tmp_path / "channel")
        await estate.channel.start()
        await estate.until_home(other)
        await till.until(lambda status: status.link_up)
        await till.switch(connect=True)

        async def known_as_sold() -> bool:
            return not await free_at(till, cart.transaction_id)()

        await until(known_as_sold)
        with pytest.raises(Refused) as refusal:
            await till.recall(cart.transaction_id, "c" * 32)
        assert refusal.value.reason is Reason.CLAIMED


async def test_a_restored_till_that_suspends_again_holds_no_other_cart_up(tmp_path: Path) -> None:
    async with Estate(tmp_path) as estate:
        till, other = await estate.till("R1"), await estate.till("R2")
        await till.sign_in()
        await other.sign_in()
        sale = await till.rung_up()
        register = estate.registers["R1"]
        await register.stop()
        shutil.copytree(tmp_path / "R1", tmp_path / "image")
        await register.start()
        await till.until(lambda status: status.link_up)
        await till.sign_in()
        cart = await till.suspend(await till.sale(sale.transaction_id))
        await until(free_at(other, cart.transaction_id))
        await register.stop()
        shutil.rmtree(tmp_path / "R1")
        shutil.copytree(tmp_path / "image", tmp_path / "R1")
        await register.start()
        await till.until(lambda status: status.link_up)
        await till.sign_in()
        again = await till.line(await till.sale(), "PEAR")
        await till.suspend(again)
        next_cart = await till.suspend(await till.rung_up())
        await until(free_at(other, next_cart.transaction_id))
        await till.until(lambda status: status.waiting_suspended == 0)
        listed = (await other.suspended()).sales
        assert sorted(len(each.lines) for each in listed) == [1, 1, 2]
        assert len({each.transaction_id for each in listed}) == len(listed)
