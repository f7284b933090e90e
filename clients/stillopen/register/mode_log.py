"""The last changes of mode, kept in journal.db so that they outlive the process."""

from dataclasses import dataclass

from stillopen.core.errors import StillopenError
from stillopen.register.connectivity import Mode
from stillopen.storage.engine import Engine, Session

CHANGES_MAX = 100


@dataclass(frozen=True, slots=True)
class ModeChange:
    """The mode from a moment on, and why."""

    mode: Mode
    reason: str
    wall_s: float


class ModeLog:
    """The log of one register. Changes are shown at once and saved when there is time."""

    def __init__(self, engine: Engine, changes: tuple[ModeChange, ...] = ()) -> None:
        self._engine = engine
        self._unsaved: list[ModeChange] = []
        self.changes = changes
        """The newest first; a new tuple after each change."""

    def note(self, change: ModeChange) -> None:
        """Shows a change; `save` keeps it."""
        self.changes = (change, *self.changes[: CHANGES_MAX - 1])
        self._unsaved = [*self._unsaved, change][-CHANGES_MAX:]

    async def save(self) -> None:
        """Keeps what was noted. On a full disk it stays noted: selling must not end for it."""
        unsaved, self._unsaved = self._unsaved, []
        if not unsaved:
            return

        def put(session: Session) -> None:
            session.run_many(
                "INSERT INTO mode_change (mode, reason, wall_s) VALUES (?,?,?)",
                [(str(each.mode), each.reason, each.wall_s) for each in unsaved],
            )
            session.run(
                "DELETE FROM mode_change WHERE number <= (SELECT max(number) FROM mode_change) - ?",
                CHANGES_MAX,
            )

        try:
            await self._engine.write(put)
        except StillopenError:
            self._unsaved = [*unsaved, *self._unsaved][-CHANGES_MAX:]


async def open_mode_log(engine: Engine) -> ModeLog:
    """The log as the last process left it."""
    rows = await engine.read(
        lambda session: session.all(
            "SELECT mode, reason, wall_s FROM mode_change ORDER BY number DESC LIMIT ?",
            CHANGES_MAX,
        )
    )
    return ModeLog(engine, tuple(ModeChange(Mode(r[0]), r[1], r[2]) for r in rows))
