"""Another person allows one thing in one sale: never oneself, online and offline, kept with it."""

import pytest
from tests.support.estate import Estate
from tests.support.estate_parts import PASSWORD, eur
from tests.support.estate_till import Till
from tests.support.staffing import SELL, cashiers_may, staffed, until_it_may

from stillopen.core.errors import Reason
from stillopen.v1 import types_pb2

PRICE = types_pb2.PERMISSION_OVERRIDE_PRICE
VOID = types_pb2.PERMISSION_VOID
GUESS = "guess"


@pytest.fixture
async def trainee(estate: Estate, till: Till) -> Till:
    """A till at which somebody may sell and nothing else."""
    await cashiers_may(estate, SELL)
    await until_it_may(till, "BEGIN")
    return till


async def test_what_another_allows_works_in_that_sale_and_comes_home_with_it(
    estate: Estate, trainee: Till
) -> None:
    sale = await trainee.override(await trainee.rung_up(), PRICE)
    assert "OVERRIDE_PRICE" in (await trainee.status()).operations
    sale = await trainee.priced(sale, "L1", eur(90))
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.void(sale)
    await trainee.complete(await trainee.cash(sale))
    await estate.until_home(trainee)
    [home] = await estate.sales_home()
    [word] = home.sale.overrides
    assert (word.permission, word.staff_id, word.reason) == (PRICE, "maria", "regular customer")
    assert word.HasField("time")
    another = await trainee.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.priced(another, "L1", eur(90))


async def test_it_works_offline(estate: Estate, trainee: Till) -> None:
    await estate.channel.stop()
    sale = await trainee.override(await trainee.rung_up(), VOID)
    voided = await trainee.void(sale)
    assert [each.staff_id for each in voided.overrides] == ["maria"]


async def test_nobody_allows_a_thing_to_oneself(estate: Estate, till: Till) -> None:
    await till.sign_in("maria")
    sale = await till.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "manager"):
        await till.override(sale, VOID, "maria")
    await estate.channel.stop()
    with_line = await till.line(sale)
    async with estate.refuses(Reason.NOT_ALLOWED, "manager"):
        await till.override(with_line, VOID, "maria")


async def test_who_may_not_either_does_not_allow_it(estate: Estate, trainee: Till) -> None:
    await staffed(estate, "bob")
    sale = await trainee.rung_up()
    async with estate.refuses(Reason.NOT_ALLOWED, "permission"):
        await trainee.override(sale, VOID, "bob")


@pytest.mark.parametrize(
    ("permission", "staff_id", "password", "reason", "refused"),
    [
        (VOID, "maria", "wrong", "x", Reason.SIGN_IN_FAILED),
        (VOID, "nobody", PASSWORD, "x", Reason.SIGN_IN_FAILED),
        (VOID, "maria", PASSWORD, "", Reason.INVALID_ARGUMENT),
        (VOID, "", PASSWORD, "x", Reason.INVALID_ARGUMENT),
        (types_pb2.PERMISSION_UNSPECIFIED, "maria", PASSWORD, "x", Reason.INVALID_ARGUMENT),
        (types_pb2.PERMISSION_SWITCH_CONNECTION, "maria", PASSWORD, "x", Reason.INVALID_ARGUMENT),
        (types_pb2.PERMISSION_CARDS, "maria", PASSWORD, "x", Reason.INVALID_ARGUMENT),
    ],
)
async def test_a_word_that_does_not_hold_changes_nothing(
    estate: Estate,
    till: Till,
    permission: types_pb2.Permission.ValueType,
    staff_id: str,
    password: str,
    reason: str,
    refused: Reason,
) -> None:
    sale = await till.rung_up()
    async with estate.refuses(refused):
        await till.override(sale, permission, staff_id, password, reason)


async def test_a_managers_word_is_a_sign_in_and_locks_its_name_out(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    for _ in range(5):
        async with estate.refuses(Reason.SIGN_IN_FAILED):
            await till.override(sale, VOID, password=GUESS)
    async with estate.refuses(Reason.LOCKED_OUT):
        await till.override(sale, VOID)


async def test_a_repeat_gets_the_same_answer_and_an_older_version_none(
    estate: Estate, till: Till
) -> None:
    sale = await till.rung_up()
    allowed = await till.override(sale, VOID)
    assert await till.override(sale, VOID) == allowed
    await estate.restart("R1")
    await till.until(lambda status: status.link_up and status.lane_announced)
    await till.sign_in()
    assert await till.override(sale, VOID) == allowed
    async with estate.refuses(Reason.VERSION_OLD):
        await till.override(sale, PRICE)


async def test_a_recalled_sale_tells_what_was_allowed_before(trainee: Till) -> None:
    sale = await trainee.override(await trainee.rung_up(), PRICE)
    suspended = await trainee.suspend(await trainee.priced(sale, "L1", eur(90)))
    recalled = await trainee.recall(suspended.transaction_id)
    assert list(recalled.overrides) == list(sale.overrides)
