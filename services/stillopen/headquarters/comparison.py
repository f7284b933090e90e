"""Compares a replica's table with headquarters': questions out, answers in, differences out.

1. Headquarters' rows are cut into ranges of equally many; the replica is asked what they come to.
2. A range that comes to another thing is cut again, until it has few rows; then its rows are named.
3. The replica always answers first, and headquarters reads after it, in one transaction with what
   it changed. So a row that the replica got meanwhile is never taken for a difference, and one that
   headquarters changed meanwhile is known to be on its way.
4. Each answer says where the replica stands. It may go on within its log while it is compared; when
   it comes to another log, everything may be another: the table begins again.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.headquarters.comparison_ways import way_to
from stillopen.replication.digests import ROWS_NAMED_MAX, Range, RangeDigest, RowDigest, Rows
from stillopen.replication.frames import cursor_from
from stillopen.replication.packages import Selection
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import Table, tables_at
from stillopen.rpc.status import family_and_code
from stillopen.storage.engine import Session
from stillopen.v1 import sync_pb2

PARTS = 256
"""Into how many ranges a table is cut."""
ROWS_MAX = 2_000
"""Rows of a range that are named rather than cut again."""
ROWS_AGAIN = 250
"""Rows of the ranges into which one is cut again."""
ROWS_ASKED_MAX = 100_000
"""Rows of the ranges that are asked of at a time, so that an answer comes in good time."""
MOVED_MAX = 3


class Kind(Enum):
    """How a row differs at the replica."""

    MISSING = auto()
    EXTRA = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that differs."""

    table: str
    key: str
    kind: Kind
    on_its_way: bool
    """Headquarters changed it, and no package that the replica has could hold that yet."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Ranges that follow one another, and whether their rows are to be named."""

    after: str
    ends: tuple[str | None, ...]
    names_rows: bool = False

    @property
    def ranges(self) -> list[Range]:
        begins = (self.after, *(end or "" for end in self.ends))
        return [Range(after, end) for after, end in zip(begins, self.ends, strict=False)]


@dataclass(slots=True)
class Found:
    """What was found in a table until now."""

    rows: int = 0
    """How many headquarters has, for a replica of this scope."""
    compared: int = 0
    differences: int = 0
    """Those on their way left out."""
    on_their_way: int = 0
    named: list[Difference] = field(default_factory=list[Difference])


