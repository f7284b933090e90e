"""Retiring a register: it delivers what it has, and does nothing else."""

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_messages import LANE, ask, entries_of, lock_of
from tests.support.estate_parts import GIFT, until
from tests.support.estate_stream import Stream
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, StillopenError
from stillopen.core.journal import Head, Lane
from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2, realtime_pb2
from stillopen.v1.headquarters_pb2 import RegisterRow

TIMEOUT_S = 10.0
ELSEWHERE = callers.channel("S2")
"""A store of its own: the estate's channel would take its name back."""
RETIRED = headquarters_pb2.REGISTER_STATE_RETIRED
BALANCE = realtime_pb2.GetCardBalanceRequest(number=GIFT)


async def state_of(estate: Estate, register_id: str) -> headquarters_pb2.RegisterState.ValueType:
    """Whether a register may work."""
    [found] = [r async for r in estate.people.registers() if r.register_id == register_id]
    return found.state


async def owe_sales(estate: Estate) -> None:
    """R1 claims five entries, has delivered three, and holds a card."""
    entries = entries_of(5)
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(Head(LANE, 1, 5, entries[-1].digest))
        await stream.welcome()
        await stream.stored(stream.send(*entries[:3]))
    await ask(estate.cards.LockCard, lock_of(1))


async def deliver_the_rest(estate: Estate) -> None:
    """The last two entries come all the same."""
    entries = entries_of(5)
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(Head(LANE, 1, 5, entries[-1].digest))
        await stream.welcome()
        await stream.stored(stream.send(*entries[3:]))


async def test_a_register_that_is_complete_is_retired(estate: Estate, till: Till) -> None:
    await till.sold()
    await estate.until_home(till)
    answer = await estate.people.retire("R1", "the shop is closed")
    assert answer.register.state == RETIRED
    assert not answer.lost_lanes
    assert await state_of(estate, "R1") == RETIRED
    [noted, *_] = await estate.people.audit("R1")
    assert (noted.action, noted.detail) == ("RETIRE_REGISTER", "the shop is closed")


async def test_a_retired_register_is_not_let_in(estate: Estate, till: Till) -> None:
    await estate.until_home(till)
    await estate.people.retire("R1", "sold")
    with pytest.raises(StillopenError) as caught:
        await call(estate.cards.GetCardBalance, BALANCE, callers.register("R1"), TIMEOUT_S)
    assert caught.value.reason is Reason.RETIRED


async def test_its_card_locks_are_ended_by_the_person_who_retires_it(
    estate: Estate, till: Till
) -> None:
    sale = await till.card(await till.line(await till.begin()))
    await estate.until_home(till)
    assert len(await estate.people.locks()) == 1
    await estate.people.retire("R1", "stolen")
    assert await estate.people.locks() == []
    ledger = await estate.people.ledger(number=GIFT)
    assert [(each.action, each.person, each.reason) for each in ledger.actions] == [
        ("UNLOCK", "test", "stolen")
    ]
    assert (await estate.balance(GIFT)).free.minor_units == 5_000
    assert sale.tenders


async def test_locks_of_other_registers_stay(estate: Estate, till: Till) -> None:
    other = await estate.till("R2")
    await other.card(await other.line(await other.begin()))
    await estate.until_home(till, other)
    await estate.people.retire("R1", "stolen")
    assert [each.register_id for each in await estate.people.locks()] == ["R2"]


async def test_a_register_that_owes_sales_is_not_retired(estate: Estate) -> None:
    await owe_sales(estate)
    audited = await estate.people.audit()
    before = await state_of(estate, "R1")
    async with estate.refuses(Reason.INCOMPLETE, "register_id"):
        await estate.people.retire("R1", "sold")
    assert await state_of(estate, "R1") == before
    assert await estate.people.audit() == audited
    assert await estate.people.lost_lanes() == []


async def test_the_refusal_says_what_is_missing(estate: Estate) -> None:
    await owe_sales(estate)
    with pytest.raises(StillopenError) as caught:
        await estate.people.retire("R1", "sold")
    assert f"lane {LANE.epoch:016x} has 3 of 5 entries" in caught.value.message


async def test_forced_its_lanes_are_declared_lost_with_the_cards_it_held(estate: Estate) -> None:
    await owe_sales(estate)
    answer = await estate.people.retire("R1", "burnt", force=True)
    assert answer.register.state == RETIRED
    [lost] = answer.lost_lanes
    assert (lost.register_id, lost.epoch, lost.person, lost.reason) == (
        "R1",
        LANE.epoch,
        "test",
        "burnt",
    )
    assert len(lost.locks) == 1
    assert await estate.people.locks() == []
    [noted] = [each for each in await estate.people.audit("R1") if each.action == "RETIRE_REGISTER"]
    assert "declared lost" in noted.detail


async def test_what_a_retired_register_had_is_taken_all_the_same(estate: Estate) -> None:
    await owe_sales(estate)
    await estate.people.retire("R1", "burnt", force=True)
    await deliver_the_rest(estate)

    async def home() -> bool:
        return len(await estate.sales_home()) == 5

    await until(home)
    assert (await estate.people.completeness()).complete
    assert await state_of(estate, "R1") == RETIRED


async def test_a_retired_register_delivers_its_own_journal(estate: Estate) -> None:
    await estate.people.retire("R3", "replaced")
    entries = entries_of(2, Lane("R3", 0xC))
    async with Stream(estate.streams, callers.register("R3")) as stream:
        stream.hello(Head(entries[0].lane, 1, 2, entries[-1].digest))
        await stream.welcome()
        await stream.stored(stream.send(*entries))

    async def home() -> bool:
        return len(await estate.sales_home()) == 2

    await until(home)


async def test_retiring_again_changes_nothing(estate: Estate, till: Till) -> None:
    await estate.until_home(till)
    await estate.people.retire("R1", "sold")
    audited = await estate.people.audit()
    assert (await estate.people.retire("R1", "again")).register.state == RETIRED
    assert await estate.people.audit() == audited


async def test_a_retired_register_gets_no_code_and_no_change(estate: Estate) -> None:
    await estate.people.retire("R1", "never used")
    async with estate.refuses(Reason.RETIRED):
        await estate.people.activation_code(register_id="R1")
    async with estate.refuses(Reason.RETIRED):
        await estate.people.set_register(RegisterRow(register_id="R1", store_id="S1"))
    async with estate.refuses(Reason.IN_USE):
        await estate.people.remove_set_up(headquarters_pb2.SET_UP_KIND_REGISTER, "R1")


async def test_a_code_that_was_given_out_before_is_void(estate: Estate) -> None:
    await estate.people.activation_code(register_id="R1")
    await estate.people.retire("R1", "never used")
    assert [each.action for each in await estate.people.audit("R1")] == [
        "RETIRE_REGISTER",
        "CREATE_ACTIVATION_CODE",
    ]


@pytest.mark.parametrize(
    ("register_id", "reason", "refusal"),
    [
        ("R99", "sold", Reason.NAME_UNKNOWN),
        ("", "sold", Reason.INVALID_ARGUMENT),
        ("R1", "", Reason.INVALID_ARGUMENT),
        ("R1", "a\nb", Reason.INVALID_ARGUMENT),
    ],
)
async def test_retiring_without_a_name_or_a_reason_is_refused(
    estate: Estate, register_id: str, reason: str, refusal: Reason
) -> None:
    audited = await estate.people.audit()
    async with estate.refuses(refusal):
        await estate.people.retire(register_id, reason, force=True)
    assert await estate.people.audit() == audited
