"""Signing in: at the channel, at the register alone, at headquarters; who fails too often waits."""

import asyncio
from pathlib import Path

import pytest
from tests.support.enrolment import NO_HASH
from tests.support.estate import Estate
from tests.support.estate_messages import R1, ask
from tests.support.estate_parts import PASSWORD, one
from tests.support.estate_till import Till
from tests.support.staffing import staffed

from stillopen.cli.headquarters import Headquarters, signed_in
from stillopen.cli.sessions import SignedIn, forget_session, keep_session
from stillopen.core.errors import Misuse, Reason, Refused, StillopenError
from stillopen.core.lockout import FAILURES_MAX, LOCKED_S
from stillopen.core.permissions import CASHIER
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.wire import permissions_from
from stillopen.v1 import channel_data_pb2, headquarters_pb2, register_pb2, types_pb2

GUESS = "guess"


async def fail(till: Till, staff_id: str, times: int = FAILURES_MAX) -> list[Reason]:
    """Signs in with wrong passwords; the reasons of the refusals."""
    return [await reason(till, staff_id, GUESS) for _ in range(times)]


async def reason(till: Till, staff_id: str, password: str = PASSWORD) -> Reason:
    """Why somebody may not sign in."""
    with pytest.raises(StillopenError) as refused:
        await till.sign_in(staff_id, password)
    return refused.value.reason


async def at_headquarters(estate: Estate, staff_id: str, password: str = PASSWORD) -> Caller:
    """Somebody who signs in at headquarters."""
    answer = await signed_in(estate.headquarters.address, staff_id, password)
    return Caller(CallerKind.PERSON, staff_id, answer.token)


# At a register


@pytest.mark.parametrize("staff_id", ["anna", "nobody"])
async def test_too_many_failures_lock_a_name_out_online_known_or_not(
    estate: Estate, till: Till, staff_id: str
) -> None:
    assert set(await fail(till, staff_id)) == {Reason.SIGN_IN_FAILED}
    assert await reason(till, staff_id) is Reason.LOCKED_OUT
    assert (await till.status()).staff_id == "anna"  # who was signed in stays so
    assert await till.sign_in("maria") == "Maria"
    another = await estate.till("R2", ready=False)
    assert await reason(another, staff_id) is Reason.LOCKED_OUT


async def test_a_lock_out_at_the_channel_survives_its_restart_and_ends(
    estate: Estate, till: Till
) -> None:
    await fail(till, "anna")
    await estate.channel.stop()
    await estate.channel.start()
    await till.until(lambda status: status.link_up)
    request = channel_data_pb2.SignInRequest(staff_id="anna", password=PASSWORD)
    with pytest.raises(Refused, match="15 minutes") as refused:
        await ask(estate.data.SignIn, request, R1)
    assert refused.value.reason is Reason.LOCKED_OUT
    estate.clock.wrong_by_s = -86_400.0
    with pytest.raises(Refused):
        await ask(estate.data.SignIn, request, R1)
    estate.clock.wrong_by_s += LOCKED_S + 1
    await ask(estate.data.SignIn, request, R1)


async def test_too_many_failures_lock_a_name_out_offline_and_after_a_restart(
    estate: Estate, till: Till
) -> None:
    await estate.channel.stop()
    assert set(await fail(till, "maria")) == {Reason.SIGN_IN_FAILED}
    assert await reason(till, "maria") is Reason.LOCKED_OUT
    await estate.restart("R1")
    assert await reason(till, "maria") is Reason.LOCKED_OUT
    assert await till.sign_in("anna") == "Anna"
    estate.clock.ahead_s += LOCKED_S + 1
    assert await till.sign_in("maria") == "Maria"


async def test_a_success_forgets_the_failures_before_it(till: Till) -> None:
    for _ in range(3):
        await fail(till, "anna", FAILURES_MAX - 1)
        await till.sign_in("anna")


