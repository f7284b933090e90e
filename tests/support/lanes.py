"""Lanes that go on from each other, and an inbox that takes them."""

from pathlib import Path

from tests.support.estate_messages import sale_of
from tests.support.notes import Opener

from stillopen.core.journal import NO_PARENT, Entry, Head, Lane, append
from stillopen.headquarters.lanes import STEP as LOST_STEP
from stillopen.headquarters.retention import STEP as RETENTION_STEP
from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.inbox import Inbox, open_inbox
from stillopen.replication.lane_counts import STEP as LANE_COUNTS_STEP
from stillopen.replication.lanes import STEP as LANES_STEP
from stillopen.replication.quarantine import STEP as QUARANTINE_STEP
from stillopen.rpc.wire_sale import sale_to
from stillopen.storage.schema import Schema
from stillopen.v1 import types_pb2

SCHEMA = Schema(
    "lanes",
    (
        (*INBOX_STEP, *QUARANTINE_STEP),
        (*LANES_STEP, *RETENTION_STEP, *LOST_STEP, *LANE_COUNTS_STEP),
    ),
)
FIRST, SECOND, THIRD = (Lane("R1", epoch) for epoch in (0xA, 0xB, 0xC))


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def wall_s(self) -> float:
        """What the wall shows."""
        return self.now_s

    def elapsed_s(self) -> float:
        """The beginning."""
        return 0.0

    def boot_id(self) -> str:
        """One boot."""
        return "boot"


async def opened(open_engine: Opener, folder: Path, *, last: bool = True) -> Inbox:
    """The inbox of headquarters, or of a channel."""
    name = "headquarters.db" if last else "channel.db"
    return await open_inbox(await open_engine(folder / name, SCHEMA), Watch(), last=last)


def entries(lane: Lane, count: int, after: tuple[Lane, int] | None = None) -> list[Entry]:
    """A lane of cash sales; the first names the place that it goes on from."""
    found: list[Entry] = []
    for number in range(1, count + 1):
        sale = sale_of(number + lane.epoch * 1_000, register_id=lane.register_id)
        record = types_pb2.JournalRecord(receipt_number=f"no {number}", sale=sale_to(sale))
        if after and number == 1:
            record.parent.epoch, record.parent.sequence = after[0].epoch, after[1]
            record.parent.digest = bytes(32)
        parent = found[-1].digest if found else NO_PARENT
        found.append(append(lane, number, parent, record.SerializeToString()))
    return found


def claims(lane: Lane, last: int, first: int = 1, believed: int = 0, claimed: int = 0) -> Head:
    """A claim."""
    return Head(lane, first, last, believed=believed, claimed=claimed)


async def alarms(inbox: Inbox) -> set[tuple[int, str]]:
    """Which lanes have which alarms."""
    rows = await inbox.engine.read(
        lambda session: session.all("SELECT epoch, kind FROM lane_alarm")
    )
    return {(int(epoch, 16), kind) for epoch, kind in rows}
