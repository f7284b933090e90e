"""Comparing channels and registers with headquarters, over their streams."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support import callers
from tests.support.desk import Desk
from tests.support.estate import Estate
from tests.support.estate_messages import R1
from tests.support.estate_parts import FAST, STORE, eur, one, until
from tests.support.estate_till import Till

from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.core.parameters import DEFAULT_PROFILE
from stillopen.replication.tables import TABLES
from stillopen.rpc.identity import Caller
from stillopen.v1 import headquarters_pb2, types_pb2

MISSING = headquarters_pb2.DIFFERENCE_KIND_MISSING
EXTRA = headquarters_pb2.DIFFERENCE_KIND_EXTRA
OTHER = headquarters_pb2.DIFFERENCE_KIND_OTHER
CHEAPER = "UPDATE product SET price_minor = 1 WHERE code = 'APPLE'"


@dataclass(slots=True)
class Compared:
    """What a comparison said."""

    progress: list[headquarters_pb2.CompareProgress] = field(
        default_factory=list[headquarters_pb2.CompareProgress]
    )
    rows: list[headquarters_pb2.RowDifference] = field(
        default_factory=list[headquarters_pb2.RowDifference]
    )
    summary: headquarters_pb2.CompareSummary = field(
        default_factory=headquarters_pb2.CompareSummary
    )

    @property
    def told(self) -> list[tuple[str, str, int, bool]]:
        """The rows, in short."""
        return [(row.table, row.key, row.kind, row.on_its_way) for row in self.rows]


async def compared(
    estate: Estate,
    register_id: str = "",
    tables: Sequence[str] = (),
    most: int | None = None,
    people: Headquarters | None = None,
) -> Compared:
    """Compares the channel of the store, or a register."""
    found = Compared()
    async for part in (people or estate.people).compare(STORE, register_id, tables, most):
        match part.WhichOneof("part"):
            case "progress":
                found.progress.append(part.progress)
            case "difference":
                found.rows.append(part.difference)
            case _:
                found.summary = part.summary
    return found


def by_hand(database: Path, *statements: str) -> None:
    """Somebody changes a database behind everybody's back."""
    with closing(sqlite3.connect(database)) as connection:  # noqa: TID251 - not by our own code
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def add_plum(estate: Estate, *, carried: bool) -> None:
    """A product more at headquarters."""
    schedule = headquarters_pb2.DistributionSchedule(
        name="default", jobs=[9999], on_change=True, paused=not carried
    )
    await estate.people.set_schedule(schedule)
    await estate.until_channel_shows()
    plum = types_pb2.Product(product_id="PLUM", name="Plum", price=eur(50))
    await estate.people.import_products(one(headquarters_pb2.ImportProductsRequest(rows=[plum])))


async def test_a_channel_and_its_registers_have_what_headquarters_has(
    estate: Estate, till: Till
) -> None:
    channel = await compared(estate)
    assert channel.told == []
    found = channel.summary
    assert (found.differences, found.on_their_way) == (0, 0)
    assert found.sequence == found.newest_sequence > 0
    await till.until(lambda status: status.catalogue_sequence == found.sequence)
    register = await compared(estate, "R1")
    assert (register.told, register.summary) == ([], found)
    assert {each.table for each in channel.progress} == {table.name for table in TABLES}
    last = {each.table: each for each in channel.progress}
    assert all(each.compared == each.rows for each in last.values())
    assert sum(each.rows for each in last.values()) == found.rows > 10


async def test_rows_that_were_changed_in_a_channel_are_named(estate: Estate) -> None:
    by_hand(
        estate.folder / "channel" / "replica.db",
        CHEAPER,
        "DELETE FROM product WHERE code = 'PEAR'",
        "INSERT INTO customer VALUES ('C9', 'Eve', '', '')",
    )
    found = await compared(estate)
    assert found.told == [
        ("product", "APPLE", OTHER, False),
        ("product", "PEAR", MISSING, False),
        ("customer", "C9", EXTRA, False),
    ]
    assert found.summary.differences == 3
    assert (await compared(estate, tables=["customer"])).told == found.told[-1:]
    few = await compared(estate, most=1)
    assert (few.told, few.summary) == (found.told[:1], found.summary)
    none = await compared(estate, most=0)
    assert (none.told, none.summary) == ([], found.summary)


async def test_a_row_that_was_changed_in_a_register_is_named(estate: Estate, till: Till) -> None:
    shown = (await compared(estate)).summary.sequence
    await till.until(lambda status: status.catalogue_sequence == shown)
    by_hand(estate.folder / "R1" / "offline.db", CHEAPER)
    assert (await compared(estate, "R1")).told == [("product", "APPLE", OTHER, False)]
    assert (await compared(estate)).told == []


async def test_what_no_run_has_carried_is_on_its_way(estate: Estate) -> None:
    await add_plum(estate, carried=False)
    by_hand(estate.folder / "channel" / "replica.db", CHEAPER)
    found = await compared(estate)
    assert found.told == [
        ("product", "APPLE", OTHER, False),
        ("product", "PLUM", MISSING, True),
    ]
    assert (found.summary.differences, found.summary.on_their_way) == (1, 1)
    await estate.until_channel_shows()
    assert (await compared(estate)).told == found.told[:1]


