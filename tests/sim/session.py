"""A scripted session of both directions on both hops, and what is everywhere at its end.

Up go sales for cash and with a card, one of them damaged on its way, and a lane that begins late.
Down come snapshots and deltas of several blocks, and how far the journal may be deleted. Questions
are asked and answered. People repeat what was not answered, as people do; whatever happens to the
streams, the end must be the same.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import grpc.aio
import pytest
from tests.sim.cutting import Scissors
from tests.sim.images import rows
from tests.sim.scene import ALLOWED, ANSWER_S, CARD, Scene, Till, small
from tests.sim.world import HQ, OFFICE

from stillopen.core.errors import StillopenError, Unreachable
from stillopen.replication import sending
from stillopen.replication.tables import TABLES
from stillopen.rpc.status import call, error_of
from stillopen.storage import shelf
from stillopen.v1 import headquarters_pb2, register_pb2, types_pb2

T = TypeVar("T")
BLOCK_BYTES = 512
"""So small that the few products of a simulation are several blocks."""
RETENTION_S = 2
PATIENCE_S = 1_800.0
HEARTBEAT_S = 6.0
"""Within it both ends of every stream say that they are there."""
PLAN = small(ALLOWED, tills=(1,))
LATE = "R1-2"
"""The register whose first start is in the session."""
COMPLETED = types_pb2.SALE_STATE_COMPLETED
ONLINE = register_pb2.CONNECTION_MODE_ONLINE
ENTRIES = "SELECT register_id, epoch, sequence, state FROM entry ORDER BY 1, 2, 3"
LANES = (
    "SELECT register_id, epoch, first, head, through, headquarters_through, headquarters_knows,"
    " purge_through FROM lane ORDER BY 1, 2"
)
OWN_LANES = (
    "SELECT epoch, head, through, headquarters_through, headquarters_knows, purge_through,"
    " purged_through FROM journal_lane ORDER BY opened"
)
Picture = dict[str, object]


@contextmanager
def small_blocks() -> Generator[None]:
    """Packages of a simulation are many blocks, of which a part survives a restart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "BLOCK_BYTES", BLOCK_BYTES)
        patch.setattr(sending, "WINDOW_BYTES", 2 * BLOCK_BYTES)
        patch.setattr(shelf, "FLUSH_BYTES", BLOCK_BYTES)
        yield


async def session(scene: Scene, scissors: Scissors) -> None:
    """The script."""
    till = scene.till
    scissors.take_up()
    async with asyncio.timeout(PATIENCE_S):
        await begins_anew(scene, till.store)
        await sells(till, till.cash)
        await sells(till, till.card)
        await set_prices(scene, 2, [till.name])
        await sells(till, till.cash, scissors)
        late = await begins_late(scene)
        await sells(late, late.cash)
        await set_prices(scene, 3, [till.name, late.name])
        await sells(till, till.card)
        assert await differences(scene, "product") == []
        await everything_goes(scene)
        for each in (till, late):
            await comes_online(each)
        await scene.settled(PATIENCE_S)
        await asyncio.sleep(HEARTBEAT_S)
        scissors.put_down()
        assert await differences(scene) == []


async def begins_anew(scene: Scene, store: str) -> None:
    """A channel is started without its copy of master data: a snapshot comes."""
    process = scene.estate.processes[store]
    process.crash()
    for file in (scene.estate.folder / store).glob("**/*"):
        if file.is_symlink() or (file.is_file() and not file.name.startswith("channel.db")):
            file.unlink()
    await process.start()


async def sells(
    till: Till,
    pays: Callable[[types_pb2.Sale], Awaitable[types_pb2.Sale]],
    scissors: Scissors | None = None,
) -> None:
    """A sale of one line to its receipt; with scissors its entry is damaged on each hop."""
    name = till.new_name()
    if scissors is not None:
        scissors.damages |= {(till.name, name), (till.store, name)}
    sale = await till.repeated(lambda _: till.begin(name), types_pb2.Sale())
    sale = await till.repeated(till.line, sale)
    while sale.state != COMPLETED:
        try:
            sale = await till.repeated(pays if sale.due.minor_units else till.complete, sale)
        except StillopenError:
            await asyncio.sleep(1)
            await comes_online(till)
            sale = await till.repeated(lambda _: till.sale(name), sale)


