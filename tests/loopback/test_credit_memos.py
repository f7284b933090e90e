"""Credit memos: given for a return, spent once, whole or with a remainder, wherever it is."""

from collections.abc import Awaitable
from pathlib import Path

import pytest
from tests.support.estate import Estate
from tests.support.estate_cards import (
    CREDIT_MEMO,
    brought_back,
    card_seen,
    files_holding,
    forms_of,
    given_memo,
    memo_tender,
    number_printed,
    tender_of,
)
from tests.support.estate_messages import ask, key_of
from tests.support.estate_parts import GIFT, ME, SECOND, eur
from tests.support.estate_till import Sale, Till

from stillopen.core.card_number import number_digest
from stillopen.core.errors import Reason, StillopenError
from stillopen.core.memo_number import new_memo_number, prefix_of, read_memo_number
from stillopen.v1 import realtime_pb2, types_pb2

MEMO = types_pb2.TENDER_KIND_CREDIT_MEMO


async def reason_of(work: Awaitable[object]) -> Reason:
    """Why it is refused."""
    with pytest.raises(StillopenError) as caught:
        await work
    return caught.value.reason


async def kinds(estate: Estate, number: str) -> list[tuple[str, int]]:
    """The ledger of a memo."""
    ledger = await estate.people.ledger(number=number)
    assert ledger.balance.minor_units == sum(e.amount.minor_units for e in ledger.entries)
    return [(each.kind, each.amount.minor_units) for each in ledger.entries]


async def test_a_memo_is_given_for_a_return_and_its_number_is_on_the_receipt_only(
    estate: Estate, till: Till
) -> None:
    sale = await memo_tender(till, await brought_back(till))
    [tender] = sale.tenders
    assert (tender.kind, tender.amount) == (MEMO, eur(-300))
    assert tender.card.new_memo.amount == eur(300)
    assert tender.card.new_memo.number == ""
    assert (await till.sale()).tenders[0].card.new_memo.number == ""
    done = await till.complete(sale)
    number = number_printed(done)
    bare = read_memo_number(number.replace("-", ""))
    assert bare.startswith(prefix_of("R1"))
    assert bare.endswith(done.tenders[0].card.new_memo.last_four)
    assert number_digest(number) == done.tenders[0].card.new_memo.number_sha256
    assert number_printed(await till.complete(sale)) == number
    assert number_printed(await till.sale(sale.transaction_id)) == number
    await estate.until_home(till)
    assert await kinds(estate, number) == [("ISSUE", 300)]
    assert (await card_seen(till, number, CREDIT_MEMO)).free == eur(300)


async def test_a_memo_pays_whole_at_another_register_and_is_used(
    estate: Estate, till: Till
) -> None:
    number, other = await given_memo(till), await estate.till("R2")
    await estate.until_home(till)
    sale = await memo_tender(other, await other.rung_up(), number)
    [tender] = sale.tenders
    assert not tender.card.HasField("new_memo")
    await other.complete(sale)
    await estate.until_home(other)
    assert await kinds(estate, number) == [("ISSUE", 300), ("REDEEM", -300)]
    assert await reason_of(card_seen(other, number, CREDIT_MEMO)) is Reason.CARD_USED
    begun = await till.rung_up()
    async with estate.refuses(Reason.CARD_USED):
        await memo_tender(till, begun, number)


async def test_what_is_left_of_a_memo_is_a_new_one_that_is_spent_at_a_third_register(
    estate: Estate, till: Till
) -> None:
    second, third = await estate.till("R2"), await estate.till("R3")
    number = await given_memo(till)
    await estate.until_home(till)
    sale = await memo_tender(second, await second.rung_up(1_000), number)
    assert sale.tenders[0].card.new_memo.amount == eur(200)
    left = number_printed(await second.complete(sale))
    assert left.startswith(prefix_of("R2"))
    await estate.until_home(second)
    assert await kinds(estate, number) == [("ISSUE", 300), ("REDEEM", -100), ("REMAINDER", -200)]
    assert await kinds(estate, left) == [("REMAINDER", 200)]
    assert (await card_seen(third, left, CREDIT_MEMO)).balance == eur(200)
    await third.complete(await memo_tender(third, await third.rung_up(2_000), left))
    await estate.until_home(third)
    assert await kinds(estate, left) == [("REMAINDER", 200), ("REDEEM", -200)]
    assert await estate.people.locks() == []
    assert await estate.people.exceptions() == []


