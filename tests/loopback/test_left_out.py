"""What registers do without, and packages as files: from headquarters' calls to registers' rows."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc.aio
import pytest
from tests.support import callers
from tests.support.desk import Desk
from tests.support.estate import Estate
from tests.support.estate_distribution import add_plum, pause, replica
from tests.support.estate_messages import R1, ask
from tests.support.estate_parts import FAST, ME, STORE, one, until

from stillopen.core.errors import Reason
from stillopen.core.parameters import DEFAULT_PROFILE
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import profile_to
from stillopen.storage.beside import read_beside
from stillopen.storage.package_file import unpack
from stillopen.v1 import channel_data_pb2, headquarters_pb2, types_pb2

AUDIT = headquarters_pb2.ListAuditRequest(subject=DEFAULT_PROFILE)
APPLIED = headquarters_pb2.DOWNLOAD_STATE_APPLIED


async def customers_of(estate: Estate, register_id: str) -> list[str]:
    """The customers in a register's own copy."""
    [path] = estate.folder.glob(f"**/{register_id}/offline.db")
    return read_beside(
        path, lambda session: [row[0] for row in session.all("SELECT customer_id FROM customer")]
    )


async def exported(
    estate: Estate, store_id: str = STORE, caller: Caller = ME
) -> AsyncIterator[headquarters_pb2.ExportPackageResponse]:
    """The parts of a store's package."""
    request = headquarters_pb2.ExportPackageRequest(store_id=store_id)
    call = estate.people_stub.ExportPackage(request, metadata=caller.metadata(), timeout=10.0)
    try:
        async for part in call:
            yield part
    except grpc.aio.AioRpcError as error:
        raise error_of(error) from error


@pytest.mark.usefixtures("till")
async def test_what_a_profile_leaves_out_reaches_the_channel_and_not_its_registers(
    estate: Estate,
) -> None:
    rows = [types_pb2.Customer(customer_id="C1", name="Ada Byron")]
    await estate.people.import_customers(one(headquarters_pb2.ImportCustomersRequest(rows=rows)))
    await estate.until_channel_shows()
    profile = replace(FAST, name=DEFAULT_PROFILE, excluded_jobs=(1010,), excluded_tables=("price",))
    await estate.people.set_profile(profile)
    assert await estate.people.profile(DEFAULT_PROFILE) == profile
    await add_plum(estate)

    async def without() -> bool:
        found = await replica(estate, "R1")
        left_out = list(found.excluded_tables) == ["customer", "price"]
        return left_out and found.state == APPLIED and await customers_of(estate, "R1") == []

    await until(without)
    assert list((await replica(estate)).excluded_tables) == []
    asked = channel_data_pb2.SearchCustomersRequest(query="")
    assert len((await ask(estate.data.SearchCustomers, asked)).customers) == 1
    await estate.people.set_profile(replace(profile, excluded_jobs=(), excluded_tables=()))

    async def whole() -> bool:
        found = await replica(estate, "R1")
        return found.state == APPLIED and await customers_of(estate, "R1") == ["C1"]

    await until(whole)
    [entry, *_] = (await ask(estate.people_stub.ListAudit, AUDIT, ME)).entries
    assert entry.detail == "excluded_jobs nothing, excluded_tables nothing"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"excluded_jobs": (1060,)}, "excluded_jobs"),
        ({"excluded_jobs": (1010, 9999)}, "excluded_jobs"),
        ({"excluded_tables": ("register",)}, "excluded_tables"),
        ({"excluded_tables": ("nothing",)}, "excluded_tables"),
    ],
    ids=["staff", "everything", "registers", "unknown"],
)
async def test_a_profile_cannot_leave_out_what_a_register_needs(
    estate: Estate, change: dict[str, tuple[int, ...]], field: str
) -> None:
    wrong = profile_to(replace(FAST, name=DEFAULT_PROFILE, **change))  # type: ignore[arg-type]
    before = await estate.people.profile(DEFAULT_PROFILE)
    async with estate.refuses(Reason.INVALID_ARGUMENT, field):
        request = headquarters_pb2.UpdateOfflineProfileRequest(offline_profile=wrong)
        await ask(estate.people_stub.UpdateOfflineProfile, request, ME)
    assert await estate.people.profile(DEFAULT_PROFILE) == before


async def test_a_package_is_exported_with_everything_and_its_digest(estate: Estate) -> None:
    await pause(estate)
    await add_plum(estate)
    parts = [part async for part in exported(estate)]
    file, data = parts[0].file, b"".join(part.data for part in parts[1:])
    assert (len(data), hashlib.sha256(data).digest()) == (file.size, file.digest)
    assert file.digest.hex() in file.name
    path = estate.folder / file.name
    path.write_bytes(data)
    unpack(path, estate.folder / "unpacked.db")
    found = read_beside(
        estate.folder / "unpacked.db",
        lambda session: session.all("SELECT name FROM product WHERE code = 'PLUM'"),
    )
    assert found == [("Plum",)]
    audit = headquarters_pb2.ListAuditRequest(subject=STORE)
    [entry, *_] = (await ask(estate.people_stub.ListAudit, audit, ME)).entries
    assert (entry.action, entry.detail) == ("EXPORT_PACKAGE", file.name)


async def test_no_package_is_exported_for_a_store_that_is_not_there(estate: Estate) -> None:
    async with estate.refuses(Reason.NAME_UNKNOWN, "store_id"):
        assert [part async for part in exported(estate, "S99")] == []


@pytest.mark.parametrize("caller", [R1, callers.channel(STORE)], ids=["register", "channel"])
async def test_registers_and_channels_export_nothing(estate: Estate, caller: Caller) -> None:
    async with estate.refuses(Reason.NOT_ALLOWED):
        assert [part async for part in exported(estate, STORE, caller)] == []


async def test_what_is_left_out_is_set_shown_and_taken_back_by_commands(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(estate, tmp_path / "home", monkeypatch)
    code, said = await desk.says(
        "profile", "set", "Default", "--exclude-job", "1010", "--exclude-table", "price"
    )
    assert code == 0, said
    assert all(word in said for word in ("left out", "1010", "price"))
    shown = await desk.told("profile", "show")
    assert (shown["excluded_jobs"], shown["excluded_tables"]) == ([1010], ["price"])
    _, said = await desk.says("replica", "list")
    assert "customer, price" in said
    code, said = await desk.says("profile", "set", "Default", "--exclude-job", "1060")
    assert (code, "excluded_jobs" in said) == (2, True)
    code, said = await desk.says("profile", "set", "Default", "--exclude-nothing")
    assert code == 0, said
    shown = await desk.told("profile", "show")
    assert (shown["excluded_jobs"], shown["excluded_tables"]) == ([], [])