async def begins_late(scene: Scene) -> Till:
    """A register that was never started is; it gets everything and can sell."""
    scene.estate.add_register(LATE, scene.till.store)
    late = Till(scene, LATE)
    scene.tills.append(late)
    await late.process.start()
    await signs_in(late)

    async def ready() -> bool:
        status = await late.status()
        return status.offline_ready and status.lane_announced and bool(status.store_id)

    await until(ready)
    await until_priced(scene, 2, [(LATE, "offline.db")])
    return late


async def signs_in(till: Till) -> None:
    """Somebody signs in, and tries again while a register that has nothing yet can ask nobody."""
    while True:
        try:
            await till.sign_in()
        except StillopenError:
            await asyncio.sleep(1)
            await comes_online(till)
        else:
            return


async def set_prices(scene: Scene, factor: int, registers: list[str]) -> None:
    """Every product gets another price, and it is waited for until it is at those registers."""
    await surely(lambda: scene.estate.set_prices(factor))
    places = [(name, "offline.db") for name in registers]
    await until_priced(scene, factor, [(scene.till.store, "replica.db"), *places])


async def until_priced(scene: Scene, factor: int, places: list[tuple[str, str]]) -> None:
    """Waits until replicas have every product, at its new price."""
    priced = "SELECT count(*) FROM product WHERE price_minor % 100 = ?"
    wanted = scene.estate.plan.products

    async def shown() -> bool:
        return all(count(scene, *place, priced, factor) == wanted for place in places)

    await until(shown)


async def everything_goes(scene: Scene) -> None:
    """Headquarters holds entries for a moment only; registers delete what it had for so long."""
    parameters = await surely(scene.estate.parameters)
    parameters.journal_retention.FromSeconds(RETENTION_S)
    request = headquarters_pb2.UpdateParametersRequest(parameters=parameters)

    async def update() -> None:
        seen = await scene.estate.parameters()
        if seen.journal_retention != parameters.journal_retention:
            await call(scene.estate.headquarters.UpdateParameters, request, OFFICE, ANSWER_S)

    await surely(update)

    async def gone() -> bool:
        left = "SELECT count(*) FROM journal_entry"
        return all(count(scene, till.name, "journal.db", left) == 0 for till in scene.tills)

    await until(gone)


async def comes_online(till: Till) -> None:
    """A person connects the register when it went offline, because its channel was down."""
    while (await surely(till.status)).mode != ONLINE:
        await till.connect()
        await asyncio.sleep(1)


async def differences(scene: Scene, *tables: str) -> list[str]:
    """What headquarters says that replicas have otherwise; asked again when nobody answers."""
    places = [(scene.till.store, ""), *((till.store, till.name) for till in scene.tills)]
    found: list[str] = []
    for store, register in places:
        request = headquarters_pb2.CompareReplicaRequest(
            store_id=store, register_id=register, tables=tables
        )
        found += await surely(lambda: compared(scene, request))  # noqa: B023 - awaited here
    return found


async def compared(scene: Scene, request: headquarters_pb2.CompareReplicaRequest) -> list[str]:
    """What one replica has otherwise."""
    answer = scene.estate.headquarters.CompareReplica(
        request, timeout=ANSWER_S, metadata=OFFICE.metadata()
    )
    try:
        return [part.difference.key async for part in answer if part.HasField("difference")]
    except grpc.aio.AioRpcError as error:
        raise error_of(error) from None


async def surely(act: Callable[[], Awaitable[T]]) -> T:
    """Does it again until somebody answers."""
    while True:
        try:
            return await act()
        except Unreachable:
            await asyncio.sleep(0.5)


