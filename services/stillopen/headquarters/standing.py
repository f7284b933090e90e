"""How registers stand: what RealtimeService asks before it grants a lock."""

from collections import defaultdict

from stillopen.core.lanes import epoch_text
from stillopen.core.memo_number import prefix_of
from stillopen.core.parameters import CardParameters
from stillopen.core.purpose import CardKind
from stillopen.core.standing import NotHome, Standing
from stillopen.headquarters.parameters import PostingParameters
from stillopen.replication.inbox import Inbox
from stillopen.rpc.wire import time_to
from stillopen.storage.engine import Row, Session
from stillopen.v1 import headquarters_pb2

SILENT_S = 60.0
"""A register that was not heard for so long may have drawn numbers that nobody knows of."""


class Standings:
    """What headquarters knows of the registers whose journals it receives."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._by_prefix: defaultdict[str, list[str]] = defaultdict(list)
        self._counted = 0

    async def of(self, register_id: str, memo_prefix: str = "") -> Standing:
        """How the register stands, and who may have drawn memo numbers with that prefix."""
        known = register_id in self._inbox.registers
        drawn = self._drawn_by(memo_prefix) if memo_prefix else []
        found = [await self._not_home(each) for each in drawn]
        return Standing(known, self.recovering, tuple(each for each in found if each))

    def _drawn_by(self, memo_prefix: str) -> list[str]:
        registers = self._inbox.registers
        if len(registers) != self._counted:  # registers are only ever added
            self._by_prefix = defaultdict(list)
            for register_id in registers:
                self._by_prefix[prefix_of(register_id)].append(register_id)
            self._counted = len(registers)
        return self._by_prefix.get(memo_prefix, [])

    @property
    def recovering(self) -> str:
        """Why no card is locked or confirmed now, from memory."""
        waited_for = self._inbox.recovering
        if not waited_for:
            return ""
        lane, here, before = waited_for[0]
        more = f" and {len(waited_for) - 1} more" if len(waited_for) > 1 else ""
        return (
            "headquarters was restored from an old copy and waits for the journals it had: register"
            f" {lane.register_id}, lane {epoch_text(lane.epoch)}, {here} of {before} are here{more}"
        )

    async def _not_home(self, register_id: str) -> NotHome | None:
        def read(session: Session) -> Row | None:
            return session.one(
                "SELECT max(contact_wall_s), max(head > through AND NOT EXISTS (SELECT 1"
                " FROM lost_lane l WHERE l.register_id = ?1 AND l.epoch = lane.epoch"
                " AND l.received_head >= lane.through)),"
                " max(entries > applied) FROM lane WHERE register_id = ?1",
                register_id,
            )

        row = await self._inbox.engine.read(read)
        if row is None or row[0] is None:
            return None
        silent = self._inbox.wall_s() - row[0] > SILENT_S
        return NotHome(register_id, row[0]) if any(row[1:]) or silent else None


class LocalTerms:
    """What RealtimeService asks at each grant, when it runs in the same process."""

    def __init__(self, posting: PostingParameters, standings: Standings) -> None:
        self._posting = posting
        self._standings = standings

    async def cards(self, kind: CardKind) -> CardParameters:
        """The parameters in force for cards of a kind."""
        return self._posting.current.of(kind)

    async def standing(self, register_id: str, memo_prefix: str = "") -> Standing:
        """How the register stands, and who may have drawn memo numbers with that prefix."""
        return await self._standings.of(register_id, memo_prefix)


def standing_to(standing: Standing) -> headquarters_pb2.GetStandingResponse:
    """A standing as a message."""
    return headquarters_pb2.GetStandingResponse(
        lane_known=standing.lane_known,
        recovering=standing.recovering,
        not_home=[
            headquarters_pb2.RegisterNotHome(
                register_id=each.register_id, last_contact_time=time_to(each.contact_wall_s or 0.0)
            )
            for each in standing.not_home
        ],
    )
