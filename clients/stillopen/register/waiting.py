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
    headquarters_amount: Money | None = None
    """What the sales come to that headquarters lacks."""


@dataclass(slots=True)
class _Line:
    """The entries of a lane that somebody lacks, oldest first, and what they are worth."""

    entries: deque[tuple[int, Money | None, float]] = field(
        default_factory=deque[tuple[int, Money | None, float]]
    )
    """Sequence, total if it is a sale, wall time."""
    sales: int = 0
    minor: int = 0

    def add(self, sequence: int, total: Money | None, wall_s: float) -> None:
        self.entries.append((sequence, total, wall_s))
        self._count(total, 1)

    def acknowledge(self, through: int) -> None:
        while self.entries and self.entries[0][0] <= through:
            self._count(self.entries.popleft()[1], -1)

    def _count(self, total: Money | None, sign: int) -> None:
        if total is not None:
            self.sales += sign
            self.minor += sign * total.minor


@dataclass(slots=True)
class _Lane:
    """What of a lane the channel lacks, and what headquarters lacks."""

    through: int
    home: int
    seen: int
    channel: _Line = field(default_factory=_Line)
    headquarters: _Line = field(default_factory=_Line)


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
                self._seen(epoch, through, home),
            )
            for epoch, head, through, home in lanes
            if head > self._seen(epoch, through, home)
        }
        return _Look(lanes, entries)

    def _known(self, epoch: str, through: int, home: int) -> _Lane | None:
        """What was counted of a lane; nothing when somebody lost entries and asks again."""
        known = self._lanes.get(epoch)
        return known if known and through >= known.through and home >= known.home else None

    def _seen(self, epoch: str, through: int, home: int) -> int:
        known = self._known(epoch, through, home)
        return max(known.seen if known else 0, min(through, home))

    def _count(self, look: _Look) -> Waiting:
        counted: dict[str, _Lane] = {}
        for epoch, _, through, home in look.lanes:
            lane = self._known(epoch, through, home) or _Lane(through, home, 0)
            for sequence, currency, minor, wall_s in look.entries.get(epoch, []):
                total = Money(currency, minor) if currency else None
                lane.channel.add(sequence, total, wall_s)
                lane.headquarters.add(sequence, total, wall_s)
                lane.seen = sequence
                self._currency = currency or self._currency
            lane.channel.acknowledge(through)
            lane.headquarters.acknowledge(home)
            lane.through, lane.home = through, home
            counted[epoch] = lane
        self._lanes = counted
        lines = [lane.channel for lane in counted.values()]
        oldest = next((line.entries[0] for line in lines if line.entries), None)
        return Waiting(
            sum(len(line.entries) for line in lines),
            sum(max(0, head - home) for _, head, _, home in look.lanes),
            self._amount(lines),
            oldest[2] if oldest else None,
            self._amount([lane.headquarters for lane in counted.values()]),
        )

    def _amount(self, lines: list[_Line]) -> Money | None:
        sold = any(line.sales for line in lines)
        return Money(self._currency, sum(line.minor for line in lines)) if sold else None