async def test_a_register_lacks_nothing_that_its_profile_leaves_out(
    estate: Estate, till: Till
) -> None:
    ada = types_pb2.Customer(customer_id="C1", name="Ada")
    await estate.people.import_customers(one(headquarters_pb2.ImportCustomersRequest(rows=[ada])))
    profile = replace(FAST, name=DEFAULT_PROFILE, excluded_jobs=(1010,))
    await estate.people.set_profile(profile)
    await estate.until_channel_shows()

    async def without() -> bool:
        found = (await compared(estate, "R1", ["customer"])).summary
        return (found.rows, found.differences + found.on_their_way) == (0, 0)

    await until(without)
    found = await compared(estate, "R1")
    assert found.told == []
    assert (await compared(estate, tables=["customer"])).summary.rows == 1
    assert (await till.sold()).transaction_id


async def test_a_place_without_a_stream_is_unreachable(estate: Estate) -> None:
    with pytest.raises(Unreachable) as register:
        await compared(estate, "R2")
    assert "R2" in register.value.message
    await estate.channel.stop()
    with pytest.raises(Unreachable) as channel:
        await compared(estate)
    assert channel.value.reason is Reason.UNREACHABLE
    assert STORE in channel.value.message


@pytest.mark.parametrize(
    ("request_", "error", "reason", "field"),
    [
        ({"store_id": "S9"}, Refused, Reason.NAME_UNKNOWN, "store_id"),
        ({"store_id": ""}, Refused, Reason.NAME_UNKNOWN, "store_id"),
        ({"store_id": "S1", "register_id": "R99"}, Refused, Reason.NAME_UNKNOWN, "register_id"),
        ({"store_id": "S2", "register_id": "R1"}, Refused, Reason.NAME_UNKNOWN, "register_id"),
        ({"store_id": "S1", "tables": ["sale"]}, Misuse, Reason.INVALID_ARGUMENT, "tables"),
        (
            {"store_id": "S1", "differences_max": 10_001},
            Misuse,
            Reason.INVALID_ARGUMENT,
            "differences_max",
        ),
    ],
    ids=["store", "no store", "register", "another's register", "table", "too many"],
)
async def test_what_cannot_be_compared_is_refused(
    estate: Estate,
    request_: dict[str, str],
    error: type[StillopenError],
    reason: Reason,
    field: str,
) -> None:
    with pytest.raises(error) as caught:
        async for _ in estate.people.compare(**request_):  # type: ignore[arg-type]
            pass
    assert (caught.value.reason, caught.value.field) == (reason, field)


@pytest.mark.parametrize("caller", [R1, callers.channel(STORE)], ids=["register", "channel"])
async def test_registers_and_channels_do_not_compare(estate: Estate, caller: Caller) -> None:
    async with Headquarters(estate.headquarters.address, caller) as people:
        with pytest.raises(Misuse) as caught:
            await compared(estate, people=people)
    assert caught.value.reason is Reason.NOT_ALLOWED


@pytest.fixture
def desk(estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A command line at headquarters."""
    return Desk(estate, tmp_path / "home", monkeypatch)


async def test_the_command_shows_what_differs_and_ends_with_1(
    estate: Estate, till: Till, desk: Desk
) -> None:
    await add_plum(estate, carried=False)
    await till.until(lambda status: status.link_up)
    code, said = await desk.says("compare", "--register", "R1", "--table", "staff")
    assert (code, "register R1 of store S1: " in said, "all the same" in said) == (0, True, True)
    by_hand(estate.folder / "channel" / "replica.db", CHEAPER)
    code, said = await desk.says("compare", "--store", STORE)
    assert code == 1
    assert "the channel of store S1: " in said
    assert "1 differ, 1 on their way" in said
    lines = [line.split() for line in said.splitlines()]
    assert ["S1", "(channel)", "product", "APPLE", "other"] in lines
    assert ["S1", "(channel)", "product", "PLUM", "missing", "on", "its", "way"] in lines
    assert "register R2 of store S1 cannot be reached" in said
    code, said = await desk.says("compare", "--register", "R2")
    assert (code, "cannot be reached" in said) == (3, True)


async def test_the_command_tells_programs_the_same(estate: Estate, desk: Desk) -> None:
    by_hand(estate.folder / "channel" / "replica.db", CHEAPER)
    code, said = await desk.says("compare", "--store", STORE, "--table", "product", "--json")
    assert code == 1
    channel, *registers = json.loads(said)["replicas"]
    assert (channel["store_id"], channel["register_id"], channel["error"]) == (STORE, "", None)
    assert channel["differences"] == [
        {
            "table": "product",
            "key": "APPLE",
            "kind": "DIFFERENCE_KIND_OTHER",
            "on_its_way": False,
        }
    ]
    assert (channel["summary"]["rows"], channel["summary"]["differences"]) == ("2", "1")
    assert {each["error"]["reason"] for each in registers} == {"UNREACHABLE"}
    assert {each["summary"] for each in registers} == {None}


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--store", "S9"), 1, "no store S9"),
        (("--register", "R99"), 1, "no register R99"),
        (("--store", "S1", "--table", "sale"), 2, "no table 'sale'"),
        (("--store", "S1", "--most", "-1"), 2, "--most"),
    ],
)
async def test_the_command_says_in_one_line_what_is_wrong(
    desk: Desk, arguments: tuple[str, ...], status: int, word: str
) -> None:
    code, said = await desk.says("compare", *arguments)
    assert (code, "Traceback" in said) == (status, False), said
    assert word in said
