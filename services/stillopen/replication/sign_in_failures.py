"""Failed sign-ins where passwords are checked: durable, bounded, one try under a name at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from stillopen.core import lockout
from stillopen.core.ids import ID_LENGTH_MAX
from stillopen.core.lockout import LOCKED_S, NAMES_MAX, Failures
from stillopen.core.ports import Clock
from stillopen.storage.engine import Engine, Session

STEP: tuple[str, ...] = (
    """CREATE TABLE sign_in_failure (
         name TEXT PRIMARY KEY,
         last_wall_s REAL NOT NULL,
         walls_s TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    "CREATE INDEX sign_in_failure_last ON sign_in_failure (last_wall_s)",
)


class SignInFailures:
    """Who failed to sign in lately, whether or not anybody has the name."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._trying: dict[str, _Turn] = {}

    @asynccontextmanager
    async def a_try(self, name: str) -> AsyncGenerator["Try"]:
        """One try to sign in, when those before it under this name are decided.

        Refused LOCKED_OUT after too many failures.
        """
        key = name[:ID_LENGTH_MAX]
        turn = self._trying.setdefault(key, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                failures = await self._engine.read(lambda session: _load(session, key))
                now_s = self._clock.wall_s()
                if lockout.seen(failures, now_s) != failures:
                    failures = await self._put(key, lockout.seen(failures, now_s))
                lockout.check(failures, now_s)
                yield Try(self, key, failures)
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._trying[key]

    async def failed(self, name: str, before: Failures) -> None:
        """One more failure."""
        await self._put(name, lockout.failed(before, self._clock.wall_s()))

    async def forget(self, name: str) -> None:
        """A success."""
        await self._put(name, lockout.NONE)

    async def _put(self, name: str, failures: Failures) -> Failures:
        old_s = self._clock.wall_s() - LOCKED_S

        def put(session: Session) -> None:
            session.run("DELETE FROM sign_in_failure WHERE name = ?", name)
            if not failures.walls_s:
                return
            session.run("DELETE FROM sign_in_failure WHERE last_wall_s <= ?", old_s)
            session.run(
                "DELETE FROM sign_in_failure WHERE name IN (SELECT name FROM sign_in_failure"
                " ORDER BY last_wall_s DESC LIMIT -1 OFFSET ?)",
                NAMES_MAX - 1,
            )
            session.run(
                "INSERT INTO sign_in_failure VALUES (?,?,?)",
                name,
                failures.walls_s[-1],
                " ".join(map(repr, failures.walls_s)),
            )

        await self._engine.write(put)
        return failures


class Try:
    """A try to sign in: it fits or it does not; one that is not decided counts for nothing."""

    def __init__(self, kept: SignInFailures, name: str, before: Failures) -> None:
        self._kept = kept
        self._name = name
        self._before = before

    async def failed(self) -> None:
        """The password did not fit, or nobody has the name."""
        await self._kept.failed(self._name, self._before)

    async def fitted(self) -> None:
        """The password fitted."""
        if self._before.walls_s:
            await self._kept.forget(self._name)


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0


def _load(session: Session, name: str) -> Failures:
    row = session.one("SELECT walls_s FROM sign_in_failure WHERE name = ?", name)
    return Failures(tuple(map(float, row[0].split()))) if row else lockout.NONE
