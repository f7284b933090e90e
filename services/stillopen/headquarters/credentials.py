"""Who is known at headquarters, from memory: registers, channels, people who signed in, itself.

Secrets are random, 256 bits; what is kept of one is its SHA-256. People's tokens end by themselves.
"""

import hmac
import random
from dataclasses import dataclass, replace
from pathlib import Path

from stillopen.core.errors import Misuse, Reason
from stillopen.core.permissions import Permission, Permissions, permissions_named
from stillopen.core.ports import Clock
from stillopen.headquarters.changes import mark
from stillopen.replication.tables import REGISTER
from stillopen.rpc.identity import Caller, CallerKind, digest_of, unknown_caller
from stillopen.storage.engine import Engine, Session, Value

STEP: tuple[str, ...] = (
    """CREATE TABLE channel_credential (
         store_id TEXT PRIMARY KEY,
         secret_sha256 BLOB NOT NULL,
         activated_wall_s REAL NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE person_session (
         token_sha256 BLOB PRIMARY KEY,
         staff_id TEXT NOT NULL,
         expires_wall_s REAL NOT NULL) STRICT, WITHOUT ROWID""",
)

SECRET_BYTES = 32
SESSION_S = 12 * 3600.0
SESSIONS_MAX = 10_000
_EVERYTHING: Permissions = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class _Device:
    secret_sha256: bytes
    retired: bool = False


@dataclass(frozen=True, slots=True)
class _SignedIn:
    staff_id: str
    expires_wall_s: float
    permissions: Permissions


class Credentials:
    """Every secret that is good now. Open with `open_credentials`."""

    def __init__(self, engine: Engine, clock: Clock, house_secret: str) -> None:
        self._engine = engine
        self._clock = clock
        self._house = digest_of(house_secret)
        self._devices: dict[tuple[CallerKind, str], _Device] = {}
        self._people: dict[bytes, _SignedIn] = {}

    def check(self, said: Caller) -> Caller:
        """The caller as it is known; Misuse CALLER_UNKNOWN when the secret is not its own."""
        digest = digest_of(said.secret)
        if said.kind is CallerKind.HEADQUARTERS:
            if hmac.compare_digest(digest, self._house):
                return replace(said, permissions=_EVERYTHING)
            raise unknown_caller(said)
        if said.kind is CallerKind.PERSON:
            person = self._people.get(digest)
            if person is None or person.staff_id != said.name:
                raise unknown_caller(said)
            if person.expires_wall_s <= self._clock.wall_s():
                raise unknown_caller(said)
            return replace(said, permissions=person.permissions)
        device = self._devices.get((said.kind, said.name))
        if device is None or not hmac.compare_digest(digest, device.secret_sha256):
            raise unknown_caller(said)
        return replace(said, retired=device.retired)

    async def check_begun(self, data: Path) -> None:
        """Misuse NOT_INSTALLED while nobody could sign in."""
        rows = await self._engine.read(
            lambda session: session.all(
                "SELECT permissions FROM staff JOIN role USING (role_id) WHERE NOT blocked"
            )
        )
        if not any(Permission.STAFF in permissions_named(row[0].split()) for row in rows):
            raise Misuse(
                Reason.NOT_INSTALLED,
                f"nobody may sign in to {data}: stillopen headquarters begin --data {data}"
                " --administrator NAME",
            )

    async def load(self) -> None:
        """Reads what is kept."""

        def read(
            session: Session,
        ) -> tuple[dict[tuple[CallerKind, str], _Device], dict[bytes, _SignedIn]]:
            devices = {
                (CallerKind.REGISTER, row[0]): _Device(row[1], row[2] == "RETIRED")
                for row in session.all(
                    "SELECT register_id, secret_sha256, state FROM register"
                    " WHERE secret_sha256 <> x''"
                )
            }
            for row in session.all("SELECT store_id, secret_sha256 FROM channel_credential"):
                devices[CallerKind.CHANNEL, row[0]] = _Device(row[1])
            return devices, _signed_in(session)

        self._devices, self._people = await self._engine.read(read)

    async def reload_people(self) -> None:
        """Reads again who is signed in and may do what: staff or roles changed."""
        self._people = await self._engine.read(_signed_in)

    async def sign_in(self, staff_id: str, rng: random.Random) -> str:
        """Begins a sign-in of somebody whose password was checked; returns the token."""
        token, now_s = new_secret(rng), self._clock.wall_s()

        def put(session: Session) -> None:
            session.run("DELETE FROM person_session WHERE expires_wall_s <= ?", now_s)
            session.run(
                "DELETE FROM person_session WHERE token_sha256 IN (SELECT token_sha256"
                " FROM person_session ORDER BY expires_wall_s DESC LIMIT -1 OFFSET ?)",
                SESSIONS_MAX - 1,
            )
            session.run(
                "INSERT INTO person_session VALUES (?,?,?)",
                digest_of(token),
                staff_id,
                now_s + SESSION_S,
            )

        await self._engine.write(put)
        await self.reload_people()
        return token

    async def sign_out(self, token: str) -> None:
        """Ends a sign-in."""
        digest = digest_of(token)
        await self._engine.write(
            lambda session: session.run("DELETE FROM person_session WHERE token_sha256 = ?", digest)
        )
        await self.reload_people()


def end_sessions(session: Session, whose: str, *values: Value) -> None:
    """Ends the sign-ins of those that a SELECT brings: blocked, removed, or with a new password."""
    session.run(f"DELETE FROM person_session WHERE staff_id IN ({whose})", *values)  # noqa: S608


def _signed_in(session: Session) -> dict[bytes, _SignedIn]:
    rows = session.all(
        "SELECT token_sha256, staff_id, expires_wall_s, role.permissions FROM person_session"
        " JOIN staff USING (staff_id) JOIN role USING (role_id) WHERE NOT staff.blocked"
    )
    return {row[0]: _SignedIn(row[1], row[2], permissions_named(row[3].split())) for row in rows}


def put_channel_secret(session: Session, store_id: str, secret: str, wall_s: float) -> None:
    """Gives a store's channel its secret; an earlier one ends."""
    session.run(
        "INSERT OR REPLACE INTO channel_credential VALUES (?,?,?)",
        store_id,
        digest_of(secret),
        wall_s,
    )


def put_register_secret(session: Session, register_id: str, secret: str) -> int:
    """Gives a register its secret, and makes it ACTIVE; returns the credential's version."""
    session.run(
        "UPDATE register SET secret_sha256 = ?, state = 'ACTIVE',"
        " credential_version = credential_version + 1 WHERE register_id = ?",
        digest_of(secret),
        register_id,
    )
    mark(session, REGISTER, [register_id])
    found = session.one(
        "SELECT credential_version FROM register WHERE register_id = ?", register_id
    )
    return int(found[0]) if found else 0


def new_secret(rng: random.Random) -> str:
    """A new secret: 256 random bits as text."""
    return rng.randbytes(SECRET_BYTES).hex()


async def open_credentials(engine: Engine, clock: Clock, house_secret: str) -> Credentials:
    """The credentials of an open database."""
    credentials = Credentials(engine, clock, house_secret)
    await credentials.load()
    return credentials
