"""Headquarters' rows and a replica of them in memory, compared without any stream."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from stillopen.headquarters import changes, distribution_logs, distribution_runs
from stillopen.headquarters.changes import mark
from stillopen.headquarters.comparison import Difference, Kind, TableComparison
from stillopen.headquarters.distribution_runs import Run, newest_change, note_distributed, note_run
from stillopen.replication import package_log
from stillopen.replication.digests import digests_of
from stillopen.replication.package_log import generation_text
from stillopen.replication.ports import Cursor
from stillopen.replication.scope import Scope
from stillopen.replication.tables import CREATE_STEP, JOBS, Table, tables_at
from stillopen.storage.engine import Row, Session
from stillopen.v1 import sync_pb2

GROUP = "Default"
STEPS_MAX = 100_000


OFFICE_STATEMENTS = (
    *CREATE_STEP,
    *changes.STEP,
    *package_log.STEP,
    *distribution_logs.STEP,
    *distribution_runs.STEP,
)
"""What of headquarters' database a comparison needs."""


def in_memory(*statements: str) -> Session:
    """A database that nobody else has."""
    connection = sqlite3.connect(":memory:", isolation_level=None)  # noqa: TID251 - no file
    for statement in statements:
        connection.execute(statement)
    return Session(connection)


def put(session: Session, table: Table, *rows: Row) -> None:
    """Adds or changes rows, behind everybody's back."""
    places = ", ".join("?" * len(table.names))
    session.run_many(f"INSERT OR REPLACE INTO {table.name} VALUES ({places})", rows)  # noqa: S608


def take(session: Session, table: Table, *keys: str) -> None:
    """Removes rows, likewise."""
    statement = f"DELETE FROM {table.name} WHERE {table.key} = ?"  # noqa: S608
    session.run_many(statement, [(key,) for key in keys])


@dataclass(slots=True)
class Pair:
    """Headquarters and one replica, which stands at the end of its log."""

    office: Session = field(default_factory=lambda: in_memory(*OFFICE_STATEMENTS))
    replica: Session = field(default_factory=lambda: in_memory(*CREATE_STEP))
    at: Cursor = field(default_factory=lambda: Cursor(7, 1, b"x"))
    asked: list[sync_pb2.DigestsAsked] = field(default_factory=list[sync_pb2.DigestsAsked])
    """What the replica was asked."""
    rows_sent: int = 0
    """How many rows it named."""
    bytes_sent: int = 0
    """How large its answers were."""

    def change(self, table: Table, *rows: Row) -> None:
        """Headquarters puts rows, as an import would."""
        put(self.office, table, *rows)
        mark(self.office, table, [row[0] for row in rows])

    def remove(self, table: Table, *keys: str) -> None:
        """Headquarters removes rows."""
        take(self.office, table, *keys)
        mark(self.office, table, keys)

    def distribute(self, *, arrives: bool = True) -> None:
        """Everything until now is in the replica's log; and, if it arrives, in the replica."""
        sequence = self.at.sequence + 1
        end = replace(self.at, sequence=sequence)
        self.office.run(
            "INSERT OR REPLACE INTO group_log VALUES (?,?,?,?,?,0,0)",
            GROUP,
            end.scope.text,
            end.scope.version,
            generation_text(end.generation),
            sequence,
        )
        note_distributed(self.office, GROUP, JOBS, newest_change(self.office))
        note_run(self.office, Run("", JOBS, GROUP, 0.0, sequence=sequence), [end])
        if arrives:
            self.at = end
            self.copy()

    def copy(self) -> None:
        """The replica gets headquarters' rows, but for tables that it does without."""
        for table in tables_at(1):
            self.replica.run(f"DELETE FROM {table.name}")  # noqa: S608
            if table.name not in self.at.scope.excluded:
                put(self.replica, table, *self.office.all(f"SELECT * FROM {table.name}"))  # noqa: S608

    def without(self, *tables: str) -> None:
        """The replica does without tables from now on."""
        self.at = replace(self.at, scope=Scope(tables))

    def answer(self, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """What the replica says."""
        self.asked.append(asked)
        answer = digests_of(self.replica, asked, self.at)
        self.rows_sent += len(answer.rows)
        self.bytes_sent += answer.ByteSize()
        return answer

    def compare(self, table: Table, names_max: int = 1_000) -> TableComparison:
        """A comparison of a table, to its end."""
        comparison = TableComparison(table, GROUP, names_max)
        comparison.begin(self.office)
        for _ in range(STEPS_MAX):
            asked = comparison.question()
            if asked is None:
                return comparison
            comparison.answered(self.office, self.answer(asked))
        raise AssertionError("it never ends")

    def differences(self, table: Table) -> list[tuple[str, Kind, bool]]:
        """The rows of a table that differ, in order: which, how, and whether on their way."""
        return sorted(
            ((each.key, each.kind, each.on_its_way) for each in self.compare(table).found.named),
            key=lambda each: each[0],
        )


def keys_of(found: Sequence[Difference]) -> list[str]:
    """The keys of differences."""
    return [each.key for each in found]
