"""The register when places stop: it sells on, tells the cashier, and everything comes home."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import allow_concluding, ask
from tests.support.estate_parts import DOLLARS, FAST, GIFT, SECOND, eur
from tests.support.estate_till import Sale, Till

from stillopen.core.errors import Misuse, Reason, Refused, Unreachable
from stillopen.register import RegisterSettings, open_register
from stillopen.v1 import realtime_pb2, register_pb2

ONLINE = register_pb2.CONNECTION_MODE_ONLINE
OFFLINE = register_pb2.CONNECTION_MODE_OFFLINE
MANUAL = register_pb2.CONNECTION_MODE_OFFLINE_MANUAL
HOUR_S = 3_600.0


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Estate]:
    """An estate whose registers wait five minutes before they come back by themselves."""
    async with Estate(tmp_path, replace(FAST, reconnect_interval_s=300.0)) as started:
        yield started


async def refused(till: Till, sale: Sale, number: str = GIFT) -> Reason:
    """Why the card is refused."""
    with pytest.raises(Refused) as caught:
        await till.card(sale, number=number)
    return caught.value.reason


async def not_completed(till: Till, sale: Sale) -> Reason:
    """Why the sale cannot be completed."""
    with pytest.raises(Refused) as caught:
        await till.complete(sale)
    assert await till.sale() == sale
    return caught.value.reason


async def test_a_sale_goes_on_when_the_channel_stops_and_comes_home_when_it_is_back(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    await estate.channel.stop()
    sale = await till.line(sale, "4002")
    assert [line.total for line in sale.lines] == [eur(300), eur(250)]
    status = await till.until(lambda s: not s.link_up)
    assert (status.mode, status.mode_reason) == (OFFLINE, "UNREACHABLE")
    assert status.HasField("mode_since")
    assert "TENDER_GIFT_CARD" not in status.operations
    assert "COMPLETE" in status.operations
    done = await till.complete(await till.cash(sale))
    assert done.receipt.offline
    status = await till.status()
    assert (status.waiting_entries, status.waiting_amount) == (1, eur(550))
    assert status.HasField("waiting_since")

    await estate.channel.start()
    await estate.until_home(till)
    [home] = await estate.sales_home()
    assert (home.sale.transaction_id, home.sale.lines) == (done.transaction_id, done.lines)
    assert (await till.status()).mode == OFFLINE
    online = await till.sold()
    assert not online.receipt.offline
    status = await till.status()
    assert (status.mode, status.mode_reason) == (ONLINE, "RECONNECTED")


async def test_a_register_comes_back_only_at_the_beginning_of_a_sale(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    await estate.channel.stop()
    sale = await till.line(sale)
    await estate.channel.start()
    await till.until(lambda status: status.link_up)
    sale = await till.line(sale)
    assert (await till.status()).mode == OFFLINE
    assert await refused(till, sale) is Reason.OFFLINE
    assert (await till.complete(await till.cash(sale))).receipt.offline
    await till.begin()
    assert (await till.status()).mode == ONLINE


async def test_a_register_waits_for_its_interval_or_a_hand(patient: Estate) -> None:
    till = await patient.till("R1")
    sale = await till.rung_up()
    await patient.channel.stop()
    await till.complete(await till.cash(await till.line(sale)))
    await patient.channel.start()
    await till.until(lambda status: status.link_up)
    sale = await till.rung_up()
    assert (await till.status()).mode == OFFLINE
    status = await till.switch(connect=True)
    assert (status.mode, status.mode_reason) == (ONLINE, "SWITCHED_BY_HAND")
    await till.complete(await till.card(sale))
    await patient.until_home(till)


async def test_cards_are_refused_offline_and_the_sale_stays_as_it_was(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    await estate.channel.stop()
    sale = await till.line(sale)
    before = await till.picture()
    assert await refused(till, sale) is Reason.OFFLINE
    assert await till.picture() == before


async def test_a_card_call_into_a_closed_channel_moves_the_register_offline(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    await estate.channel.stop()
    assert await refused(till, sale) is Reason.OFFLINE
    assert (await till.status()).mode == OFFLINE
    await till.complete(await till.cash(sale))
    await estate.channel.start()
    await estate.until_home(till)
    assert (await estate.balance(GIFT)).free == eur(5_000)


async def test_people_sign_in_offline_with_their_password(estate: Estate, till: Till) -> None:
    await till.sign_out()
    await estate.channel.stop()
    with pytest.raises(Refused) as caught:
        await till.sign_in("anna", "wrong")
    assert caught.value.reason is Reason.SIGN_IN_FAILED
    assert await till.sign_in() == "Anna"
    assert (await till.sold()).receipt.offline


async def test_a_business_refusal_never_moves_a_register_offline(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    for number, reason in ((DOLLARS, Reason.CURRENCY_MISMATCH), ("9999", Reason.CARD_UNKNOWN)):
        assert await refused(till, sale, number) is reason
    async with estate.refuses(Reason.PRODUCT_UNKNOWN):
        await till.line(sale, "PLUM")
    assert (await till.status()).mode == ONLINE


async def test_without_headquarters_sales_stay_online_and_cards_wait(
    estate: Estate, till: Till
) -> None:
    await estate.headquarters.stop()
    sale = await till.rung_up()
    assert await refused(till, sale) is Reason.HEADQUARTERS_UNREACHABLE
    status = await till.status()
    assert (status.mode, status.headquarters_reachable) == (ONLINE, False)
    assert "TENDER_GIFT_CARD" not in status.operations
    done = await till.complete(await till.cash(sale))
    assert not done.receipt.offline
    await till.until(lambda s: s.waiting_entries == 0 and s.waiting_headquarters > 0)
    await estate.headquarters.start()
    await estate.until_home(till)
    assert [each.sale.transaction_id for each in await estate.sales_home()] == [done.transaction_id]
    assert (await estate.balance(GIFT)).free == eur(5_000)


async def test_manual_offline_is_silent_survives_a_restart_and_ends_by_hand(
    estate: Estate, till: Till
) -> None:
    status = await till.switch(connect=False)
    assert (status.mode, status.mode_reason) == (MANUAL, "SWITCHED_BY_HAND")
    await till.until(lambda s: not s.link_up)
    assert (await till.sold()).receipt.offline
    await estate.restart("R1")
    assert (await till.status()).mode == MANUAL
    await till.sign_in()
    await till.sold()
    status = await till.status()
    assert (status.mode, status.link_up, status.waiting_entries) == (MANUAL, False, 2)
    assert await estate.sales_home() == []
    assert (await till.switch(connect=True)).mode == ONLINE
    await estate.until_home(till)
    assert len(await estate.sales_home()) == 2


async def test_connecting_by_hand_to_a_stopped_channel_fails_and_says_so(
    estate: Estate, till: Till
) -> None:
    await till.switch(connect=False)
    await estate.channel.stop()
    with pytest.raises(Unreachable):
        await till.switch(connect=True)
    assert (await till.status()).mode == MANUAL


async def test_a_register_that_never_saw_its_channel_is_not_ready_and_says_what_is_missing(
    estate: Estate,
) -> None:
    await estate.channel.stop()
    till = await estate.till("R9", ready=False)
    status = await till.status()
    assert (status.offline_ready, list(status.offline_missing)) == (False, ["MASTER_DATA"])
    with pytest.raises(Refused) as caught:
        await till.sign_in()
    assert caught.value.reason is Reason.NOT_READY


async def test_a_register_started_without_its_channel_sells_from_what_it_has(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    await estate.channel.stop()
    await estate.restart("R1")
    await till.sign_in()
    assert await till.sale() == sale
    await till.complete(await till.cash(await till.line(sale, "PEAR")))
    await till.sold()
    await estate.channel.start()
    await estate.until_home(till)
    lanes = (await estate.people.completeness()).lanes
    assert sorted(lane.stored for lane in lanes) == [0, 2]


# A sale that holds a card when headquarters can no longer be asked


async def held(estate: Estate, till: Till, *, allowed: bool) -> Sale:
    """A sale paid by card, the parameter set, and the channel gone."""
    await allow_concluding(estate.people_stub, allowed=allowed)
    sale = await till.card(await till.rung_up())
    await estate.channel.stop()
    return sale


async def test_allowed_to_conclude_the_sale_is_completed_and_the_card_pays_later(
    estate: Estate, till: Till
) -> None:
    sale = await held(estate, till, allowed=True)
    done = await till.complete(sale)
    assert done.receipt.offline
    assert (await estate.balance(GIFT)).locked_by == "R1"
    await estate.channel.start()
    await estate.until_home(till)
    seen = await estate.balance(GIFT)
    assert (seen.balance, seen.free) == (eur(4_700), eur(4_700))


async def test_not_allowed_to_conclude_the_sale_waits_until_the_tender_is_taken_back(
    estate: Estate, till: Till
) -> None:
    sale = await held(estate, till, allowed=False)
    assert await not_completed(till, sale) is Reason.CONCLUDE_NOT_ALLOWED
    sale = await till.void_tender(sale, "T1")
    await till.complete(await till.cash(sale))
    await estate.channel.start()
    await estate.until_home(till)
    assert (await estate.balance(GIFT)).free == eur(5_000)


async def test_not_allowed_to_conclude_the_sale_can_wait_for_the_link(
    estate: Estate, till: Till
) -> None:
    sale = await held(estate, till, allowed=False)
    assert await not_completed(till, sale) is Reason.CONCLUDE_NOT_ALLOWED
    await estate.channel.start()
    await till.until(lambda status: status.link_up)
    await till.switch(connect=True)
    await till.complete(sale)
    await estate.until_home(till)
    assert (await estate.balance(GIFT)).balance == eur(4_700)


async def test_a_closed_window_no_longer_concludes(estate: Estate, till: Till) -> None:
    sale = await held(estate, till, allowed=True)
    estate.clock.ahead_s = 8 * HOUR_S
    assert await not_completed(till, sale) is Reason.CONCLUDE_NOT_ALLOWED


async def test_an_open_window_concludes_to_its_last_minute(estate: Estate, till: Till) -> None:
    sale = await held(estate, till, allowed=True)
    estate.clock.ahead_s = 8 * HOUR_S - 60
    assert (await till.complete(sale)).receipt.offline


async def test_a_restart_of_the_process_leaves_the_window_open_and_one_of_the_machine_closes_it(
    estate: Estate, till: Till
) -> None:
    sale = await held(estate, till, allowed=True)
    estate.clock.boot = "second boot"
    await estate.restart("R1")
    await till.sign_in()
    assert await not_completed(till, sale) is Reason.CONCLUDE_NOT_ALLOWED
    estate.clock.boot = "first boot"
    await estate.restart("R1")
    await till.sign_in()
    assert (await till.complete(sale)).receipt.offline


async def test_one_card_without_terms_holds_the_whole_sale(estate: Estate, till: Till) -> None:
    await allow_concluding(estate.people_stub)
    sale = await till.card(await till.rung_up(), eur(100))
    await allow_concluding(estate.people_stub, allowed=False)
    sale = await till.card(sale, eur(200), SECOND)
    await estate.channel.stop()
    assert await not_completed(till, sale) is Reason.CONCLUDE_NOT_ALLOWED


async def test_terms_hold_also_online_while_only_headquarters_is_gone(
    estate: Estate, till: Till
) -> None:
    await allow_concluding(estate.people_stub)
    sale = await till.card(await till.rung_up())
    await estate.headquarters.stop()
    done = await till.complete(sale)
    assert not done.receipt.offline
    await estate.headquarters.start()
    await estate.until_home(till)
    assert (await estate.balance(GIFT)).balance == eur(4_700)


async def test_a_card_headquarters_no_longer_keeps_must_be_taken_again(
    estate: Estate, till: Till
) -> None:
    sale = await till.card(await till.rung_up())
    key = sale.tenders[0].card.lock_key
    await ask(estate.cards.UnlockCard, realtime_pb2.UnlockCardRequest(lock_key=key))
    assert await not_completed(till, sale) is Reason.CONFIRM_REFUSED
    sale = await till.void_tender(sale, "T1")
    sale = await till.card(sale)
    await till.complete(sale)
    await estate.until_home(till)
    assert (await estate.balance(GIFT)).balance == eur(4_700)
    assert await estate.people.exceptions() == []


# Its files


async def test_a_second_opener_of_a_registers_folder_is_refused(estate: Estate, till: Till) -> None:
    settings = RegisterSettings("R1", estate.folder / "R1", estate.channel.address)
    with pytest.raises(Misuse) as caught:
        await open_register(settings)
    assert caught.value.reason is Reason.REGISTER_IN_USE
    await till.sold()


async def test_a_journal_of_another_register_is_refused(estate: Estate, till: Till) -> None:
    await till.sold()
    await estate.registers["R1"].stop()
    settings = RegisterSettings("R2", estate.folder / "R1", estate.channel.address)
    with pytest.raises(Misuse) as caught:
        await open_register(settings)
    assert caught.value.reason is Reason.NOT_ALLOWED
    await estate.restart("R1")


async def test_a_damaged_offline_database_is_set_aside_and_made_again(
    estate: Estate, till: Till
) -> None:
    await till.sold()
    await estate.registers["R1"].stop()
    path = estate.folder / "R1" / "offline.db"
    path.write_bytes(b"not a database" * 1_000)
    await estate.restart("R1")
    [kept] = path.parent.glob("offline-*.db.damaged-1")
    assert kept.read_bytes().startswith(b"not a database")
    assert [warning for warning in estate.warnings if "offline.db" in warning]
    await till.until(lambda status: status.offline_ready)
    await till.sign_in()
    await till.sold()
    await estate.until_home(till)
    assert len(await estate.sales_home()) == 2
