"""Scopes: which of the replicated tables a replica has, and in which version of the description.

Replicas of one channel group and one scope get the same packages, byte for byte.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from stillopen.core.errors import invalid
from stillopen.replication.tables import JOBS, NEVER_EXCLUDED, SCHEMA_VERSION, TABLES


@dataclass(frozen=True, slots=True)
class Scope:
    """A table that is left out is there, without rows."""

    excluded: tuple[str, ...] = ()
    """The names of the tables that are left out, in order."""
    version: int = SCHEMA_VERSION

    @property
    def text(self) -> str:
        """The excluded tables as a database keeps them."""
        return " ".join(self.excluded)


EVERYTHING = Scope()
"""Every table, in the newest version."""


def scope_of(text: str, version: int) -> Scope:
    """A scope as a database kept it."""
    return Scope(tuple(text.split()), version)


_MAY = tuple(job for job in JOBS if job not in NEVER_EXCLUDED)


def left_out(jobs: Iterable[int], tables: Iterable[str]) -> tuple[str, ...]:
    """The tables that a profile leaves out; what is not known, or cannot be, is passed over."""
    jobs, tables = set(jobs), set(tables)
    may = (table for table in TABLES if table.job in _MAY)
    return tuple(sorted(each.name for each in may if each.job in jobs or each.name in tables))


def excluded_by(jobs: Iterable[int], tables: Iterable[str]) -> tuple[str, ...]:
    """The same, checked; Misuse for what cannot be left out."""
    jobs, tables = set(jobs), set(tables)
    may = _MAY
    if wrong := sorted(jobs.difference(may)):
        raise invalid(
            "excluded_jobs", f"{wrong[0]} cannot be left out; {', '.join(map(str, may))} can"
        )
    names = {table.name for table in TABLES if table.job in may}
    if unknown := sorted(tables - names):
        raise invalid(
            "excluded_tables",
            f"{unknown[0]} cannot be left out; {', '.join(sorted(names))} can",
        )
    return left_out(jobs, tables)
