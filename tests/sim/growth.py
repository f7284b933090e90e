"""Nothing grows without bound: every measure has a bound, and quiet seconds add to none.

The bounds are rules of docs/design.md: so many tasks for a register and for each stream that is
served, one stream for each client, one file for each package that is kept, one copy of master data,
a write-ahead log that is carried over, lists of the last hundred, the rows of one import.
"""

from collections.abc import Iterator

from tests.sim.record import Record
from tests.sim.sizes import Role, Weighed

_TASKS = {Role.REGISTER: 32, Role.CHANNEL: 15, Role.HEADQUARTERS: 12}
_TASKS_OF_A_STREAM = 7
_FILES = {Role.REGISTER: 6, Role.CHANNEL: 8, Role.HEADQUARTERS: 8}
"""Databases, keys, the link to the copy in use, the reserve, and one copy that was set aside."""
_WAL_BYTES = 6 * 2**20
"""A thousand pages are carried over at the next commit; one commit is less than as much again."""
_LAST = {"mode_change": 100, "cart": 200, "retention_mark": 10, "retention": 1, "service_clock": 1}
"""Lists that are kept short."""
_STAGED, _STAGED_MAX = "staged_", 100
"""What an import left when its process died; the next one begins by taking it away."""
_CALLS_OF_A_CLIENT = 2
"""Its stream, and a question whether the server is well."""


def nothing_grows(record: Record) -> Iterator[str]:
    """Every measure is within its bound, and nothing grows while nobody does anything."""
    weighed = record.weighed
    for (place, what), size in weighed.later.items():
        before = weighed.first.get((place, what), 0)
        most = _most(weighed, place, what)
        is_kept_short = what.startswith("bytes") or _table(what) in _LAST
        if size > before and not is_kept_short:
            yield f"{place}: {what} grew from {before} to {size} in {weighed.quiet_s:g} quiet s"
        if most is not None and size > most:
            yield f"{place}: {what} are {size}, and not more than {most}"


def _most(weighed: Weighed, place: str, what: str) -> int | None:
    """How much there may be of something; None when it grows with what people do."""
    clients = weighed.clients.get(place, 0)
    if place == "network":
        return _CALLS_OF_A_CLIENT * sum(weighed.clients.values())
    role = weighed.roles[place]
    if what == "tasks":
        return _TASKS[role] + _TASKS_OF_A_STREAM * clients
    if what == "files":
        return _FILES[role]
    if what == "files in packages":
        kept = [n for (at, name), n in weighed.later.items() if at == place and "kept_pack" in name]
        return sum(kept) + 1
    if what.startswith("bytes of"):
        return _WAL_BYTES
    table = _table(what)
    return _STAGED_MAX if table.startswith(_STAGED) else _LAST.get(table)


def _table(what: str) -> str:
    return what.removeprefix("rows of ").partition(" ")[0]
