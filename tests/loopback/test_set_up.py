"""Groups, stores, registers and profiles at headquarters."""

from collections.abc import Awaitable, Callable

import pytest
from tests.support.estate import Estate
from tests.support.estate_parts import until
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.core.parameters import OfflineProfile
from stillopen.v1 import headquarters_pb2
from stillopen.v1.headquarters_pb2 import RegisterRow, Store

GROUP, STORE, REGISTER, PROFILE = (
    headquarters_pb2.SET_UP_KIND_CHANNEL_GROUP,
    headquarters_pb2.SET_UP_KIND_STORE,
    headquarters_pb2.SET_UP_KIND_REGISTER,
    headquarters_pb2.SET_UP_KIND_OFFLINE_PROFILE,
)
NIGHT = OfflineProfile("Night", timeout_s=2.0, description="after ten", pause_offline_sync=True)


async def set_up_of(estate: Estate, *, audit: bool = True) -> list[str]:
    """Everything that a refused change of the set-up must leave as it was."""
    people = estate.people
    stores = [each async for each in people.stores()]
    registers = [each async for each in people.registers()]
    for store in stores:
        store.ClearField("last_contact_time")
    for register in registers:
        register.ClearField("report")
    found = [each async for each in people.groups()]
    return [
        str(each)
        for each in (
            *found,
            *stores,
            *registers,
            *await people.profiles(),
            *(await people.audit() if audit else ()),
        )
    ]


async def refused(
    estate: Estate, act: Callable[[], Awaitable[object]], reason: Reason, field: str | None = None
) -> None:
    """`act` is refused and changes nothing."""
    before = await set_up_of(estate)
    async with estate.refuses(reason, field):
        await act()
    assert await set_up_of(estate) == before


async def test_groups_stores_and_registers_are_listed_as_they_were_set(estate: Estate) -> None:
    people = estate.people
    await people.set_profile(NIGHT)
    await people.set_group("north", "The north")
    store = await people.set_store(
        Store(store_id="S7", name="Harbour", group_id="north", offline_profile="Night")
    )
    assert (store.name, store.group_id, store.offline_profile) == ("Harbour", "north", "Night")
    row = await people.set_register(RegisterRow(register_id="R71", store_id="S7", name="Door"))
    assert row.state == headquarters_pb2.REGISTER_STATE_NEW
    assert not row.support_offline
    assert not row.HasField("activated_time")
    found = {each.group_id: list(each.store_ids) async for each in people.groups()}
    assert found["north"] == ["S7"]
    assert "S1" in found["Default"]
    assert [each.register_id async for each in people.registers("S7")] == ["R71"]
    uses = {use.offline_profile.name: list(use.store_ids) for use in await people.profiles()}
    assert uses["Night"] == ["S7"]
    assert await people.profile("Night") == NIGHT


async def test_a_store_without_group_and_profile_has_the_default_ones(estate: Estate) -> None:
    store = await estate.people.set_store(Store(store_id="S8"))
    assert (store.name, store.group_id, store.offline_profile) == ("S8", "Default", "Default")


async def test_every_change_of_a_replicated_row_is_marked_and_audited(estate: Estate) -> None:
    people = estate.people
    await people.set_store(Store(store_id="S7"))
    await people.set_register(RegisterRow(register_id="R71", store_id="S7"))
    await people.set_profile(NIGHT)
    noted = [(each.action, each.subject, each.person) for each in await people.audit()]
    person = noted[0][2]
    assert person
    assert noted[:3] == [
        ("UPDATE_OFFLINE_PROFILE", "Night", person),
        ("UPDATE_REGISTER", "R71", person),
        ("UPDATE_STORE", "S7", person),
    ]
    [profile_note] = await people.audit("Night")
    assert "timeout_s 2" in profile_note.detail
    assert "pause_offline_sync True" in profile_note.detail


async def test_the_same_again_is_no_change(estate: Estate) -> None:
    people = estate.people
    row = RegisterRow(register_id="R71", store_id="S1", name="Door", support_offline=True)
    await people.set_register(row)
    before = await set_up_of(estate)
    await people.set_register(row)
    assert await set_up_of(estate) == before


@pytest.mark.parametrize(
    ("store", "reason", "field"),
    [
        (Store(store_id=""), Reason.INVALID_ARGUMENT, "store_id"),
        (Store(store_id="a\nb"), Reason.INVALID_ARGUMENT, "store_id"),
        (Store(store_id="S" * 41), Reason.INVALID_ARGUMENT, "store_id"),
        (Store(store_id="S7", name="x" * 201), Reason.INVALID_ARGUMENT, "name"),
        (Store(store_id="S7", group_id="nowhere"), Reason.NAME_UNKNOWN, "group_id"),
        (Store(store_id="S7", offline_profile="None"), Reason.NAME_UNKNOWN, "offline_profile"),
    ],
)
async def test_a_store_that_cannot_be_is_refused(
    estate: Estate, store: Store, reason: Reason, field: str
) -> None:
    await refused(estate, lambda: estate.people.set_store(store), reason, field)