async def test_tries_at_the_same_moment_do_not_slip_past(estate: Estate, till: Till) -> None:
    request = channel_data_pb2.SignInRequest(staff_id="anna", password=GUESS)
    tries = [ask(estate.data.SignIn, request, R1) for _ in range(4 * FAILURES_MAX)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    reasons = [each.reason for each in found if isinstance(each, StillopenError)]
    assert reasons.count(Reason.SIGN_IN_FAILED) == FAILURES_MAX
    assert reasons.count(Reason.LOCKED_OUT) == 3 * FAILURES_MAX
    assert await reason(till, "anna") is Reason.LOCKED_OUT


async def test_many_sign_in_under_one_name_at_once(estate: Estate) -> None:
    request = channel_data_pb2.SignInRequest(staff_id="anna", password=PASSWORD)
    tries = [ask(estate.data.SignIn, request, R1) for _ in range(4 * FAILURES_MAX)]
    for answer in await asyncio.gather(*tries):
        assert answer.staff.name == "Anna"


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
async def test_a_blocked_member_is_told_so_when_the_password_fits(
    estate: Estate, till: Till, *, online: bool
) -> None:
    await staffed(estate, "maria", "manager", blocked=True)
    sequence = await estate.until_channel_shows()
    await till.until(lambda status: status.catalogue_sequence >= sequence)
    if not online:
        await estate.channel.stop()
    assert await reason(till, "maria", GUESS) is Reason.SIGN_IN_FAILED
    assert await reason(till, "maria") is Reason.BLOCKED


async def test_a_sign_in_says_what_the_person_may_do_and_no_hash(till: Till) -> None:
    request = register_pb2.RegisterServiceSignInRequest(staff_id="anna", password=PASSWORD)
    staff = (await ask(till.stub.SignIn, request)).staff
    assert permissions_from(staff.permissions) == CASHIER.permissions
    assert (staff.role_id, staff.password_hash) == ("cashier", "")


# At headquarters


async def test_a_person_signs_in_at_headquarters_works_and_signs_out(estate: Estate) -> None:
    await staffed(estate, "carl", "clerk")
    answer = await signed_in(estate.headquarters.address, "carl", PASSWORD)
    assert types_pb2.PERMISSION_MASTER_DATA in answer.staff.permissions
    assert (answer.staff.password_hash, answer.expires_in.seconds) == ("", 12 * 3600)
    carl = Caller(CallerKind.PERSON, "carl", answer.token)
    async with Headquarters(estate.headquarters.address, carl) as place:
        await place.parameters()
        with pytest.raises(Misuse) as refused:
            await place.set_parameters(await place.parameters())
        assert refused.value.reason is Reason.NOT_ALLOWED
        await place.sign_out()
        with pytest.raises(Misuse) as ended:
            await place.parameters()
        assert ended.value.reason is Reason.CALLER_UNKNOWN


async def test_a_token_ends_by_itself_and_survives_a_restart_until_then(estate: Estate) -> None:
    boss = await at_headquarters(estate, "boss")
    await estate.headquarters.stop()
    await estate.headquarters.start()
    async with Headquarters(estate.headquarters.address, boss) as place:
        await place.parameters()
        estate.clock.ahead_s += 12 * 3600 + 1
        with pytest.raises(Misuse) as ended:
            await place.parameters()
        assert ended.value.reason is Reason.CALLER_UNKNOWN


async def test_who_may_do_nothing_at_headquarters_does_not_sign_in_there(estate: Estate) -> None:
    with pytest.raises(Misuse) as refused:
        await at_headquarters(estate, "anna")
    assert refused.value.reason is Reason.NOT_ALLOWED


async def test_headquarters_locks_a_name_out_too_and_after_a_restart(estate: Estate) -> None:
    for _ in range(FAILURES_MAX):
        with pytest.raises(Refused, match="do not fit"):
            await at_headquarters(estate, "boss", GUESS)
    await estate.headquarters.stop()
    await estate.headquarters.start()
    with pytest.raises(Refused) as refused:
        await at_headquarters(estate, "boss")
    assert refused.value.reason is Reason.LOCKED_OUT
    await at_headquarters(estate, "office")
    estate.clock.ahead_s += LOCKED_S + 1
    await at_headquarters(estate, "boss")


async def test_a_blocked_person_is_out_at_once(estate: Estate) -> None:
    await staffed(estate, "carl", "clerk")
    carl = await at_headquarters(estate, "carl")
    await staffed(estate, "carl", "clerk", blocked=True)
    async with Headquarters(estate.headquarters.address, carl) as place:
        with pytest.raises(Misuse) as ended:
            await place.parameters()
        assert ended.value.reason is Reason.CALLER_UNKNOWN
    with pytest.raises(Refused) as refused:
        await at_headquarters(estate, "carl")
    assert refused.value.reason is Reason.BLOCKED


async def test_a_role_that_changes_counts_at_once_and_is_audited(estate: Estate) -> None:
    await staffed(estate, "carl", "clerk")
    carl = await at_headquarters(estate, "carl")
    role = types_pb2.Role(role_id="clerk", name="Clerk", permissions=[types_pb2.PERMISSION_STAFF])
    assert await estate.people.set_role(role) == role
    async with Headquarters(estate.headquarters.address, carl) as place:
        with pytest.raises(Misuse) as refused:
            await place.parameters()
        assert refused.value.reason is Reason.NOT_ALLOWED
    assert role in [each async for each in estate.people.roles()]
    [noted] = await estate.people.audit("clerk")
    assert (noted.person, noted.action, noted.detail) == ("test", "UPDATE_ROLE", "Clerk: STAFF")


@pytest.mark.parametrize(
    ("role", "refused"),
    [
        (types_pb2.Role(role_id="", name="x"), Reason.INVALID_ARGUMENT),
        (types_pb2.Role(role_id="x", name=""), Reason.INVALID_ARGUMENT),
        (
            types_pb2.Role(role_id="x", name="x", permissions=[types_pb2.PERMISSION_UNSPECIFIED]),
            Reason.INVALID_ARGUMENT,
        ),
        (types_pb2.Role(role_id="administrator", name="x"), Reason.IN_USE),
    ],
)
async def test_a_role_that_is_none_is_refused(
    estate: Estate, role: types_pb2.Role, refused: Reason
) -> None:
    before = [each async for each in estate.people.roles()]
    async with estate.refuses(refused):
        await estate.people.set_role(role)
    assert [each async for each in estate.people.roles()] == before


@pytest.mark.parametrize("how", ["a new password", "blocked", "removed"])
async def test_a_sign_in_ends_with_the_password_the_block_or_the_person(
    estate: Estate, how: str
) -> None:
    """And does not come back when the block is lifted, or another gets the name."""
    await staffed(estate, "carl", "clerk")
    carl = await at_headquarters(estate, "carl")
    member = types_pb2.StaffMember(staff_id="carl", name="Carl", role_id="clerk")
    kept = types_pb2.StaffMember.FromString(member.SerializeToString())
    member.password_hash = NO_HASH.replace("A" * 43, "B" * 42 + "A")
    if how == "blocked":
        member.blocked = True
        member.password_hash = ""
    if how == "removed":
        await estate.people.remove(headquarters_pb2.MASTER_DATA_KIND_STAFF, ["carl"])
        member.password_hash = NO_HASH
    await estate.people.import_staff(one(headquarters_pb2.ImportStaffRequest(rows=[member])))
    await estate.people.import_staff(one(headquarters_pb2.ImportStaffRequest(rows=[kept])))
    async with Headquarters(estate.headquarters.address, carl) as place:
        with pytest.raises(Misuse) as refused:
            await place.parameters()
    assert refused.value.reason is Reason.CALLER_UNKNOWN
    noted = [each.detail for each in await estate.people.audit("staff carl")]
    assert any(word in " ".join(noted) for word in ("password", "blocked", "new"))


async def test_only_who_may_change_staff_changes_roles(estate: Estate) -> None:
    await staffed(estate, "carl", "clerk")
    carl = await at_headquarters(estate, "carl")
    async with Headquarters(estate.headquarters.address, carl) as place:
        with pytest.raises(Misuse) as refused:
            await place.set_role(types_pb2.Role(role_id="clerk", name="Mine"))
        assert refused.value.reason is Reason.NOT_ALLOWED


async def test_commands_call_as_whoever_signed_in(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = estate.headquarters.address
    monkeypatch.setenv("STILLOPEN_HOME", str(tmp_path / "of a person"))
    boss = await at_headquarters(estate, "boss")
    kept = keep_session(address, SignedIn("boss", boss.secret, 1e11))
    assert kept.stat().st_mode & 0o777 == 0o600
    async with Headquarters(address) as place:
        await place.parameters()
    forget_session(address)
    async with Headquarters(address) as place:
        with pytest.raises(Misuse) as refused:
            await place.parameters()
        assert refused.value.reason is Reason.CALLER_UNKNOWN


# The first sign-in


async def test_a_register_gets_nothing_before_somebody_signed_in_for_the_first_time(
    estate: Estate,
) -> None:
    till = await estate.till("R1", ready=False)
    async with estate.refuses(Reason.SIGN_IN_FAILED):
        await till.sign_in("anna", GUESS)
    status = await till.status()
    assert (status.link_up, list(status.offline_missing)) == (False, ["MASTER_DATA"])
    await till.sign_in()
    await till.until(lambda status: status.link_up and status.offline_ready)


async def test_after_that_it_is_ready_by_itself_after_each_start(
    estate: Estate, till: Till
) -> None:
    await estate.restart("R1")
    await till.until(lambda status: status.link_up and status.lane_announced)
    assert (await till.status()).staff_id == ""


async def test_a_register_whose_copy_was_lost_gets_it_again_by_itself(
    estate: Estate, till: Till
) -> None:
    await estate.registers["R1"].stop()
    for path in (estate.folder / "R1").glob("offline.db*"):
        path.unlink()
    await estate.registers["R1"].start()
    await till.until(lambda status: status.offline_ready)