async def until(there: Callable[[], Awaitable[bool]]) -> None:
    """Waits for a state; who does not answer is asked again."""
    while True:
        if await surely(there):
            return
        await asyncio.sleep(0.1)


def count(scene: Scene, name: str, file: str, sql: str, value: int | None = None) -> int:
    """A number of rows of a file; -1 while there is no such file or table."""
    try:
        [(found,)] = rows(scene, name, file, sql, *(() if value is None else (value,)))
    except sqlite3.OperationalError:
        return -1
    return int(found)


# What is everywhere at the end


async def picture(scene: Scene, *, lanes: bool) -> Picture:
    """Everything that must be the same; without lanes, when a register was started again."""
    found: Picture = {
        "sales": await sales(scene, lanes=lanes),
        "ledger": sorted(await scene.spent(CARD)),
        "locks": len(await scene.locks()),
        "exceptions": len(await scene.exceptions()),
    }
    for place, file in replicas(scene):
        found[f"replica of {place}"] = contents(scene, place, file)
    for till in scene.tills:
        found[f"status of {till.name}"] = told(await till.status())
    if lanes:
        found |= await lanes_of(scene)
    return found


async def sales(scene: Scene, *, lanes: bool) -> list[str]:
    """The sales at headquarters, without what is drawn at random or read from a clock."""
    request = headquarters_pb2.HeadquartersServiceListTransactionsRequest(page_size=500)
    stub = scene.estate.headquarters.ListTransactions
    found: list[str] = []
    for each in (await call(stub, request, OFFICE, ANSWER_S)).transactions:
        goods = [
            (x.product_id, x.quantity_milli, x.unit_price.minor_units) for x in each.sale.lines
        ]
        paid = [(x.kind, x.amount.minor_units) for x in each.sale.tenders if not x.voided]
        position = (each.position.epoch, each.position.sequence) if lanes else ()
        at = (each.position.register_id, each.sale.transaction_id, *position)
        found.append(f"{at} {each.sale.state} {goods} {paid}")
    return sorted(found)


def replicas(scene: Scene) -> list[tuple[str, str]]:
    """Every copy of master data: where, and its file."""
    return [("S1", "replica.db"), *((till.name, "offline.db") for till in scene.tills)]


def contents(scene: Scene, place: str, file: str) -> dict[str, str]:
    """A digest of each table of a replica."""
    found: dict[str, str] = {}
    for table in TABLES:
        order = f"SELECT * FROM {table.name} ORDER BY {table.key}"  # noqa: S608 - of the description
        text = repr(rows(scene, place, file, order))
        found[table.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def told(status: register_pb2.RegisterStatus) -> tuple[object, ...]:
    """What a cashier reads in a status that does not depend on when it is read."""
    return (
        status.mode,
        status.link_up,
        status.waiting_entries,
        status.waiting_headquarters,
        status.waiting_amount.minor_units,
        status.offline_ready,
        tuple(status.offline_missing),
        status.lane_announced,
        status.waiting_down_bytes,
        status.waiting_suspended,
        status.open_transaction_id,
    )


async def lanes_of(scene: Scene) -> Picture:
    """Lanes and entries at headquarters, at the channel and at the registers."""
    request = headquarters_pb2.GetCompletenessRequest()
    done = await call(scene.estate.headquarters.GetCompleteness, request, OFFICE, ANSWER_S)
    for lane in done.lanes:
        lane.ClearField("last_contact_time")
    found: Picture = {"completeness": [str(lane) for lane in done.lanes]}
    for place, file in ((HQ, "headquarters.db"), ("S1", "channel.db")):
        found[f"entries at {place}"] = rows(scene, place, file, ENTRIES)
        found[f"lanes at {place}"] = rows(scene, place, file, LANES)
    for till in scene.tills:
        found[f"lanes at {till.name}"] = rows(scene, till.name, "journal.db", OWN_LANES)
    return found
