"""What waits to be delivered, counted as it grows and shrinks.

The status shows it after every change. So nothing here reads an entry twice: what was appended
since the last look is added, what was acknowledged since is taken off.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from stillopen.core.money import Money
from stillopen.storage.engine import Engine, Row, Session


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not delivered yet: entries, and the sales among them."""

    entries: int = 0
    headquarters_entries: int = 0
    amount: Money | None = None
    since_wall_s: float | None = None


@dataclass(slots=True)
class _Lane:
    """The entries of a lane that the channel lacks, oldest first, and what they are worth."""

    through: int
    seen: int
    entries: deque[tuple[int, Money | None, float]] = field(
        default_factory=deque[tuple[int, Money | None, float]]
    )
    """Sequence, total if it is a sale, wall time."""
    sales: int = 0
    minor: int = 0

    def add(self, sequence: int, total: Money | None, wall_s: float) -> None:
        self.entries.append((sequence, total, wall_s))
        self._count(total, 1)
        self.seen = sequence

    def acknowledge(self, through: int) -> None:
        self.through = through
        while self.entries and self.entries[0][0] <= through:
            self._count(self.entries.popleft()[1], -1)

    def _count(self, total: Money | None, sign: int) -> None:
        if total is not None:
            self.sales += sign
            self.minor += sign * total.minor


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the database found."""

    lanes: list[Row]
    """Epoch, head, through, headquarters_through of those that wait."""
    entries: dict[str, list[Row]]
    """Sequence, currency, minor units and wall time of what is new to the count."""


class WaitingCount:
    """The count of one register's journal."""

    def __init__(self, engine: Engine, register_id: str) -> None:
        self._engine = engine
        self._register_id = register_id
        self._lanes: dict[str, _Lane] = {}
        self._currency = ""
        self._one_at_a_time = asyncio.Lock()

    async def now(self) -> Waiting:
        """What the channel, and what headquarters does not have yet."""
        async with self._one_at_a_time:
            return self._count(await self._engine.read(self._look))

    def _look(self, session: Session) -> _Look:
        lanes = session.all(
            "SELECT epoch, head, through, headquarters_through FROM journal_lane"
            " INDEXED BY journal_lane_waiting"
            " WHERE through < head OR headquarters_through < head ORDER BY opened"
        )
        entries = {
            epoch: session.all(
                "SELECT sequence, currency, total_minor, wall_s FROM journal_entry"
                " WHERE register_id = ? AND epoch = ? AND sequence > ? ORDER BY sequence",
                self._register_id,
                epoch,
                self._seen(epoch, through),
            )
            for epoch, head, through, _ in lanes
            if head > max(through, self._seen(epoch, through))
        }
        return _Look(lanes, entries)

    def _seen(self, epoch: str, through: int) -> int:
        known = self._lanes.get(epoch)
        if known is None or through < known.through:  # a channel that lost entries asks again
            return through
        return max(known.seen, through)

    def _count(self, look: _Look) -> Waiting:
        counted: dict[str, _Lane] = {}
        for epoch, _, through, _ in look.lanes:
            lane = self._lanes.get(epoch)
            if lane is None or through < lane.through:
                lane = _Lane(through, through)
            for sequence, currency, minor, wall_s in look.entries.get(epoch, []):
                lane.add(sequence, Money(currency, minor) if currency else None, wall_s)
                self._currency = currency or self._currency
            lane.acknowledge(through)
            counted[epoch] = lane
        self._lanes = counted
        oldest = next((lane.entries[0] for lane in counted.values() if lane.entries), None)
        minor = sum(lane.minor for lane in counted.values())
        sold = any(lane.sales for lane in counted.values())
        return Waiting(
            sum(len(lane.entries) for lane in counted.values()),
            sum(max(0, head - home) for _, head, _, home in look.lanes),
            Money(self._currency, minor) if sold else None,
            oldest[2] if oldest else None,
        )