@pytest.mark.parametrize(
    ("register", "reason", "field"),
    [
        (RegisterRow(store_id="S1"), Reason.INVALID_ARGUMENT, "register_id"),
        (RegisterRow(register_id="R77"), Reason.INVALID_ARGUMENT, "store_id"),
        (RegisterRow(register_id="R77", store_id="S9"), Reason.NAME_UNKNOWN, "store_id"),
        (RegisterRow(register_id="R1", store_id="S7"), Reason.IN_USE, "store_id"),
    ],
)
async def test_a_register_that_cannot_be_is_refused(
    estate: Estate, register: RegisterRow, reason: Reason, field: str
) -> None:
    await estate.people.set_store(Store(store_id="S7"))
    await refused(estate, lambda: estate.people.set_register(register), reason, field)


async def test_a_register_may_move_until_it_was_activated(estate: Estate) -> None:
    await estate.people.set_store(Store(store_id="S7"))
    await estate.people.set_register(RegisterRow(register_id="R77", store_id="S1"))
    moved = await estate.people.set_register(RegisterRow(register_id="R77", store_id="S7"))
    assert moved.store_id == "S7"


@pytest.mark.parametrize(
    "wrong",
    [
        OfflineProfile("Night", timeout_s=-1),
        OfflineProfile("Night", reconnect_interval_s=-1),
        OfflineProfile("Night", transaction_upload_interval_s=-1),
        OfflineProfile("Night", transaction_upload_interval_s=90_000),
        OfflineProfile("Night", new_offline_database_check_interval_s=-0.5),
        OfflineProfile("Night", upload_transaction_size=0),
        OfflineProfile("Night", upload_transaction_size=1_001),
        OfflineProfile("Night", download_max_kib_per_s=100_001),
        OfflineProfile("Night", upload_max_kib_per_s=100_001),
        OfflineProfile("Night", description="x" * 201),
        OfflineProfile(""),
    ],
)
async def test_a_profile_no_register_could_work_with_is_refused(
    estate: Estate, wrong: OfflineProfile
) -> None:
    await refused(estate, lambda: estate.people.set_profile(wrong), Reason.INVALID_ARGUMENT)


async def test_an_unknown_profile_is_told(estate: Estate) -> None:
    await refused(estate, lambda: estate.people.profile("Nightly"), Reason.NAME_UNKNOWN)


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        (GROUP, "Default", Reason.IN_USE),
        (GROUP, "north", Reason.IN_USE),
        (STORE, "S1", Reason.IN_USE),
        (STORE, "S7", Reason.IN_USE),
        (REGISTER, "R1", Reason.IN_USE),
        (PROFILE, "Default", Reason.IN_USE),
        (PROFILE, "Night", Reason.IN_USE),
        (GROUP, "south", Reason.NAME_UNKNOWN),
        (STORE, "", Reason.NAME_UNKNOWN),
        (REGISTER, "R99", Reason.NAME_UNKNOWN),
        (PROFILE, "night", Reason.NAME_UNKNOWN),
        (headquarters_pb2.SET_UP_KIND_UNSPECIFIED, "S1", Reason.INVALID_ARGUMENT),
    ],
)
async def test_what_something_stands_on_or_is_not_there_is_not_removed(
    estate: Estate, kind: headquarters_pb2.SetUpKind.ValueType, name: str, reason: Reason
) -> None:
    people = estate.people
    await people.set_profile(NIGHT)
    await people.set_group("north")
    await people.set_store(Store(store_id="S7", group_id="north", offline_profile="Night"))
    await people.set_register(RegisterRow(register_id="R71", store_id="S7"))
    await refused(estate, lambda: people.remove_set_up(kind, name), reason)


async def test_what_nothing_stands_on_is_removed(estate: Estate) -> None:
    people = estate.people
    before = await set_up_of(estate, audit=False)
    await people.set_profile(NIGHT)
    await people.set_group("north")
    await people.set_store(Store(store_id="S7", group_id="north", offline_profile="Night"))
    await people.set_register(RegisterRow(register_id="R71", store_id="S7"))
    await people.activation_code(register_id="R71")
    for kind, name in ((REGISTER, "R71"), (STORE, "S7"), (GROUP, "north"), (PROFILE, "Night")):
        await people.remove_set_up(kind, name)
    assert await set_up_of(estate, audit=False) == before
    assert [each.action for each in await people.audit(limit=4)] == [
        "REMOVE_OFFLINE_PROFILE",
        "REMOVE_CHANNEL_GROUP",
        "REMOVE_STORE",
        "REMOVE_REGISTER",
    ]


async def test_a_group_that_a_schedule_names_is_not_removed(estate: Estate) -> None:
    await estate.people.set_group("north")
    await estate.people.set_group("nor")
    schedule = headquarters_pb2.DistributionSchedule(name="x", jobs=[9999], group_ids=["north"])
    await estate.people.set_schedule(schedule)
    await refused(estate, lambda: estate.people.remove_set_up(GROUP, "north"), Reason.IN_USE)
    await estate.people.remove_set_up(GROUP, "nor")


async def test_a_store_s_list_says_when_its_channel_was_heard(estate: Estate) -> None:
    await estate.people.set_store(Store(store_id="S7"))

    async def heard() -> bool:
        stores = {each.store_id: each async for each in estate.people.stores()}
        return stores["S1"].HasField("last_contact_time")

    await until(heard)
    silent = [each async for each in estate.people.stores() if each.store_id == "S7"]
    assert not silent[0].HasField("last_contact_time")


async def test_a_register_s_list_says_how_it_stands(estate: Estate, till: Till) -> None:
    await till.sold()

    async def said() -> bool:
        rows = {each.register_id: each async for each in estate.people.registers("S1")}
        return rows["R1"].HasField("report")

    await until(said)
