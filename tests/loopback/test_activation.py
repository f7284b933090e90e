"""How a store's channel and a register become known: with a code, once."""

import grpc.aio
import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_parts import GIFT, until

from stillopen.core.activation_code import GOOD_FOR_S, new_activation_code
from stillopen.core.errors import Reason, StillopenError
from stillopen.core.guessing import UNKNOWN_MAX
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.machine import system_random
from stillopen.rpc.status import call, error_of
from stillopen.v1 import channel_data_pb2, headquarters_pb2, realtime_pb2
from stillopen.v1.headquarters_pb2 import RegisterRow, Store

TIMEOUT_S = 10.0
BALANCE = realtime_pb2.GetCardBalanceRequest(number=GIFT)


async def new_register(estate: Estate, register_id: str = "R77", store_id: str = "S1") -> str:
    """Sets a register up and returns a code for it."""
    await estate.people.set_register(
        RegisterRow(register_id=register_id, store_id=store_id, support_offline=True)
    )
    return (await estate.people.activation_code(register_id=register_id)).activation_code


async def new_store(estate: Estate, store_id: str = "S7") -> str:
    """Sets a store up and returns a code for its channel."""
    await estate.people.set_store(Store(store_id=store_id))
    return (await estate.people.activation_code(store_id=store_id)).activation_code