async def test_a_memo_may_be_typed_small_in_groups_and_with_an_o_for_a_nought(
    estate: Estate, till: Till
) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    typed = number.lower().replace("0", "o").replace("1", "l").replace("-", " ")
    sale = await memo_tender(till, await till.rung_up(), typed)
    await till.complete(sale)
    await estate.until_home(till)
    assert (await kinds(estate, number))[-1] == ("REDEEM", -300)


async def test_a_memo_pays_beside_cash_and_a_gift_card(estate: Estate, till: Till) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    sale = await memo_tender(till, await till.rung_up(10_000), number, 300)
    sale = await till.card(sale, eur(300), SECOND)
    done = await till.complete(await till.cash(sale, eur(500)))
    assert done.change == eur(100)
    await estate.until_home(till)
    assert (await estate.balance(SECOND)).balance == eur(400)


async def test_a_silent_register_is_named_with_the_time_it_was_last_heard(
    estate: Estate, till: Till
) -> None:
    other = await estate.till("R2")
    await estate.until_home(till, other)
    number = new_memo_number("R1", estate.machine.rng)
    await estate.registers["R1"].stop()
    theirs = await other.rung_up()
    estate.clock.ahead_s = 3_600.0
    with pytest.raises(StillopenError) as caught:
        await memo_tender(other, theirs, number)
    assert caught.value.reason is Reason.CARD_PENDING
    assert "R1" in caught.value.message
    with pytest.raises(StillopenError) as asked:
        await card_seen(other, number, CREDIT_MEMO)
    assert asked.value.reason is Reason.CARD_PENDING
    unknown = new_memo_number("R7", estate.machine.rng)
    assert await reason_of(memo_tender(other, theirs, unknown)) is Reason.CARD_UNKNOWN
    gift = await reason_of(other.card(theirs, number="9999-0000"))
    assert gift is Reason.CARD_UNKNOWN
    assert await other.sale() == theirs


@pytest.mark.parametrize(
    ("minor", "number", "reason"),
    [
        (-300, GIFT, Reason.INVALID_ARGUMENT),
        (-301, "", Reason.EXCEEDS_DUE),
        (0, "", Reason.INVALID_ARGUMENT),
        (300, "", Reason.INVALID_ARGUMENT),
        (300, GIFT, Reason.EXCEEDS_DUE),
        (-(10**15) - 1, "", Reason.INVALID_ARGUMENT),
    ],
)
async def test_a_memo_that_cannot_be_given_changes_nothing(
    estate: Estate, till: Till, minor: int, number: str, reason: Reason
) -> None:
    sale = await brought_back(till)
    async with estate.refuses(reason):
        await ask(till.stub.AddTender, tender_of(sale, MEMO, minor, number), ME)


