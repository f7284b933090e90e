"""Which registers a channel knows: from its replica, and from activations it passed on itself.

An activation is known here before the next package brings it; the newer of the two counts. Nothing
here asks headquarters, so that registers are known while it cannot be reached.
"""

import hmac
from dataclasses import replace

from stillopen.replication.replica import Replica
from stillopen.rpc.identity import Caller, CallerKind, digest_of, unknown_caller
from stillopen.storage.engine import Engine, Session

STEP: tuple[str, ...] = (
    """CREATE TABLE activated_register (
         register_id TEXT PRIMARY KEY,
         credential_version INTEGER NOT NULL,
         secret_sha256 BLOB NOT NULL) STRICT, WITHOUT ROWID""",
)


class Credentials:
    """The registers of one store and their secrets, from memory. Open with `open_credentials`."""

    def __init__(self, engine: Engine, replica: Replica) -> None:
        self._engine = engine
        self._replica = replica
        self._learned: dict[str, tuple[int, bytes]] = {}

    def check(self, said: Caller) -> Caller:
        """The register as it is known; Misuse CALLER_UNKNOWN when the secret is not its own."""
        if said.kind is not CallerKind.REGISTER:
            raise unknown_caller(said)
        row = self._replica.registers.get(said.name)
        version, secret_sha256 = self._learned.get(said.name, (0, b""))
        if row is not None and row.credential_version >= version:
            secret_sha256 = row.secret_sha256
        digest = digest_of(said.secret)
        if not secret_sha256 or not hmac.compare_digest(digest, secret_sha256):
            raise unknown_caller(said)
        return replace(said, retired=row is not None and row.state == "RETIRED")

    async def keep(self, register_id: str, version: int, secret: str) -> None:
        """Learns the secret of a register whose activation was passed on here."""
        digest = digest_of(secret)

        def put(session: Session) -> None:
            session.run(
                "INSERT OR REPLACE INTO activated_register VALUES (?,?,?)",
                register_id,
                version,
                digest,
            )

        await self._engine.write(put)
        self._learned[register_id] = version, digest

    async def load(self) -> None:
        """Reads what was learned."""
        rows = await self._engine.read(
            lambda session: session.all(
                "SELECT register_id, credential_version, secret_sha256 FROM activated_register"
            )
        )
        self._learned = {row[0]: (row[1], row[2]) for row in rows}


async def open_credentials(engine: Engine, replica: Replica) -> Credentials:
    """The credentials on an open channel database."""
    credentials = Credentials(engine, replica)
    await credentials.load()
    return credentials