async def activate_register(estate: Estate, code: str) -> channel_data_pb2.ActivateRegisterResponse:
    """What a device does that nobody knows yet: it says nothing of itself."""
    request = channel_data_pb2.ActivateRegisterRequest(activation_code=code)
    try:
        return await estate.data.ActivateRegister(request, timeout=TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        raise error_of(error) from None


async def activate_channel(estate: Estate, code: str) -> headquarters_pb2.ActivateChannelResponse:
    """The same for a channel."""
    request = headquarters_pb2.ActivateChannelRequest(activation_code=code)
    try:
        return await estate.people_stub.ActivateChannel(request, timeout=TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        raise error_of(error) from None


async def once_reachable(estate: Estate, code: str) -> channel_data_pb2.ActivateRegisterResponse:
    """The same, as soon as the channel has heard headquarters again."""
    found: list[channel_data_pb2.ActivateRegisterResponse] = []

    async def tried() -> bool:
        try:
            found.append(await activate_register(estate, code))
        except StillopenError as error:
            if error.reason is not Reason.HEADQUARTERS_UNREACHABLE:
                raise
        return bool(found)

    await until(tried)
    return found[0]


async def row_of(estate: Estate, register_id: str) -> RegisterRow:
    """A register as headquarters lists it."""
    [found] = [r async for r in estate.people.registers() if r.register_id == register_id]
    return found


async def test_a_register_is_known_with_the_secret_that_its_code_brings(estate: Estate) -> None:
    code = await new_register(estate)
    answer = await activate_register(estate, code)
    assert (answer.register_id, answer.store_id) == ("R77", "S1")
    assert len(answer.secret) == 64
    row = await row_of(estate, "R77")
    assert row.state == headquarters_pb2.REGISTER_STATE_ACTIVE
    assert row.HasField("activated_time")
    known = Caller(CallerKind.REGISTER, "R77", answer.secret)
    assert (await call(estate.cards.GetCardBalance, BALANCE, known, TIMEOUT_S)).last_four == "0001"


async def test_the_channel_knows_the_register_at_once(estate: Estate) -> None:
    answer = await activate_register(estate, await new_register(estate))
    known = Caller(CallerKind.REGISTER, "R77", answer.secret)
    request = channel_data_pb2.GetParametersRequest()
    await call(estate.data.GetParameters, request, known, TIMEOUT_S)


async def test_a_channel_is_known_with_the_secret_that_its_code_brings(estate: Estate) -> None:
    answer = await activate_channel(estate, await new_store(estate))
    assert answer.store_id == "S7"
    [store] = [each async for each in estate.people.stores() if each.store_id == "S7"]
    assert store.HasField("activated_time")
    code = await new_register(estate, "R77", "S7")
    request = headquarters_pb2.HeadquartersServiceActivateRegisterRequest(activation_code=code)
    known = Caller(CallerKind.CHANNEL, "S7", answer.secret)
    found = await call(estate.people_stub.ActivateRegister, request, known, TIMEOUT_S)
    assert (found.register_id, found.credential_version) == ("R77", 1)


async def test_another_activation_ends_the_secret_of_the_one_before(estate: Estate) -> None:
    first = await activate_register(estate, await new_register(estate))
    again = (await estate.people.activation_code(register_id="R77")).activation_code
    second = await activate_register(estate, again)
    assert first.secret != second.secret
    with pytest.raises(StillopenError) as caught:
        await call(
            estate.cards.GetCardBalance,
            BALANCE,
            Caller(CallerKind.REGISTER, "R77", first.secret),
            TIMEOUT_S,
        )
    assert caught.value.reason is Reason.CALLER_UNKNOWN
    known = Caller(CallerKind.REGISTER, "R77", second.secret)
    await call(estate.cards.GetCardBalance, BALANCE, known, TIMEOUT_S)


async def test_codes_and_secrets_outlive_a_restart(estate: Estate) -> None:
    waiting = await new_register(estate, "R78")
    answer = await activate_register(estate, await new_register(estate))
    await estate.headquarters.stop()
    await estate.headquarters.start()
    known = Caller(CallerKind.REGISTER, "R77", answer.secret)
    await call(estate.cards.GetCardBalance, BALANCE, known, TIMEOUT_S)
    assert (await once_reachable(estate, waiting)).register_id == "R78"


async def registers_of(estate: Estate) -> list[str]:
    """What headquarters has set up, as text."""
    found = [each async for each in estate.people.registers()]
    for each in found:
        each.ClearField("report")
    return [str(each) for each in found]


async def refused(estate: Estate, code: str, reason: Reason = Reason.CODE_UNKNOWN) -> None:
    """The code makes no register known, and nothing changes."""
    before = await registers_of(estate)
    audited = await estate.people.audit()
    async with estate.refuses(reason):
        await activate_register(estate, code)
    assert await registers_of(estate) == before
    assert await estate.people.audit() == audited


@pytest.mark.parametrize("code", ["", "0000-0000-0000-0000", "7K3M", "x" * 5_000, "ü" * 16])
async def test_a_code_that_was_never_given_out_is_unknown(estate: Estate, code: str) -> None:
    await new_register(estate)
    await refused(estate, code)


async def test_a_code_is_good_once(estate: Estate) -> None:
    code = await new_register(estate)
    await activate_register(estate, code)
    await refused(estate, code)


async def test_an_earlier_code_is_void(estate: Estate) -> None:
    earlier = await new_register(estate)
    later = (await estate.people.activation_code(register_id="R77")).activation_code
    await refused(estate, earlier)
    assert (await activate_register(estate, later)).register_id == "R77"


async def test_a_code_is_good_for_a_day(estate: Estate) -> None:
    code, other = await new_register(estate), await new_register(estate, "R78")
    estate.clock.wrong_by_s += GOOD_FOR_S - 60
    await activate_register(estate, code)
    estate.clock.wrong_by_s += 61
    await refused(estate, other)


async def test_a_store_s_code_makes_no_register_known_nor_the_other_way(estate: Estate) -> None:
    of_store, of_register = await new_store(estate), await new_register(estate)
    await refused(estate, of_store)
    async with estate.refuses(Reason.CODE_UNKNOWN):
        await activate_channel(estate, of_register)
    assert (await activate_channel(estate, of_store)).store_id == "S7"
    assert (await activate_register(estate, of_register)).register_id == "R77"


async def test_a_register_is_not_made_known_by_another_store_s_channel(estate: Estate) -> None:
    await new_store(estate)
    code = await new_register(estate, "R77", "S7")
    await refused(estate, code)
    request = headquarters_pb2.HeadquartersServiceActivateRegisterRequest(activation_code=code)
    answer = await activate_channel(
        estate, (await estate.people.activation_code(store_id="S7")).activation_code
    )
    known = Caller(CallerKind.CHANNEL, "S7", answer.secret)
    found = await call(estate.people_stub.ActivateRegister, request, known, TIMEOUT_S)
    assert found.register_id == "R77"


async def test_who_guesses_codes_is_made_to_wait(estate: Estate) -> None:
    reasons: list[Reason] = []
    for _ in range(2 * UNKNOWN_MAX):
        with pytest.raises(StillopenError) as caught:
            await activate_channel(estate, new_activation_code(system_random()))
        reasons.append(caught.value.reason)
    assert reasons[:UNKNOWN_MAX] == [Reason.CODE_UNKNOWN] * UNKNOWN_MAX
    assert Reason.TOO_MANY_UNKNOWN in reasons


async def test_mistyping_is_not_guessing(estate: Estate) -> None:
    code = await new_register(estate)
    mistyped = code[:-1] + ("0" if code[-1] != "0" else "1")
    for _ in range(UNKNOWN_MAX + 1):
        with pytest.raises(StillopenError) as caught:
            await activate_register(estate, mistyped)
        assert caught.value.reason is Reason.CODE_UNKNOWN
    await activate_register(estate, code)


async def test_without_headquarters_a_register_waits_and_its_code_stays_good(
    estate: Estate,
) -> None:
    code = await new_register(estate)
    await estate.headquarters.stop()
    with pytest.raises(StillopenError) as caught:
        await activate_register(estate, code)
    assert caught.value.reason is Reason.HEADQUARTERS_UNREACHABLE
    await estate.headquarters.start()
    assert (await once_reachable(estate, code)).register_id == "R77"


@pytest.mark.parametrize(
    ("register_id", "store_id", "reason"),
    [
        ("", "", Reason.INVALID_ARGUMENT),
        ("R1", "S1", Reason.INVALID_ARGUMENT),
        ("R99", "", Reason.NAME_UNKNOWN),
        ("", "S99", Reason.NAME_UNKNOWN),
        ("a\tb", "", Reason.INVALID_ARGUMENT),
    ],
)
async def test_a_code_for_nothing_is_refused(
    estate: Estate, register_id: str, store_id: str, reason: Reason
) -> None:
    audited = await estate.people.audit()
    async with estate.refuses(reason):
        await estate.people.activation_code(register_id=register_id, store_id=store_id)
    assert await estate.people.audit() == audited


async def test_only_a_channel_passes_a_register_s_code_on(estate: Estate) -> None:
    request = headquarters_pb2.HeadquartersServiceActivateRegisterRequest(
        activation_code=await new_register(estate)
    )
    for known in (callers.register("R1"), callers.person("test")):
        async with estate.refuses(Reason.NOT_ALLOWED):
            await call(estate.people_stub.ActivateRegister, request, known, TIMEOUT_S)


async def test_codes_and_secrets_are_not_in_the_audit(estate: Estate) -> None:
    code = await new_register(estate)
    answer = await activate_register(estate, code)
    told = " ".join(str(each) for each in await estate.people.audit("R77"))
    assert "ACTIVATE_REGISTER" in told
    assert "CREATE_ACTIVATION_CODE" in told
    for secret in (code, code.replace("-", ""), answer.secret):
        assert secret not in told
