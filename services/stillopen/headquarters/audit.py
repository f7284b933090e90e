"""What people did to the set-up: who, when, what, to what and why. Nothing is ever taken out."""

from dataclasses import dataclass

from stillopen.rpc.paging import number_token
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Engine, Session
from stillopen.v1 import headquarters_pb2

STEP: tuple[str, ...] = (
    """CREATE TABLE audit (
         audit_id INTEGER PRIMARY KEY,
         wall_s REAL NOT NULL,
         person TEXT NOT NULL,
         action TEXT NOT NULL,
         subject TEXT NOT NULL,
         detail TEXT NOT NULL) STRICT""",
    "CREATE INDEX audit_of_subject ON audit (subject)",
)

DETAIL_MAX = 1_000
_OF_ALL = (
    "SELECT audit_id, wall_s, person, action, subject, detail FROM audit"
    " WHERE (?1 = 0 OR audit_id < ?1) ORDER BY audit_id DESC LIMIT ?2"
)
_OF_SUBJECT = (
    "SELECT audit_id, wall_s, person, action, subject, detail FROM audit"
    " WHERE subject = ?3 AND (?1 = 0 OR audit_id < ?1) ORDER BY audit_id DESC LIMIT ?2"
)


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something, and what the clock shows."""

    person: str
    wall_s: float

    def note(self, session: Session, action: str, subject: str, detail: str = "") -> None:
        """Keeps what was done, in the transaction that does it; never a secret."""
        note(session, self.wall_s, self.person, action, subject, detail)


def note(
    session: Session, wall_s: float, person: str, action: str, subject: str, detail: str = ""
) -> None:
    """Keeps what a person did, in the transaction that does it; `detail` never has a secret."""
    session.run(
        "INSERT INTO audit (wall_s, person, action, subject, detail) VALUES (?,?,?,?,?)",
        wall_s,
        person,
        action,
        subject,
        detail[:DETAIL_MAX],
    )


async def list_audit(
    engine: Engine, subject: str, token: str, limit: int
) -> headquarters_pb2.ListAuditResponse:
    """What was done, the newest first; to one subject, or to all."""
    before = number_token(token)
    rows = await engine.read(
        lambda session: (
            session.all(_OF_SUBJECT, before, limit + 1, subject)
            if subject
            else session.all(_OF_ALL, before, limit + 1)
        )
    )
    page = rows[:limit]
    return headquarters_pb2.ListAuditResponse(
        entries=[
            headquarters_pb2.AuditEntry(
                time=time_to(row[1]), person=row[2], action=row[3], subject=row[4], detail=row[5]
            )
            for row in page
        ],
        next_page_token=str(page[-1][0]) if len(rows) > limit else "",
    )
