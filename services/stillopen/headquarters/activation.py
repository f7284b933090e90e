"""Activation: with a one-time code a store's channel or a register becomes known.

The code, its secret and the audit's word change in one transaction. A code is good once, for a day,
and void as soon as another is given out for the same device.
"""

import random

from stillopen.core.activation_code import (
    GOOD_FOR_S,
    code_digest,
    code_unknown,
    new_activation_code,
)
from stillopen.core.errors import Reason, Refused
from stillopen.core.guessing import Guesses
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.credentials import (
    Credentials,
    new_secret,
    put_channel_secret,
    put_register_secret,
)
from stillopen.headquarters.set_up import name_unknown
from stillopen.replication.news import News
from stillopen.storage.engine import Engine, Session

STORE_KIND, REGISTER_KIND = "store", "register"
STEP: tuple[str, ...] = (
    """CREATE TABLE activation_code (
         kind TEXT NOT NULL,
         subject TEXT NOT NULL,
         code_sha256 BLOB NOT NULL UNIQUE,
         expires_wall_s REAL NOT NULL,
         PRIMARY KEY (kind, subject)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE register_activation (
         register_id TEXT PRIMARY KEY,
         activated_wall_s REAL NOT NULL) STRICT, WITHOUT ROWID""",
)


class Activations:
    """Gives codes out, and secrets for them."""

    def __init__(
        self, engine: Engine, credentials: Credentials, news: News, rng: random.Random
    ) -> None:
        self._engine = engine
        self._credentials = credentials
        self._news = news
        self._rng = rng
        self._guesses = Guesses("activation codes")

    async def give_out(self, kind: str, subject: str, doer: Doer) -> str:
        """A new code for a register or a store's channel; an earlier one is void.

        Refused NAME_UNKNOWN, and RETIRED for a register that was retired.
        """
        code = new_activation_code(self._rng)
        digest = code_digest(code)

        def put(session: Session) -> None:
            _check_subject(session, kind, subject)
            session.run("DELETE FROM activation_code WHERE expires_wall_s <= ?", doer.wall_s)
            session.run(
                "INSERT OR REPLACE INTO activation_code VALUES (?,?,?,?)",
                kind,
                subject,
                digest,
                doer.wall_s + GOOD_FOR_S,
            )
            doer.note(session, "CREATE_ACTIVATION_CODE", subject, f"for the {kind}")

        await self._engine.write(put)
        return code

    async def channel(self, code: str, asker: str, now_s: float, wall_s: float) -> tuple[str, str]:
        """Makes a store's channel known; returns the store and the channel's secret."""
        digest, secret = self._typed(code, asker, now_s), new_secret(self._rng)

        def put(session: Session) -> str | None:
            store_id = _take(session, STORE_KIND, digest, wall_s)
            if store_id is not None:
                put_channel_secret(session, store_id, secret, wall_s)
                Doer(f"channel:{store_id}", wall_s).note(session, "ACTIVATE_CHANNEL", store_id)
            return store_id

        store_id = await self._engine.write(put)
        if store_id is None:
            raise self._guessed(asker, now_s)
        await self._credentials.load()
        return store_id, secret

    async def register(
        self, code: str, store_id: str, now_s: float, wall_s: float
    ) -> tuple[str, str, int]:
        """Makes a register of a store known; returns it, its secret and the secret's version."""
        digest, secret = self._typed(code, store_id, now_s), new_secret(self._rng)

        def put(session: Session) -> tuple[str, int] | None:
            register_id = _take(session, REGISTER_KIND, digest, wall_s, store_id)
            if register_id is None:
                return None
            version = put_register_secret(session, register_id, secret)
            session.run(
                "INSERT OR REPLACE INTO register_activation VALUES (?,?)", register_id, wall_s
            )
            doer = Doer(f"channel:{store_id}", wall_s)
            doer.note(session, "ACTIVATE_REGISTER", register_id, f"secret {version}")
            return register_id, version

        found = await self._engine.write(put)
        if found is None:
            raise self._guessed(store_id, now_s)
        await self._credentials.load()
        self._news.tell()
        return found[0], secret, found[1]

    def _typed(self, code: str, asker: str, now_s: float) -> bytes:
        self._guesses.check(asker, now_s)
        return code_digest(code)

    def _guessed(self, asker: str, now_s: float) -> Refused:
        self._guesses.unknown(asker, now_s)
        return code_unknown()


def void_codes(session: Session, kind: str, subject: str) -> None:
    """Codes that were given out for a device are good no more."""
    session.run("DELETE FROM activation_code WHERE kind = ? AND subject = ?", kind, subject)


def _check_subject(session: Session, kind: str, subject: str) -> None:
    if kind == STORE_KIND:
        if session.one("SELECT 1 FROM store WHERE store_id = ?", subject) is None:
            raise name_unknown("store", subject, "store_id")
        return
    row = session.one("SELECT state FROM register WHERE register_id = ?", subject)
    if row is None:
        raise name_unknown("register", subject, "register_id")
    if row[0] == "RETIRED":
        raise Refused(Reason.RETIRED, f"register {subject} was retired", "register_id")


def _take(
    session: Session, kind: str, digest: bytes, wall_s: float, store_id: str = ""
) -> str | None:
    """Uses a code up and says whose it was; nothing, and the code stays, when it is not good."""
    row = session.one(
        "SELECT subject, expires_wall_s FROM activation_code WHERE code_sha256 = ? AND kind = ?",
        digest,
        kind,
    )
    if row is None or row[1] <= wall_s:
        return None
    if store_id and not session.one(
        "SELECT 1 FROM register WHERE register_id = ? AND store_id = ?", row[0], store_id
    ):
        return None
    void_codes(session, kind, row[0])
    return str(row[0])
