"""Whether a register may work offline, and by which profile: what headquarters sets holds."""

from dataclasses import replace

import pytest
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_messages import ask
from tests.support.estate_parts import STORE, until
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, Refused
from stillopen.v1 import channel_data_pb2, headquarters_pb2, register_pb2

OFFLINE = register_pb2.CONNECTION_MODE_OFFLINE


async def support(estate: Estate, register_id: str, *, offline: bool) -> None:
    """Says whether a register may work offline, and waits until its channel knows."""
    wanted = headquarters_pb2.RegisterRow(
        register_id=register_id, store_id=STORE, support_offline=offline
    )
    await estate.people.set_register(wanted)
    request = channel_data_pb2.GetChannelConfigurationRequest()

    async def known() -> bool:
        caller = callers.register(register_id)
        answer = await ask(estate.data.GetChannelConfiguration, request, caller)
        return answer.support_offline is offline

    await until(known)


async def test_a_register_sells_offline_once_headquarters_supports_it(estate: Estate) -> None:
    await support(estate, "R2", offline=False)
    other = await estate.till("R2", ready=False)
    await other.sign_in()
    await other.until(lambda s: list(s.offline_missing) == ["OFFLINE_SUPPORT"])
    assert not (await other.sold()).receipt.offline
    await support(estate, "R2", offline=True)
    await other.until(lambda s: s.offline_ready)
    await estate.channel.stop()
    assert (await other.sold()).receipt.offline
    await estate.channel.start()
    await estate.until_home(other)
    assert len(await estate.sales_home()) == 2


async def test_a_register_that_may_no_more_sells_nothing_offline_though_it_has_data(
    estate: Estate, till: Till
) -> None:
    """Also after a restart; its channel alone could tell it otherwise."""
    await support(estate, "R1", offline=False)
    await estate.channel.stop()
    await estate.channel.start()  # it is told when its stream comes up, or within a minute
    await till.until(lambda s: list(s.offline_missing) == ["OFFLINE_SUPPORT"])
    await estate.channel.stop()
    till = await estate.restart("R1")
    with pytest.raises(Refused) as refusal:
        await till.sign_in()
    assert refusal.value.reason is Reason.NOT_READY


async def test_a_store_is_given_another_profile_and_its_registers_go_by_it(
    estate: Estate, till: Till
) -> None:
    night = replace(estate.profile, name="Night", prompt_on_seamless_offline=True)
    await estate.people.set_profile(night)
    store = headquarters_pb2.Store(store_id=STORE, offline_profile="Night")
    await estate.people.set_store(store)
    shown = await estate.until_channel_shows()
    request = channel_data_pb2.GetChannelConfigurationRequest()
    answer = await ask(estate.data.GetChannelConfiguration, request)
    assert answer.offline_profile.name == "Night"
    await till.until(lambda status: status.catalogue_sequence >= shown)
    sale = await till.begin()
    await estate.channel.stop()
    await till.line(sale)
    status = await till.status()
    assert (status.mode, status.cashier_asked) == (OFFLINE, True)