class TableComparison:
    """One table: `begin`, then an answer to each `question` until there is none."""

    def __init__(self, table: Table, group_id: str, names_max: int) -> None:
        self.table = table
        self.at: Cursor | None = None
        """Where the replica stood when it answered last."""
        self.found = Found()
        self._selection = Selection(group_id)
        self._group_id = group_id
        self._names_max = names_max
        self._questions: deque[_Question] = deque()
        self._log: tuple[object, ...] = ()
        self._moved = 0

    def begin(self, session: Session) -> None:
        """Cuts headquarters' rows."""
        self.found, self._log = Found(), ()
        self._questions.clear()
        rows = self._rows(self.table)
        self.found.rows = count = rows.count(session, Range())
        bounds = rows.cut(session, Range(), PARTS) if count > ROWS_MAX else []
        self._ask(Range(), bounds, -(-count // (len(bounds) + 1)))

    def question(self) -> sync_pb2.DigestsAsked | None:
        """What to ask of the replica next; nothing when the table is compared."""
        if not self._questions:
            return None
        asked = self._questions[0]
        return sync_pb2.DigestsAsked(
            table=self.table.name,
            after=asked.after,
            bounds=[end for end in asked.ends if end is not None],
            to_end=asked.ends[-1] is None,
            rows=asked.names_rows,
        )

    def answered(self, session: Session, answer: sync_pb2.Digests) -> None:
        """Takes the answer to the last question; reads headquarters' rows as they are now."""
        self.at = at = cursor_from(answer.cursor)
        table = next((t for t in tables_at(at.scope.version) if t.name == self.table.name), None)
        if table is None:  # older software does not know it
            self.found.rows = 0
            self._questions.clear()
            return
        if answer.refusal:
            raise _refused(answer.refusal)
        if self._log not in ((), _log_of(at)):
            self._begin_again(session)
            return
        self._log = _log_of(at)
        asked = self._questions.popleft()
        if len(answer.ranges) != len(asked.ends):
            raise _another_question()
        rows = self._rows(table)
        if table.name in at.scope.excluded:
            rows, self.found.rows = replace(rows, condition="false", condition_values=()), 0
        if asked.names_rows:
            self._name_page(session, rows, asked, answer.rows)
        else:
            theirs = [RangeDigest(each.count, each.digest) for each in answer.ranges]
            self._compare(session, rows, asked.ranges, theirs)

    def _compare(
        self, session: Session, rows: Rows, ranges: Sequence[Range], theirs: Sequence[RangeDigest]
    ) -> None:
        differing: list[tuple[Range, int]] = []
        for within, their in zip(ranges, theirs, strict=True):
            ours = rows.digest(session, within)
            if ours == their:
                self.found.compared += ours.count
            elif their.count == 0:
                self._name(session, rows, within, [])
            else:
                differing.append((within, ours.count))
        for within, count in _joined(differing):
            if count <= ROWS_MAX:
                self._questions.append(_Question(within.after, (within.until,), names_rows=True))
            else:
                parts = min(PARTS, -(-count // ROWS_AGAIN))
                self._ask(within, rows.cut(session, within, parts), -(-count // parts))

    def _name_page(
        self,
        session: Session,
        rows: Rows,
        asked: _Question,
        theirs: Sequence[sync_pb2.RowDigest],
    ) -> None:
        [until] = asked.ends
        if len(theirs) >= ROWS_NAMED_MAX:  # there may be more: go on after the last
            last = theirs[-1].key
            if last <= asked.after:
                raise _another_question()
            self._questions.appendleft(_Question(last, (until,), names_rows=True))
            until = last
        named = [RowDigest(each.key, each.digest) for each in theirs]
        self._name(session, rows, Range(asked.after, until), named)

    def _name(
        self, session: Session, rows: Rows, within: Range, theirs: Sequence[RowDigest]
    ) -> None:
        """Names the rows of a range that differ, in order."""
        way = way_to(session, self._group_id, self.at or Cursor(), rows.table)
        for key, kind in self._differing(session, rows, within, theirs):
            on_its_way = way.holds(session, key)
            if on_its_way:
                self.found.on_their_way += 1
            else:
                self.found.differences += 1
            if len(self.found.named) < self._names_max:
                self.found.named.append(Difference(rows.table.name, key, kind, on_its_way))

    def _differing(
        self, session: Session, rows: Rows, within: Range, theirs: Sequence[RowDigest]
    ) -> Iterator[tuple[str, Kind]]:
        left = {each.key: each.digest for each in theirs}
        for ours, _ in rows.each(session, within):
            self.found.compared += 1
            digest = left.pop(ours.key, None)
            if digest is None:
                yield ours.key, Kind.MISSING
            elif digest != ours.digest:
                yield ours.key, Kind.OTHER
        for key in left:
            yield key, Kind.EXTRA

    def _ask(self, within: Range, bounds: Sequence[str], rows_each: int) -> None:
        """Asks of the parts of a range, not of too many rows at a time."""
        ends = (*bounds, within.until)
        most = max(1, ROWS_ASKED_MAX // max(1, rows_each))
        after = within.after
        for begin in range(0, len(ends), most):
            asked = ends[begin : begin + most]
            self._questions.append(_Question(after, asked))
            after = asked[-1] or ""

    def _begin_again(self, session: Session) -> None:
        self._moved += 1
        if self._moved > MOVED_MAX:
            raise Unreachable(
                Reason.TIMED_OUT,
                f"the replica began anew {self._moved} times meanwhile: compare it later",
            )
        self.begin(session)

    def _rows(self, table: Table) -> Rows:
        return Rows(table, *self._selection.of(table))


def _joined(differing: Sequence[tuple[Range, int]]) -> Iterator[tuple[Range, int]]:
    """Ranges that follow one another as one, as long as their rows can be named together."""
    joined: tuple[Range, int] | None = None
    for within, count in differing:
        if joined and joined[0].until == within.after and joined[1] + count <= ROWS_MAX:
            joined = Range(joined[0].after, within.until), joined[1] + count
            continue
        if joined:
            yield joined
        joined = within, count
    if joined:
        yield joined


def _another_question() -> Misuse:
    return Misuse(Reason.INVALID_ARGUMENT, "the replica answered another question")


def _refused(refusal: str) -> StillopenError:
    """A refusal, as the error that it was where it came from."""
    name, colon, message = refusal.partition(": ")
    if not colon or name not in set(Reason):
        return Refused(Reason.OTHER, f"the replica cannot be compared: {refusal}")
    family, _ = family_and_code(Reason(name))
    return family(Reason(name), message)


def _log_of(at: Cursor) -> tuple[object, ...]:
    return at.generation, at.scope
