"""What people may do to cards: a store's manager ends what holds one, headquarters adjusts."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_cards import (
    CREDIT_MEMO,
    ISSUE,
    brought_back,
    card_line,
    card_seen,
    given_memo,
    memo_tender,
    unlock,
)
from tests.support.estate_messages import HEADQUARTERS, ask
from tests.support.estate_parts import GIFT, PASSWORD, SECOND, STAFF, UNKNOWN, eur
from tests.support.estate_till import Till

from stillopen.core.errors import Misuse, Reason, StillopenError
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind
from stillopen.v1 import realtime_pb2, types_pb2

APPLIED = realtime_pb2.EXCEPTION_RESOLUTION_APPLIED
WRITTEN_OFF = realtime_pb2.EXCEPTION_RESOLUTION_WRITTEN_OFF
BOSS = types_pb2.StaffMember(
    staff_id="boss", name="Berta", password_hash=STAFF[0].password_hash, role_id="manager"
)


def word(
    staff_id: str = "boss", password: str = PASSWORD, reason: str = "the till is broken"
) -> types_pb2.ManagerWord:
    """What a manager says."""
    return types_pb2.ManagerWord(staff_id=staff_id, password=password, reason=reason)


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    """An estate with a manager."""
    async with Estate(tmp_path, staff=(*STAFF, BOSS)) as started:
        yield started


@pytest.fixture
async def other(estate: Estate) -> Till:
    """A second register, which has nothing to do with the sale at the first."""
    return await estate.till("R2")


async def done_to(estate: Estate, number: str) -> list[tuple[str, str, str]]:
    """What people did to a card: what, who and why."""
    ledger = await estate.people.ledger(number=number)
    return [(each.action, each.person, each.reason) for each in ledger.actions]


async def reason_of(work: Awaitable[object]) -> Reason:
    """Why it is refused."""
    with pytest.raises(StillopenError) as caught:
        await work
    return caught.value.reason


async def test_without_force_a_manager_is_told_what_is_at_stake(
    estate: Estate, till: Till, other: Till
) -> None:
    sale = await till.card(await till.rung_up())
    with pytest.raises(StillopenError) as caught:
        await unlock(other, GIFT, word())
    assert caught.value.reason is Reason.LOCK_BLOCKS
    for stake in ("R1", sale.transaction_id, "3.00 EUR", "force"):
        assert stake in caught.value.message
    assert (await estate.balance(GIFT)).locked_by == "R1"
    assert await done_to(estate, GIFT) == []


async def test_with_force_the_lock_ends_and_the_card_says_who_did_it_and_why(
    estate: Estate, till: Till, other: Till
) -> None:
    sale = await till.card(await till.rung_up())
    assert await unlock(other, GIFT, word(), force=True) == 1
    assert (await estate.balance(GIFT)).free == eur(5_000)
    assert await done_to(estate, GIFT) == [
        ("UNLOCK", "boss", "the till is broken (at register R2)")
    ]
    assert await reason_of(till.complete(sale)) is Reason.CONFIRM_REFUSED
    await other.sold_by_card()
    await till.complete(await till.cash(await till.void_tender(sale, "T1")))
    await estate.until_home(till, other)
    assert (await estate.balance(GIFT)).balance == eur(4_700)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (word("anna"), Reason.NOT_ALLOWED),
        (word("boss", "wrong"), Reason.SIGN_IN_FAILED),
        (word("nobody"), Reason.SIGN_IN_FAILED),
        (word("", ""), Reason.SIGN_IN_FAILED),
        (word(reason=""), Reason.INVALID_ARGUMENT),
        (word(reason="\x07"), Reason.INVALID_ARGUMENT),
        (types_pb2.ManagerWord(), Reason.SIGN_IN_FAILED),
    ],
    ids=["no manager", "wrong password", "nobody", "empty", "no reason", "no text", "no word"],
)
@pytest.mark.parametrize("force", [False, True])
async def test_who_is_no_manager_or_says_not_why_ends_nothing(
    estate: Estate,
    till: Till,
    other: Till,
    given: types_pb2.ManagerWord,
    reason: Reason,
    *,
    force: bool,
) -> None:
    await till.card(await till.rung_up())
    async with estate.refuses(reason):
        await unlock(other, GIFT, given, force=force)
    assert await done_to(estate, GIFT) == []


async def test_a_register_alone_ends_no_other_registers_lock(estate: Estate, till: Till) -> None:
    await till.card(await till.rung_up())
    request = realtime_pb2.UnlockCardRequest(number=GIFT, reason="mine", force=True)
    for register in ("R1", "R2"):
        async with estate.refuses(Reason.INVALID_ARGUMENT):
            await ask(estate.relay.UnlockCard, request, callers.register(register))
    async with estate.refuses(Reason.CALLER_UNKNOWN):
        await ask(estate.relay.UnlockCard, request, callers.person("boss"))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (SECOND, Reason.LOCK_ENDED),
        (UNKNOWN, Reason.CARD_UNKNOWN),
        ("", Reason.INVALID_ARGUMENT),
        ("12", Reason.INVALID_ARGUMENT),
    ],
)
async def test_what_holds_nothing_is_not_ended(
    estate: Estate, till: Till, number: str, reason: Reason
) -> None:
    async with estate.refuses(reason):
        await unlock(till, number, word(), force=True)


async def test_a_memo_and_a_number_that_is_being_issued_are_let_go_too(
    estate: Estate, till: Till, other: Till
) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    sale = await memo_tender(till, await till.rung_up(1_000), number)
    assert await unlock(other, number, word(), CREDIT_MEMO, force=True) == 1
    assert (await card_seen(other, number, CREDIT_MEMO)).free == eur(300)
    assert await reason_of(till.complete(sale)) is Reason.CONFIRM_REFUSED
    await till.void(sale)
    await card_line(till, await till.begin(), ISSUE, "6009-0002", 100)
    assert await unlock(other, "6009-0002", word(), force=True) == 1
    assert await reason_of(card_seen(other, "6009-0002")) is Reason.CARD_UNKNOWN


async def test_a_managers_word_needs_headquarters(estate: Estate, till: Till) -> None:
    await till.card(await till.rung_up())
    await estate.headquarters.stop()
    assert (
        await reason_of(unlock(till, GIFT, word(), force=True)) is Reason.HEADQUARTERS_UNREACHABLE
    )


async def test_headquarters_ends_all_that_holds_a_card(estate: Estate, till: Till) -> None:
    await till.card(await till.rung_up())

    with pytest.raises(StillopenError) as caught:
        await estate.people.end_locks_of(GIFT, CardKind.GIFT_CARD, "asked by phone", force=False)
    assert caught.value.reason is Reason.LOCK_BLOCKS
    [lock] = await estate.people.end_locks_of(
        GIFT, CardKind.GIFT_CARD, "asked by phone", force=True
    )
    assert lock.end_reason == "PERSON"
    assert await done_to(estate, GIFT) == [("UNLOCK", "test", "asked by phone")]


# AdjustCard


async def test_a_card_is_adjusted_by_an_entry_with_who_and_why(estate: Estate) -> None:
    adjust = estate.people.adjust
    assert await adjust(SECOND, Money("EUR", 300), "goodwill", "a1") == Money("EUR", 1_000)
    assert await adjust(SECOND, Money("EUR", -1_000), "fraud", "a2") == Money("EUR", 0)
    ledger = await estate.people.ledger(number=SECOND)
    assert [(e.kind, e.amount.minor_units) for e in ledger.entries] == [
        ("OPENING", 700),
        ("ADJUST", 300),
        ("ADJUST", -1_000),
    ]
    assert await done_to(estate, SECOND) == [
        ("ADJUST", "test", "goodwill"),
        ("ADJUST", "test", "fraud"),
    ]


@pytest.mark.parametrize(
    ("number", "change", "why", "reason"),
    [
        (SECOND, Money("EUR", -701), "x", Reason.INSUFFICIENT_BALANCE),
        (SECOND, Money("EUR", 0), "x", Reason.INVALID_ARGUMENT),
        (SECOND, Money("USD", 1), "x", Reason.CURRENCY_MISMATCH),
        (SECOND, Money("EUR", 1), "", Reason.INVALID_ARGUMENT),
        (SECOND, Money("EUR", 10**15 + 1), "x", Reason.INVALID_ARGUMENT),
        (UNKNOWN, Money("EUR", 1), "x", Reason.CARD_UNKNOWN),
        ("12", Money("EUR", 1), "x", Reason.INVALID_ARGUMENT),
    ],
)
async def test_an_adjustment_that_cannot_be_changes_nothing(
    estate: Estate, number: str, change: Money, why: str, reason: Reason
) -> None:
    async with estate.refuses(reason):
        await estate.people.adjust(number, change, why, "a3")


async def test_what_a_sale_holds_is_not_adjusted_away(estate: Estate, till: Till) -> None:
    await till.card(await till.rung_up())
    async with estate.refuses(Reason.INSUFFICIENT_BALANCE):
        await estate.people.adjust(GIFT, Money("EUR", -1), "x", "a4")
    assert (await estate.people.adjust(GIFT, Money("EUR", 1), "x", "a5")).minor == 5_001


async def test_a_memo_that_a_sale_holds_keeps_what_is_on_it(estate: Estate, till: Till) -> None:
    """Its remainder is drawn already, for what was on it."""
    number = await given_memo(till)
    await estate.until_home(till)
    sale = await memo_tender(till, await till.rung_up(1_000), number)
    async with estate.refuses(Reason.CARD_LOCKED):
        await estate.people.adjust(number, Money("EUR", 1), "x", "a6")
    await till.complete(sale)
    await estate.until_home(till)
    assert await estate.people.exceptions() == []
    async with estate.refuses(Reason.CARD_USED):
        await estate.people.adjust(number, Money("EUR", 1), "x", "a7")


async def test_an_adjustment_that_is_repeated_changes_nothing_more(estate: Estate) -> None:
    for _ in range(2):
        assert (await estate.people.adjust(GIFT, Money("EUR", 5), "x", "once")).minor == 5_005
    with pytest.raises(Misuse) as refusal:
        await estate.people.adjust(GIFT, Money("EUR", 6), "x", "once")
    assert refusal.value.reason is Reason.KEY_REUSED


async def test_only_people_adjust(estate: Estate) -> None:
    request = realtime_pb2.AdjustCardRequest(
        number=GIFT, change=eur(1), reason="x", adjustment_id="a"
    )
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(estate.cards.AdjustCard, request)
    async with estate.refuses(Reason.NOT_SERVED):
        await ask(estate.relay.AdjustCard, request)


async def test_a_blocked_card_pays_no_more_and_takes_no_money(estate: Estate, till: Till) -> None:
    await estate.people.block(GIFT, "stolen", blocked=True)
    sale = await till.rung_up()
    async with estate.refuses(Reason.CARD_BLOCKED):
        await till.card(sale)
    await till.void(sale)
    back = await brought_back(till)
    async with estate.refuses(Reason.CARD_BLOCKED):
        await till.card(back)


# Exceptions


def settle_of(
    number: int, card_id: str, minor: int, memo: types_pb2.NewMemo | None = None
) -> realtime_pb2.SettleTransactionRequest:
    """A fact under a key that was never granted: an issue, or a memo paid in part."""
    purpose = types_pb2.CARD_PURPOSE_REDEEM if memo else types_pb2.CARD_PURPOSE_ISSUE
    operation = realtime_pb2.CardOperation(
        line_id="L1",
        lock_key=bytes([number]) * 16,
        card_id=card_id,
        purpose=purpose,
        amount=eur(minor),
        kind=CREDIT_MEMO if memo else types_pb2.CARD_KIND_GIFT_CARD,
        new_memo=memo,
    )
    return realtime_pb2.SettleTransactionRequest(
        position=types_pb2.JournalPosition(register_id="R9", epoch=9, sequence=number),
        transaction_id=f"{number:032x}",
        operations=[operation],
    )


async def test_money_is_not_put_on_a_number_that_is_only_reserved(
    estate: Estate, till: Till
) -> None:
    """Given up, the reservation would take the money with it."""
    sale = await card_line(till, await till.begin(), ISSUE, "6009-0003", 100)
    fact = settle_of(9, sale.lines[0].card.card_id, 700)
    await ask(estate.cards.SettleTransaction, fact, HEADQUARTERS)
    [raised] = await estate.people.exceptions()
    assert raised.reason == "CARD_EXISTS"
    async with estate.refuses(Reason.CARD_EXISTS):
        await estate.people.resolve(raised.exception_id, APPLIED, "both were paid for")
    await till.complete(await till.cash(sale))
    await estate.until_home(till)
    await estate.people.resolve(raised.exception_id, APPLIED, "both were paid for")
    assert (await estate.balance("6009-0003")).balance == eur(800)


async def test_writing_off_a_second_copy_leaves_the_first_ones_remainder_alone(
    estate: Estate, till: Till
) -> None:
    number = await given_memo(till)
    await estate.until_home(till)
    done = await till.complete(await memo_tender(till, await till.rung_up(1_000), number))
    await estate.until_home(till)
    card = done.tenders[0].card
    copy = settle_of(9, card.card_id, 50, card.new_memo)
    copy.transaction_id = done.transaction_id
    copy.operations[0].line_id = "T1"
    await ask(estate.cards.SettleTransaction, copy, HEADQUARTERS)
    [raised] = await estate.people.exceptions()
    assert raised.reason == "KEY_REUSED"
    await estate.people.resolve(raised.exception_id, WRITTEN_OFF, "a copy")
    assert (await card_seen(till, card.new_memo.number, CREDIT_MEMO)).free == eur(200)
