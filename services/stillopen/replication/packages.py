"""What packages hold: every replicated table in a snapshot, the changed rows of them in a delta.

A package says of itself where a replica stands once it has it, and where it must stand for it.
Which rows it carries is decided when it is built; whoever passes it on leaves it as it is.
"""

import hashlib
from dataclasses import dataclass

from stillopen.core.errors import Reason, Refused
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.tables import CREATE_STEP, REGISTER, STORE, TABLES, Table
from stillopen.storage.engine import Session
from stillopen.storage.package import FACTS, REMOVED, Contents, Draft

SCHEMA_VERSION = 1
SNAPSHOT = (FACTS, *CREATE_STEP)
"""What makes the tables of a snapshot: those of a replica, indexes and all."""
DELTA = (FACTS, REMOVED, *(table.create()[0] for table in TABLES))
"""The same of a delta: no indexes, its rows are read once."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows replicas of a channel group see; every row without a group."""

    group_id: str | None = None

    def of(self, table: Table) -> tuple[str, tuple[str, ...]]:
        """A condition on the rows of a table, and its values."""
        if self.group_id is None or table not in (STORE, REGISTER):
            return "true", ()
        if table is STORE:
            return "store.group_id = ?", (self.group_id,)
        return (
            "register.store_id IN (SELECT store_id FROM store WHERE group_id = ?)",
            (self.group_id,),
        )


@dataclass(frozen=True, slots=True)
class Built:
    """A package that was built: its bytes, and how many rows it changes and removes."""

    data: bytes
    changed: int
    removed: int = 0

    @property
    def digest(self) -> bytes:
        """What identifies it."""
        return hashlib.sha256(self.data).digest()


def build_snapshot(session: Session, scope: Scope, at: Cursor) -> Built:
    """Everything that replicas of a scope show, row by row: nothing is held twice."""
    with Draft(SNAPSHOT) as draft:
        rows = 0
        for table in TABLES:
            condition, values = scope.of(table)
            names = ", ".join(table.names)
            found = session.each(
                f"SELECT {names} FROM {table.name} WHERE {condition} ORDER BY {table.key}",  # noqa: S608
                *values,
            )
            count = draft.put(table.name, len(table.names), found)
            draft.fact(f"rows.{table.name}", str(count))
            rows += count
        say_where(draft, at, None)
        return Built(draft.finish(), rows)


def say_where(draft: Draft, at: Cursor, base: Cursor | None) -> None:
    """Writes into a package where a replica stands with it, and where it must stand for it."""
    draft.fact("schema_version", str(SCHEMA_VERSION))
    draft.fact("generation", f"{at.generation:016x}")
    draft.fact("sequence", str(at.sequence))
    if base is not None:
        draft.fact("base", str(base.sequence))
        draft.fact("base_digest", base.digest.hex())


def check_facts(contents: Contents, package: Package) -> None:
    """Refused PACKAGE_DAMAGED for a package that says another thing than the one who brings it."""
    said = contents.facts
    base = None if package.base is None else str(package.base.sequence)
    wanted = (f"{package.cursor.generation:016x}", str(package.cursor.sequence), base)
    if (said.get("generation"), said.get("sequence"), said.get("base")) != wanted:
        raise Refused(Reason.PACKAGE_DAMAGED, "the package is another than it was said to be")
