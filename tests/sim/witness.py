"""The world's own look at every disk when a calamity takes one: what stood there, and elsewhere."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.sim.history import now_s
from tests.sim.images import copied, query
from tests.sim.losses import OF_A_REGISTER, Fate, Key, LaneKey, Loss, Written
from tests.sim.world import HQ, Estate

from stillopen.storage.engine import Row
from stillopen.v1 import types_pb2

_ENTRY = "SELECT register_id, epoch, sequence FROM entry"
_LANE = "SELECT register_id, epoch, head FROM lane"
_CART = "SELECT transaction_id, recalling_id FROM suspended_sale"


@dataclass(slots=True)
class Disk:
    """What matters of a disk."""

    entries: dict[Key, Written] = field(default_factory=dict[Key, Written])
    heads: dict[LaneKey, int] = field(default_factory=dict[LaneKey, int])
    sales: set[str] = field(default_factory=set[str])
    carts: set[str] = field(default_factory=set[str])


def look_at(folder: Path, name: str, stores: list[str]) -> Disk:
    """What a folder holds of a register, a channel or headquarters, by the process's name."""
    if name == HQ or name in stores:
        database = "headquarters.db" if name == HQ else "channel.db"
        with copied(folder, database) as path:
            return _server(path, carts=name != HQ)
    with copied(folder, "journal.db") as path:
        return _register(path)


def witness(
    estate: Estate, name: str, fate: Fate, image: Path | None = None, image_s: float = 0.0
) -> Loss:
    """What is lost when the disk of a process goes, or an image takes its place.

    Told just before. A clone loses nothing: its note is of what stands on the image.
    """
    stores = estate.stores
    nothing = Disk()
    disk = look_at(estate.folder / name, name, stores)
    after = nothing if image is None else look_at(image, name, stores)
    register = estate.register_ids.get(name, "") if fate in OF_A_REGISTER else ""
    others = {
        other: look_at(estate.folder / other, other, stores)
        for other in estate.processes
        if other != name
    }
    elsewhere: set[Key] = set()
    claimed: dict[LaneKey, int] = defaultdict(int)
    for other, seen in others.items():
        elsewhere |= seen.entries.keys()
        if other == HQ or other in stores:
            for lane, head in seen.heads.items():
                if lane[0] == register:
                    claimed[lane] = max(claimed[lane], head)
    lost = fate is not Fate.CLONED
    return Loss(
        now_s(),
        fate,
        name,
        register,
        image_s,
        had=disk.entries if lost and register else {},
        only=frozenset(disk.entries.keys() - after.entries.keys() - elsewhere if lost else ()),
        claimed=dict(claimed),
        left=after.heads if register else {},
        parents=parents_on(estate.folder / name) if register else {},
        sales=frozenset((disk.sales | after.sales) if lost else after.sales),
        carts=frozenset((disk.carts | after.carts) if lost else after.carts),
    )


def parents_on(folder: Path) -> dict[LaneKey, tuple[int, int]]:
    """Where each lane of a register's journal goes on from, as its first entry says."""
    sql = "SELECT register_id, epoch, payload FROM journal_entry WHERE sequence = 1"
    with copied(folder, "journal.db") as path:
        found = query(path, sql)
    parents: dict[LaneKey, tuple[int, int]] = {}
    for register, epoch, payload in found:
        record = types_pb2.JournalRecord.FromString(payload)
        parents[register, int(epoch, 16)] = (record.parent.epoch, record.parent.sequence)
    return parents


def _register(path: Path) -> Disk:
    disk = Disk()
    sql = "SELECT register_id, epoch, sequence, kind, transaction_id FROM journal_entry"
    for row in query(path, sql):
        disk.entries[_key(row)] = Written(row[3], row[4])
    owner = query(path, "SELECT value FROM setting WHERE name = 'register_id'")
    for epoch, head in query(path, "SELECT epoch, head FROM journal_lane"):
        disk.heads[owner[0][0], int(epoch, 16)] = head
    for name, state, data in query(path, "SELECT transaction_id, state, data FROM sale"):
        disk.sales.add(name)
        recalled_from = types_pb2.Sale.FromString(data).recalled_from
        disk.carts |= {recalled_from} - {""} | ({name} if state == "SUSPENDED" else set())
    for row in query(path, "SELECT transaction_id, recalling_id FROM recall_intent"):
        disk.carts |= set(row)
    disk.carts |= {row[0] for row in query(path, "SELECT transaction_id FROM cart")}
    return disk


def _server(path: Path, *, carts: bool) -> Disk:
    disk = Disk()
    for row in query(path, _ENTRY):
        disk.entries[_key(row)] = Written("", "")
    for row in query(path, _LANE):
        disk.heads[row[0], int(row[1], 16)] = row[2]
    for row in query(path, _CART) if carts else ():
        disk.carts |= set(row) - {""}
    return disk


def _key(row: Row) -> Key:
    return row[0], int(row[1], 16), row[2]
