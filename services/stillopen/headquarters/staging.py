"""Rows of an import wait in tables of their own, and move to where they belong all at once.

They are put there as they come, in order of their numbers: cheap, whatever the order of the keys.
What concerns more than one row is asked of the database when all are there, in the transaction that
moves them, so that nothing can come between question and answer and no memory grows with a file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stillopen.core.errors import Reason
from stillopen.headquarters.changes import mark_selected
from stillopen.replication.tables import Table
from stillopen.rpc.importing import REFUSALS_MAX, Refusal, Refusals
from stillopen.storage.engine import Session

V = TypeVar("V")

Numbered = Sequence[tuple[int, V]]
"""Rows of an import with their numbers."""


@dataclass(frozen=True, slots=True)
class Check:
    """What staged rows are refused for."""

    select: str
    """Brings the number of each row that is wrong, and what its message names."""
    reason: Reason
    field: str
    message: str
    """`{}` stands for what the select names."""
    worth: str = ""
    """Brings a row only when the select can bring any; quicker, for what is rarely wrong."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[V]):
    """What an import brings: where its rows wait, what is asked of them, how they move."""

    name: str
    put: Callable[[Session, Numbered[V]], None]
    """Stages rows."""
    checks: tuple[Check, ...]
    move: Callable[[Session], None]
    """Puts what is staged where it belongs, and marks what changed."""
    also: tuple[str, ...] = ()
    """Staged with each row: tables whose rows go with it, by `number`."""
    aside: tuple[str, ...] = ()
    """Tables that are only emptied with the others."""
    audited: str = ""
    """A SELECT of who is concerned and how, for what is audited; the first 10,000 are."""

    @property
    def staged(self) -> str:
        """The table in which its rows wait."""
        return f"staged_{self.name}"


def create(table: Table, *more: str, named: str = "") -> str:
    """The statement that makes the waiting room of a replicated table."""
    columns = ", ".join(("number INTEGER PRIMARY KEY", *table.columns, *more))
    return f"CREATE TABLE staged_{named or table.name} ({columns}) STRICT"


def empty(session: Session, kind: Kind[V]) -> None:
    """Forgets what is staged."""
    for table in (kind.staged, *kind.also, *kind.aside):
        session.run(f"DELETE FROM {table}")  # noqa: S608 - our own names


def refuse_wrong(session: Session, kind: Kind[V]) -> Refusals:
    """Takes staged rows out that are refused, and says why."""
    refusals = Refusals()
    for check in kind.checks:
        if check.worth and session.one(check.worth) is None:
            continue
        # What is selected a second time is rarely anything.
        first = session.all(
            f"SELECT * FROM ({check.select}) ORDER BY 1 LIMIT ?",  # noqa: S608
            REFUSALS_MAX,
        )
        if not first:
            continue
        gone = session.run(
            f"DELETE FROM {kind.staged} WHERE number IN"  # noqa: S608
            f" (SELECT number FROM ({check.select}))"
        )
        for table in kind.also:
            session.run(
                f"DELETE FROM {table} WHERE number NOT IN (SELECT number FROM {kind.staged})"  # noqa: S608
            )
        refusals.add(
            gone,
            (
                Refusal(number, check.field, check.reason, check.message.replace("{}", str(what)))
                for number, what in first
            ),
        )
    return refusals


def came_before(staged: str, key: str, field: str, what: str, shown: str = "") -> Check:
    """Refuses the second and later rows with one key."""
    return Check(
        f"SELECT number, {shown or key} FROM (SELECT number, {shown or key}, row_number() OVER"  # noqa: S608
        f" (PARTITION BY {key} ORDER BY number) AS nth FROM {staged}) WHERE nth > 1",
        Reason.ALREADY_EXISTS,
        field,
        what,
        f"SELECT 1 FROM {staged} GROUP BY {key} HAVING count(*) > 1 LIMIT 1",  # noqa: S608
    )


def unknown_product(staged: str) -> Check:
    """Refuses rows of a product that is not there."""
    return Check(
        f"SELECT number, code FROM {staged} WHERE code NOT IN (SELECT code FROM product)",  # noqa: S608
        Reason.PRODUCT_UNKNOWN,
        "product_id",
        "no product {}",
    )


def move_changed(session: Session, table: Table, staged: str) -> None:
    """Puts staged rows into their table, and marks those that are new or differ."""
    key, *rest = table.names
    differs = (
        f"({', '.join(f't.{name}' for name in (key, *rest))})"
        f" IS NOT ({', '.join(f's.{name}' for name in (key, *rest))})"
    )
    mark_selected(
        session,
        table,
        f"SELECT s.{key} FROM {staged} s LEFT JOIN {table.name} t ON t.{key} = s.{key}"  # noqa: S608
        f" WHERE {differs} ORDER BY s.{key}",
    )
    names = ", ".join(table.names)
    updates = ", ".join(f"{name} = excluded.{name}" for name in rest)
    # In order of the keys: each page of the table is written once.
    session.run(
        f"INSERT INTO {table.name} AS t ({names}) SELECT {names} FROM {staged}"  # noqa: S608
        f" WHERE true ORDER BY {key} ON CONFLICT ({key}) DO UPDATE SET {updates}"
        f" WHERE ({', '.join(f't.{name}' for name in rest)})"
        f" IS NOT ({', '.join(f'excluded.{name}' for name in rest)})"
    )
