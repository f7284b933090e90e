"""Suspended sales that registers handed over: each has one owner, and at most one goes on from it.

1. From the answer to SuspendTransaction on the channel owns the sale. The same again is the same
   answer; another sale under its id is refused.
2. A recall is a claim, keyed by the sale that goes on: repeated it is the same answer, by another
   it is refused. Only a manager's word ends a claim; the ended one is kept with who and why.
3. It is DONE when the sale that claimed it is final in the journal, or is itself suspended here.
   Then its bytes go; its row stays, so that it is never taken over again.
"""

import hashlib
from dataclasses import dataclass

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.ports import Clock
from stillopen.core.sale import Sale
from stillopen.storage.engine import Engine, Row, Session
from stillopen.v1 import types_pb2

STEP: tuple[str, ...] = (
    """CREATE TABLE suspended_sale (
         number INTEGER PRIMARY KEY,
         transaction_id TEXT NOT NULL UNIQUE,
         digest BLOB NOT NULL,
         data BLOB NOT NULL,
         state TEXT NOT NULL,
         recalling_id TEXT NOT NULL DEFAULT '',
         claim_register_id TEXT NOT NULL DEFAULT '',
         claim_staff_id TEXT NOT NULL DEFAULT '',
         claim_wall_s REAL NOT NULL DEFAULT 0) STRICT""",
    "CREATE INDEX suspended_sale_free ON suspended_sale (number) WHERE state = 'SUSPENDED'",
    """CREATE UNIQUE INDEX suspended_sale_claim ON suspended_sale (recalling_id)
         WHERE recalling_id <> ''""",
    """CREATE TABLE ended_claim (
         number INTEGER PRIMARY KEY,
         transaction_id TEXT NOT NULL,
         recalling_id TEXT NOT NULL,
         claim_register_id TEXT NOT NULL,
         claim_staff_id TEXT NOT NULL,
         claim_wall_s REAL NOT NULL,
         manager_id TEXT NOT NULL,
         reason TEXT NOT NULL,
         register_id TEXT NOT NULL,
         wall_s REAL NOT NULL) STRICT""",
)
"""The statements that make the tables; the channel's schema includes them."""

PAGE_BYTES_MAX = 2 * 2**20

_CLAIM = (
    "transaction_id, state, data, recalling_id, claim_register_id, claim_staff_id, claim_wall_s"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who goes on with a suspended sale, and as which sale."""

    transaction_id: str
    recalling_id: str
    register_id: str
    staff_id: str


@dataclass(frozen=True, slots=True)
class Word:
    """A manager's word, checked: who, and why."""

    manager_id: str
    reason: str


class SuspendedSales:
    """The suspended sales of a store."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def take_over(self, sale: types_pb2.Sale) -> None:
        """Owns the sale from now on; Misuse KEY_REUSED when another came under its id."""
        data = sale.SerializeToString(deterministic=True)
        digest = hashlib.sha256(data).digest()

        def put(session: Session) -> None:
            known = session.one(
                "SELECT digest FROM suspended_sale WHERE transaction_id = ?", sale.transaction_id
            )
            if known == (digest,):
                return
            if known is not None:
                raise Misuse(Reason.KEY_REUSED, "another sale was suspended under this id")
            session.run(
                "INSERT INTO suspended_sale (transaction_id, digest, data, state)"
                " VALUES (?,?,?,'SUSPENDED')",
                sale.transaction_id,
                digest,
                data,
            )
            _done(session, sale.recalled_from, sale.transaction_id)

        await self._engine.write(put)

    async def claims(self, claim: Claim) -> bool:
        """Whether that claim was granted and stands."""
        row = await self._engine.read(lambda session: _row(session, claim.transaction_id))
        return row is not None and _is(claim, row)

    async def recall(self, claim: Claim, word: Word | None = None) -> types_pb2.Sale:
        """The sale, claimed; Refused SALE_UNKNOWN, or CLAIMED when another goes on from it."""
        wall_s = self._clock.wall_s()

        def put(session: Session) -> bytes:
            other = session.one(
                "SELECT transaction_id FROM suspended_sale WHERE recalling_id = ?",
                claim.recalling_id,
            )
            if other is not None and other != (claim.transaction_id,):
                raise Misuse(Reason.KEY_REUSED, "that id goes on from another sale", "recalling_id")
            row = _row(session, claim.transaction_id)
            if row is None:
                raise Refused(Reason.SALE_UNKNOWN, "no such sale is suspended", "transaction_id")
            state, data = row[1], bytes(row[2])
            if state == "CLAIMED" and _is(claim, row):
                return data
            if state == "DONE" or (state == "CLAIMED" and word is None):
                raise claimed(row[4], row[3])
            if state == "CLAIMED" and word is not None:
                session.run(
                    "INSERT INTO ended_claim VALUES (NULL,?,?,?,?,?,?,?,?,?)",
                    row[0],
                    *row[3:7],
                    word.manager_id,
                    word.reason,
                    claim.register_id,
                    wall_s,
                )
            session.run(
                "UPDATE suspended_sale SET state = 'CLAIMED', recalling_id = ?,"
                " claim_register_id = ?, claim_staff_id = ?, claim_wall_s = ?"
                " WHERE transaction_id = ?",
                claim.recalling_id,
                claim.register_id,
                claim.staff_id,
                wall_s,
                claim.transaction_id,
            )
            return data

        return types_pb2.Sale.FromString(await self._engine.write(put))

    async def free(self, after: int, limit: int) -> tuple[list[types_pb2.Sale], str]:
        """Sales that nobody claimed, oldest first, cut by count and bytes; where to go on."""
        rows = await self._engine.read(
            lambda session: session.all(
                "SELECT number, data FROM suspended_sale WHERE state = 'SUSPENDED'"
                " AND number > ? ORDER BY number LIMIT ?",
                after,
                limit,
            )
        )
        found: list[types_pb2.Sale] = []
        size = 0
        for number, data in rows:
            size += len(data)
            if found and size > PAGE_BYTES_MAX:
                return found, str(after)
            found.append(types_pb2.Sale.FromString(data))
            after = number
        return found, str(after) if len(rows) == limit else ""


def went_on(session: Session, sale: Sale) -> None:
    """A final sale has arrived: the suspended one that it goes on from is done."""
    _done(session, sale.recalled_from, sale.transaction_id)


def claimed(register_id: str, recalling_id: str) -> Refused:
    """Another goes on from it: who, and as which sale."""
    return Refused(Reason.CLAIMED, f"register {register_id} goes on with it as sale {recalling_id}")


def _done(session: Session, transaction_id: str, recalling_id: str) -> None:
    """The cart is sold; a claim that a restore lost is known by the sale itself."""
    if transaction_id:
        session.run(
            "UPDATE suspended_sale SET state = 'DONE', data = x'', recalling_id = ?2"
            " WHERE transaction_id = ?1 AND (recalling_id = ?2 OR state = 'SUSPENDED')",
            transaction_id,
            recalling_id,
        )


def _row(session: Session, transaction_id: str) -> Row | None:
    return session.one(
        f"SELECT {_CLAIM} FROM suspended_sale WHERE transaction_id = ?",  # noqa: S608 - constants
        transaction_id,
    )


def _is(claim: Claim, row: Row) -> bool:
    return (row[3], row[4]) == (claim.recalling_id, claim.register_id)