async def test_a_memo_that_cannot_pay_changes_nothing(estate: Estate, till: Till) -> None:
    number = await given_memo(till, 2_000)
    await estate.until_home(till)
    sale = await till.rung_up()
    async with estate.refuses(Reason.INSUFFICIENT_BALANCE):
        await memo_tender(till, sale, number)
    async with estate.refuses(Reason.EXCEEDS_DUE):
        await memo_tender(till, sale, number, 301)
    async with estate.refuses(Reason.CARD_KIND):
        await till.card(sale, eur(100), number)
    async with estate.refuses(Reason.CARD_KIND):
        await memo_tender(till, sale, GIFT)
    wrong = number[:-1] + ("0" if number[-1] != "0" else "2")
    async with estate.refuses(Reason.INVALID_ARGUMENT, "number"):
        await memo_tender(till, sale, wrong)
    held = await memo_tender(till, sale, number, 100)
    async with estate.refuses(Reason.CARD_TWICE):
        await memo_tender(till, held, number, 100)
    other = await estate.till("R2")
    theirs = await other.rung_up()
    async with estate.refuses(Reason.CARD_LOCKED):
        await memo_tender(other, theirs, number, 100)


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_repeated_issue_draws_one_number_also_after_a_restart(
    estate: Estate, till: Till, *, restarts: bool
) -> None:
    request = tender_of(await brought_back(till), MEMO, -300)
    first = (await ask(till.stub.AddTender, request, ME)).sale
    if restarts:
        await again(estate, till)
    assert (await ask(till.stub.AddTender, request, ME)).sale == first
    done = await till.complete(first)
    if restarts:
        await again(estate, till)
    assert number_printed(await till.complete(first)) == number_printed(done)
    await estate.until_home(till)
    assert await kinds(estate, number_printed(done)) == [("ISSUE", 300)]
    assert await estate.people.locks() == []


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_repeated_payment_in_part_leaves_one_remainder_also_after_a_restart(
    estate: Estate, till: Till, *, restarts: bool
) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    request = tender_of(await till.rung_up(1_000), MEMO, 100, number)
    first = (await ask(till.stub.AddTender, request, ME)).sale
    if restarts:
        await again(estate, till)
    assert (await ask(till.stub.AddTender, request, ME)).sale == first
    left = number_printed(await till.complete(first))
    await estate.until_home(till)
    assert await kinds(estate, left) == [("REMAINDER", 200)]


async def again(estate: Estate, till: Till) -> None:
    """The register's process, started again."""
    await estate.restart("R1")
    await till.until(lambda status: status.link_up)
    await till.sign_in()


async def test_a_tender_that_was_taken_back_leaves_the_memo_as_it_was(
    estate: Estate, till: Till
) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    sale = await memo_tender(till, await till.rung_up(1_000), number)
    done = await till.complete(await till.cash(await till.void_tender(sale, "T1")))
    assert [t.card.new_memo.number for t in done.tenders] == ["", ""]
    await estate.until_home(till)
    assert (await card_seen(till, number, CREDIT_MEMO)).free == eur(300)


async def test_the_numbers_of_memos_are_in_one_table_of_the_register_and_nowhere_else(
    estate: Estate, till: Till, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    left = number_printed(
        await till.complete(await memo_tender(till, await till.rung_up(1_000), number))
    )
    await estate.until_home(till)
    said = [str(each) for each in await till.journal()]
    with pytest.raises(StillopenError) as caught:
        await memo_tender(till, await till.rung_up(1_000), number)
    said += [caught.value.message, str(await estate.people.exceptions())]
    said += [str(each) for each in await estate.sales_home()]
    said += [str(each) for each in await estate.people.locks()]
    said += [record.getMessage() for record in caplog.records]
    for place in (*estate.registers.values(), estate.channel, estate.headquarters):
        await place.stop()
    found: set[str] = set()
    for secret in (number, left):
        assert not [text for text in said for form in forms_of(secret) if form in text]
        found |= files_holding(tmp_path, secret)
    assert found <= {"journal.db", "journal.db-wal"}
    assert found, "the register keeps it, to be printed again"


async def test_only_one_register_gets_a_memo(estate: Estate, till: Till) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    request = realtime_pb2.LockCardRequest(
        lock_key=key_of(7),
        number=number,
        purpose=types_pb2.CARD_PURPOSE_REDEEM,
        currency_code="EUR",
        transaction_id="7" * 32,
        line_id="T1",
        amount=eur(100),
        amount_only=True,
        kind=CREDIT_MEMO,
    )
    first = (await ask(estate.relay.LockCard, request)).lock
    assert not first.amount_only
    again_ = (await ask(estate.relay.LockCard, request)).lock
    assert again_.lock_key == first.lock_key
    sale: Sale = await till.rung_up(1_000)
    assert await reason_of(memo_tender(till, sale, number)) is Reason.CARD_LOCKED
