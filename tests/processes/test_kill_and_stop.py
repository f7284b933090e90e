"""Real processes, as the command starts them: killed, stopped, started again."""

import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.estate_messages import allow_concluding
from tests.support.estate_parts import GIFT, eur
from tests.support.estate_process import Shop, within
from tests.support.estate_till import Sale

from stillopen.core.errors import Reason, Refused
from stillopen.rpc.channel import open_channel
from stillopen.v1 import headquarters_pb2_grpc, register_pb2

ONLINE = register_pb2.CONNECTION_MODE_ONLINE
OFFLINE = register_pb2.CONNECTION_MODE_OFFLINE


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Three processes and a frontend that has signed in."""
    async with Shop(tmp_path) as started:
        yield started


async def set_parameter(shop: Shop, *, allowed: bool) -> None:
    """Sets the gift card parameter, in effect with the next lock."""
    async with open_channel(shop.headquarters.address) as channel:
        stub = headquarters_pb2_grpc.HeadquartersServiceStub(channel)
        await allow_concluding(stub, allowed=allowed)


async def locked_then_killed(shop: Shop, *, allowed: bool) -> Sale:
    """A sale whose card is locked, and a channel that is no more."""
    await set_parameter(shop, allowed=allowed)
    sale = await shop.till.card(await shop.till.rung_up())
    await shop.channel.kill()
    return sale


async def started_after_the_kill(shop: Shop, *, allowed: bool) -> Reason:
    """Why a sale that was begun offline gets no card."""
    await set_parameter(shop, allowed=allowed)
    await shop.channel.kill()
    sale = await shop.till.rung_up()
    assert (await shop.till.status()).mode == OFFLINE
    with pytest.raises(Refused) as caught:
        await shop.till.card(sale)
    done = await shop.till.complete(await shop.till.cash(sale))
    assert done.receipt.offline
    return caught.value.reason


async def test_with_the_parameter_on_a_locked_card_is_concluded_offline(shop: Shop) -> None:
    sale = await locked_then_killed(shop, allowed=True)
    done = await shop.till.complete(sale)
    assert done.receipt.offline
    await shop.channel.start()
    [home] = await shop.until_home()
    assert (home.sale.transaction_id, home.sale.tenders) == (done.transaction_id, done.tenders)
    seen = await shop.people.card(GIFT)
    assert (seen.balance, seen.free) == (eur(4_700), eur(4_700))
    assert await shop.people.exceptions() == []


async def test_with_the_parameter_off_a_locked_card_waits_for_headquarters(shop: Shop) -> None:
    sale = await locked_then_killed(shop, allowed=False)
    with pytest.raises(Refused) as caught:
        await shop.till.complete(sale)
    assert caught.value.reason is Reason.CONCLUDE_NOT_ALLOWED
    assert await shop.till.sale() == sale
    await shop.channel.start()
    await shop.till.until(lambda status: status.link_up)
    await shop.till.switch(connect=True)
    assert not (await shop.till.complete(sale)).receipt.offline
    assert len(await shop.until_home()) == 1
    assert (await shop.people.card(GIFT)).balance == eur(4_700)


async def test_with_the_parameter_on_no_card_is_taken_in_a_sale_started_offline(
    shop: Shop,
) -> None:
    assert await started_after_the_kill(shop, allowed=True) is Reason.OFFLINE


async def test_with_the_parameter_off_no_card_is_taken_in_a_sale_started_offline(
    shop: Shop,
) -> None:
    assert await started_after_the_kill(shop, allowed=False) is Reason.OFFLINE


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_without_headquarters_the_register_stays_online_and_says_that_cards_wait(
    shop: Shop, how: signal.Signals
) -> None:
    await shop.till.sold_by_card()
    await shop.until_home()
    if how is signal.SIGKILL:
        await shop.headquarters.kill()
    else:
        shop.headquarters.send(how)
    sale = await shop.till.rung_up()
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            async with within(shop.profile.timeout_s):
                await shop.till.card(sale)
        assert caught.value.reason is Reason.HEADQUARTERS_UNREACHABLE
    done = await shop.till.complete(await shop.till.cash(sale))
    status = await shop.till.status()
    assert (status.mode, status.headquarters_reachable) == (ONLINE, False)
    assert not done.receipt.offline
    if how is signal.SIGKILL:
        await shop.headquarters.start()
    else:
        shop.headquarters.send(signal.SIGCONT)
    assert len(await shop.until_home()) == 2
    seen = await shop.people.card(GIFT)
    assert (seen.balance, seen.free) == (eur(4_700), eur(4_700))


async def test_a_confirm_without_headquarters_is_answered_in_time_and_not_concluded(
    shop: Shop,
) -> None:
    sale = await shop.till.card(await shop.till.rung_up())
    shop.headquarters.send(signal.SIGSTOP)
    with pytest.raises(Refused) as caught:
        async with within(shop.profile.timeout_s):
            await shop.till.complete(sale)
    assert caught.value.reason is Reason.CONCLUDE_NOT_ALLOWED
    shop.headquarters.send(signal.SIGCONT)
    await shop.channel.kill()  # with its belief that headquarters is gone
    await shop.channel.start()
    await shop.till.until(lambda status: status.link_up)
    await shop.till.switch(connect=True)
    await shop.till.complete(sale)
    assert len(await shop.until_home()) == 1
    assert (await shop.people.card(GIFT)).balance == eur(4_700)


async def test_a_stopped_channel_costs_one_deadline_and_then_nothing(shop: Shop) -> None:
    sale = await shop.till.rung_up()
    shop.channel.send(signal.SIGSTOP)
    async with within(shop.profile.timeout_s):
        sale = await shop.till.line(sale)
    assert (await shop.till.status()).mode == OFFLINE
    async with within(0):
        sale = await shop.till.line(sale, "PEAR")
        await shop.till.complete(await shop.till.cash(sale))
    shop.channel.send(signal.SIGCONT)
    assert len(await shop.until_home()) == 1


async def test_a_second_opener_of_a_registers_folder_is_refused(shop: Shop) -> None:
    second = shop.another_register()
    await second.spawn()
    assert await second.ended() == 2
    assert "REGISTER_IN_USE" in second.said()
    await shop.till.sold()


async def test_a_stopped_register_keeps_its_folder_and_completes_its_sale_once(
    shop: Shop,
) -> None:
    """H19: whoever starts another meanwhile is told; the first goes on where it was."""
    sale = await shop.till.cash(await shop.till.rung_up())
    shop.register.send(signal.SIGSTOP)
    second = shop.another_register()
    await second.spawn()
    assert await second.ended() == 2
    assert "REGISTER_IN_USE" in second.said()
    shop.register.send(signal.SIGCONT)
    done = await shop.till.complete(sale)
    assert await shop.till.complete(sale) == done
    [home] = await shop.until_home()
    assert home.sale.transaction_id == sale.transaction_id


async def test_a_damaged_journal_is_set_aside_never_deleted_and_said(shop: Shop) -> None:
    await shop.till.sold()
    await shop.until_home()
    await shop.register.stop()  # in good order, so that no log is left to mend the file from
    path = shop.folder / "register" / "journal.db"
    damage = bytes(len(path.read_bytes()))
    path.write_bytes(damage)
    await shop.register.start()
    assert path.with_name("journal.db.damaged-1").read_bytes() == damage
    assert "journal.db" in shop.register.said()
    assert "set aside" in shop.register.said()
    await shop.ready()
    await shop.till.sold()
    assert len(await shop.until_home()) == 2


async def test_a_register_killed_in_the_middle_of_a_sale_resumes_it(shop: Shop) -> None:
    sale = await shop.till.card(await shop.till.rung_up(), eur(100))
    await shop.register.kill()
    await shop.register.start()
    assert await shop.till.sale() == sale
    assert (await shop.till.status()).open_transaction_id == sale.transaction_id
    await shop.ready()
    done = await shop.till.complete(await shop.till.cash(sale))
    [home] = await shop.until_home()
    assert home.sale.lines == done.lines
    assert (await shop.people.card(GIFT)).balance == eur(4_900)


async def test_sales_made_offline_survive_a_kill_and_come_home(shop: Shop) -> None:
    await shop.channel.kill()
    receipts = [(await shop.till.sold()).receipt for _ in range(3)]
    await shop.register.kill()
    await shop.register.start()
    status = await shop.till.status()
    assert (status.waiting_entries, status.waiting_amount) == (3, eur(900))
    await shop.channel.start()
    home = await shop.until_home()
    assert [(x.position.epoch, x.position.sequence) for x in home] == [
        (receipt.epoch, receipt.sequence) for receipt in receipts
    ]


async def test_every_place_ends_in_good_order_when_it_is_told_to(shop: Shop) -> None:
    await shop.till.sold()
    await shop.until_home()
    await shop.till.close()
    for child in (shop.register, shop.channel, shop.headquarters):
        child.send(signal.SIGTERM)
        async with within(5):
            assert await child.ended() == 0, child.said()
        assert "Traceback" not in child.said()
    for path in shop.folder.glob("*/*.db"):
        with sqlite3.connect(path) as connection:  # noqa: TID251 - from outside
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
