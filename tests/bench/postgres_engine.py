"""Cards in PostgreSQL: a lock and a settlement are one transaction each, as the rules want it.

The card's row is locked first, then read what holds the card, then written: with its default
isolation each statement sees what committed before it. Amounts are in cents; one currency.
"""

from dataclasses import dataclass
from typing import Protocol

from tests.bench.postgres import Connection, Pool, Row

BLOCKS_S = 120.0
TABLES = """
CREATE TABLE card (
  card_id text PRIMARY KEY,
  look_up bytea NOT NULL UNIQUE,
  last_four text NOT NULL,
  balance_minor bigint NOT NULL CHECK (balance_minor >= 0));
CREATE TABLE card_lock (
  lock_key bytea PRIMARY KEY,
  holder text NOT NULL,
  state text NOT NULL,
  card_id text NOT NULL,
  transaction_id text NOT NULL,
  line_id text NOT NULL,
  amount_minor bigint NOT NULL,
  amount_only boolean NOT NULL,
  until timestamptz NOT NULL);
CREATE INDEX card_lock_open ON card_lock (card_id) WHERE state = 'OPEN';
CREATE TABLE ledger (
  entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  card_id text NOT NULL REFERENCES card,
  amount_minor bigint NOT NULL,
  kind text NOT NULL,
  source text NOT NULL UNIQUE,
  transaction_id text NOT NULL,
  at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ledger_by_card ON ledger (card_id);
CREATE TABLE settled (
  transaction_id text NOT NULL,
  line_id text NOT NULL,
  digest bytea NOT NULL,
  applied boolean NOT NULL,
  PRIMARY KEY (transaction_id, line_id));
"""
OPENING = "INSERT INTO card VALUES ($1, $2, $3, $4)"
_CARD_BY_NUMBER = "SELECT card_id, last_four, balance_minor FROM card WHERE look_up = $1 FOR UPDATE"
_CARD_BY_ID = "SELECT balance_minor FROM card WHERE card_id = $1 FOR UPDATE"
_HELD = """
SELECT coalesce(sum(amount_minor), 0)::bigint AS held_minor,
  coalesce(bool_or(NOT amount_only), false) AS whole,
  count(*) AS locks,
  (SELECT state FROM card_lock WHERE lock_key = $2) AS own
FROM card_lock
WHERE card_id = $1 AND state = 'OPEN' AND lock_key <> $2 AND until > clock_timestamp()"""
_PUT_LOCK = """
INSERT INTO card_lock VALUES
($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9::float8))"""
_SETTLED = "SELECT digest, applied FROM settled WHERE transaction_id = $1 AND line_id = $2"
_APPLY = """
WITH own AS (UPDATE card_lock SET state = 'SETTLED' WHERE lock_key = $1 AND state = 'OPEN'),
  paid AS (UPDATE card SET balance_minor = balance_minor - $3 WHERE card_id = $2),
  entry AS (INSERT INTO ledger (card_id, amount_minor, kind, source, transaction_id)
    VALUES ($2, -$3, 'REDEEM', $4, $5))
INSERT INTO settled VALUES ($5, $6, $7, true)"""
_NOT_APPLIED = "INSERT INTO settled VALUES ($1, $2, $3, false)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A lock that is asked for."""

    lock_key: bytes
    look_up: bytes
    holder: str
    transaction_id: str
    line_id: str
    amount_minor: int
    amount_only: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """A lock that was granted."""

    card_id: str
    last_four: str
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Operation:
    """A redemption of a sale that is final."""

    transaction_id: str
    line_id: str
    lock_key: bytes
    card_id: str
    amount_minor: int
    digest: bytes


class Engine(Protocol):
    """What the servicer asks of PostgreSQL."""

    async def lock(self, wanted: Wanted) -> Granted | None:
        """The lock, or nothing while another has the card; a refused key is never granted."""
        ...

    async def settle(self, operation: Operation) -> bool:
        """Whether the money moved; the same again moves nothing."""
        ...


class Statements:
    """The rules in Python, a statement for each step, within BEGIN and COMMIT."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def lock(self, wanted: Wanted) -> Granted | None:
        """The lock, or nothing while another has the card; a refused key is never granted."""
        async with self._pool.acquire() as connection, connection.transaction():
            card = await connection.fetchrow(_CARD_BY_NUMBER, wanted.look_up)
            assert card is not None
            found = Granted(
                str(card["card_id"]), str(card["last_four"]), _number(card, "balance_minor")
            )
            held = await _held(connection, found.card_id, wanted.lock_key)
            if held["own"] is not None:
                return found if held["own"] == "OPEN" else None
            granted = _may_have(wanted, found.balance_minor, held)
            await connection.execute(
                _PUT_LOCK,
                wanted.lock_key,
                wanted.holder,
                "OPEN" if granted else "ENDED",
                found.card_id,
                wanted.transaction_id,
                wanted.line_id,
                wanted.amount_minor,
                wanted.amount_only,
                BLOCKS_S,
            )
            return found if granted else None

    async def settle(self, operation: Operation) -> bool:
        """Whether the money moved; the same again moves nothing."""
        key = (operation.transaction_id, operation.line_id)
        async with self._pool.acquire() as connection, connection.transaction():
            card = await connection.fetchrow(_CARD_BY_ID, operation.card_id)
            assert card is not None
            before = await connection.fetchrow(_SETTLED, *key)
            if before is not None:
                return bool(before["applied"]) and before["digest"] == operation.digest
            held = await _held(connection, operation.card_id, operation.lock_key)
            balance_minor = _number(card, "balance_minor")
            free = 0 if held["whole"] else balance_minor - _number(held, "held_minor")
            if operation.amount_minor > free:
                await connection.execute(_NOT_APPLIED, *key, operation.digest)
                return False
            await connection.execute(
                _APPLY,
                operation.lock_key,
                operation.card_id,
                operation.amount_minor,
                f"sale:{operation.transaction_id}:{operation.line_id}",
                *key,
                operation.digest,
            )
            return True


async def _held(connection: Connection, card_id: str, lock_key: bytes) -> Row:
    held = await connection.fetchrow(_HELD, card_id, lock_key)
    assert held is not None
    return held


def _may_have(wanted: Wanted, balance_minor: int, held: Row) -> bool:
    if held["whole"] or (not wanted.amount_only and _number(held, "locks")):
        return False
    return wanted.amount_minor <= balance_minor - _number(held, "held_minor")


def _number(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int)
    return value
