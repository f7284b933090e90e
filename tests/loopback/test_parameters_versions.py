"""Parameters as versions: who made which, and from when it holds."""

from dataclasses import replace

import pytest
from tests.support.estate import Estate
from tests.support.estate_parts import ME, SECOND
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.core.parameters import CardParameters, Parameters
from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2, types_pb2

ON = CardParameters(allow_concluding_offline=True)
HOUR_S = 3_600.0


async def versions(estate: Estate) -> list[types_pb2.Parameters]:
    """Every version, the newest first."""
    return [each async for each in estate.people.parameter_versions()]


async def set_gift_card(
    estate: Estate, gift_card: CardParameters
) -> headquarters_pb2.UpdateParametersResponse:
    """Changes the rules of gift cards."""
    seen = await estate.people.parameters()
    return await estate.people.update_parameters(replace(seen, gift_card=gift_card))


async def test_each_change_is_a_version_with_who_and_when(estate: Estate) -> None:
    before = await versions(estate)
    await set_gift_card(estate, ON)
    await set_gift_card(estate, replace(ON, conclude_within_s=HOUR_S))
    found = await versions(estate)
    assert [each.version for each in found] == list(range(len(before) + 1, -1, -1))
    assert found[2:] == before
    assert [each.changed_by for each in found[:2]] == ["test", "test"]
    assert found[0].changed_time.ToSeconds() >= found[1].changed_time.ToSeconds() > 0
    assert found[0].gift_card.conclude_within.ToSeconds() == HOUR_S
    assert found[0] == await estate.people.parameters_in_force()
    [newest, *_] = await estate.people.audit("Posting")
    assert newest.detail == f"version {found[0].version}: gift_card.conclude_within_s 3600"


async def test_versions_are_listed_page_by_page(estate: Estate) -> None:
    for hours in range(1, 4):
        await set_gift_card(estate, replace(ON, conclude_within_s=hours * HOUR_S))
    whole = await versions(estate)
    paged: list[types_pb2.Parameters] = []
    token = ""
    while True:
        request = headquarters_pb2.ListParameterVersionsRequest(page_size=2, page_token=token)
        page = await call(estate.people_stub.ListParameterVersions, request, ME, 10.0)
        paged += page.versions
        token = page.next_page_token
        if not token:
            break
        assert len(page.versions) == 2
    assert paged == whole


async def test_versions_outlive_a_restart(estate: Estate) -> None:
    await set_gift_card(estate, ON)
    before = await versions(estate)
    await estate.headquarters.stop()
    await estate.headquarters.start()
    assert await versions(estate) == before
    assert (await estate.people.parameters()).gift_card == ON


async def test_a_change_made_on_an_old_version_is_refused(estate: Estate) -> None:
    seen = await estate.people.parameters()
    await set_gift_card(estate, ON)
    before = await versions(estate)
    async with estate.refuses(Reason.VERSION_OLD, "version"):
        await estate.people.update_parameters(replace(seen, gift_card=CardParameters()))
    async with estate.refuses(Reason.VERSION_OLD, "version"):
        await estate.people.update_parameters(replace(seen, version=99))
    assert await versions(estate) == before


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (Parameters(gift_card=CardParameters(conclude_within_s=-1)), Reason.INVALID_ARGUMENT),
        (Parameters(gift_card=CardParameters(lease_s=0)), Reason.INVALID_ARGUMENT),
        (Parameters(credit_memo=CardParameters(grace_s=-5)), Reason.INVALID_ARGUMENT),
        (Parameters(gift_card=CardParameters(grace_s=0)), Reason.PARAMETERS_INVALID),
        (Parameters(journal_retention_s=-1), Reason.INVALID_ARGUMENT),
        (Parameters(currency="money"), Reason.INVALID_ARGUMENT),
    ],
)
async def test_parameters_that_could_lose_something_are_refused(
    estate: Estate, wrong: Parameters, reason: Reason
) -> None:
    seen = await estate.people.parameters()
    before, audited = await versions(estate), await estate.people.audit()
    async with estate.refuses(reason):
        await estate.people.update_parameters(replace(wrong, version=seen.version))
    assert await versions(estate) == before
    assert await estate.people.audit() == audited


async def terms_of(estate: Estate) -> dict[str, float]:
    """For how long the sale of each open lock may be concluded offline, by the card's last four."""
    return {
        each.lock.last_four: each.lock.conclude_within.ToSeconds()
        for each in await estate.people.locks()
    }


async def test_a_change_holds_for_the_next_lock_at_once_and_for_no_earlier_one(
    estate: Estate, till: Till
) -> None:
    await set_gift_card(estate, replace(ON, conclude_within_s=2 * HOUR_S))
    first = await till.line(await till.begin())
    await till.card(first)
    answer = await set_gift_card(estate, CardParameters())
    assert answer.locks_with_older_terms == 1
    assert 0 < answer.older_terms_end_within.ToSeconds() <= 2 * HOUR_S
    other = await estate.till("R2")
    second = await other.line(await other.begin())
    await other.card(second, number=SECOND)
    assert await terms_of(estate) == {"0001": 2 * HOUR_S, "0002": 0}


async def test_longer_terms_leave_no_lock_with_more_than_they_allow(
    estate: Estate, till: Till
) -> None:
    await set_gift_card(estate, replace(ON, conclude_within_s=HOUR_S))
    await till.card(await till.line(await till.begin()))
    answer = await set_gift_card(estate, replace(ON, conclude_within_s=2 * HOUR_S))
    assert answer.locks_with_older_terms == 0
    assert answer.HasField("older_terms_end_within")
    assert answer.older_terms_end_within.ToSeconds() == 0


async def test_terms_of_gift_cards_say_nothing_of_credit_memos(estate: Estate, till: Till) -> None:
    await set_gift_card(estate, ON)
    await till.card(await till.line(await till.begin()))
    seen = await estate.people.parameters()
    answer = await estate.people.update_parameters(replace(seen, credit_memo=CardParameters()))
    assert answer.locks_with_older_terms == 0


async def test_reloading_says_which_version_is_on_its_way(estate: Estate) -> None:
    await set_gift_card(estate, ON)
    answer = await estate.people.reload_parameters()
    assert answer.version == (await estate.people.parameters()).version
