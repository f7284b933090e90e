"""What RealtimeService does to its database: each operation is one transaction.

The rules are in `core/card.py`; here they are given what they need and their word is written down.
"""

import asyncio
import hashlib
from dataclasses import dataclass, replace

from stillopen.core.card import (
    Card,
    CardState,
    EndReason,
    Lock,
    LockRequest,
    blocker,
    check_state,
    decide_lock,
    decide_renew,
    decide_unlock,
    free_minor,
    repeated_lock,
    tombstone,
    unknown,
    visible,
)
from stillopen.core.card_number import card_id, last_four, look_up_value, read_any
from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.memo_number import PREFIX_LENGTH, is_memo_number
from stillopen.core.money import Money
from stillopen.core.parameters import CardParameters
from stillopen.core.ports import Clock
from stillopen.core.purpose import CardKind, Purpose
from stillopen.core.standing import NotHome, Standing
from stillopen.realtime.tables import (
    OPEN_LOCKS,
    card_by_id,
    find_card,
    find_lock,
    lock_of,
    locks_against,
    locks_of,
    move_money,
    put_card,
    put_lock,
    redeeming,
    save_clock,
)
from stillopen.replication.served import ServedClock
from stillopen.storage.engine import Engine, Session


@dataclass(frozen=True, slots=True)
class LockNow:
    """A lock, its card, and the moment they were seen, on the service clock."""

    lock: Lock
    card: Card | None
    now_s: float


@dataclass(frozen=True, slots=True)
class CardNow:
    """What is on a card and who holds it."""

    card: Card
    free: Money
    held_by: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """An entry of a card's ledger."""

    entry_id: int
    amount: Money
    kind: str
    transaction_id: str
    wall_s: float


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card to be created, and the row of the import it comes from."""

    row: int
    number: str
    balance: Money
    kind: CardKind


CREATED_AT_ONCE = 500
"""Cards in one transaction of an import; locks wait no longer than that takes."""


class CardStore:
    """Cards, locks and ledger. Open with `open_cards`."""

    def __init__(self, engine: Engine, key: bytes, clock: Clock, served_s: float) -> None:
        self.engine = engine
        self.key = key
        self._clock = clock
        self._served = ServedClock(served_s)

    def now_s(self) -> float:
        """Headquarters' service clock: seconds served, down-time and wall jumps not counted."""
        return self._served.now_s()

    def wall_s(self) -> float:
        """Wall time, for people."""
        return self._clock.wall_s()

    async def save_clock(self) -> None:
        """Saves the service clock, so that a restart goes on from here."""
        now_s = self.now_s()
        await self.engine.write(lambda session: save_clock(session, now_s))

    async def card(
        self, number: str, kind: CardKind, not_home: tuple[NotHome, ...] = ()
    ) -> CardNow:
        """What is on the card and who holds it; Refused CARD_UNKNOWN or CARD_PENDING."""
        look_up, now_s = look_up_value(self.key, number), self.now_s()

        def read(session: Session) -> CardNow:
            found = find_card(session, look_up)
            locks = locks_of(session, found.card_id, "") if found else []
            card = visible(found, locks)
            if card is None:
                raise unknown(not_home or _in_flight(session, number))
            if refused := check_state(card, kind):
                raise refused
            held = blocker(locks, b"", now_s)
            free = Money(card.balance.currency, free_minor(card, locks, b"", now_s))
            return CardNow(card, free, held.holder if held else "")

        return await self.engine.read(read)

    async def lock(
        self,
        request: LockRequest,
        number: str,
        parameters: CardParameters,
        standing: Standing,
    ) -> LockNow:
        """Grants or answers with the lock as it is; a refused key is stored as ended.

        A card that is to be issued is made NEW, so that its number is reserved.
        """
        look_up, now_s = look_up_value(self.key, number), self.now_s()

        def decide(session: Session) -> LockNow | Refused:
            card = find_card(session, look_up)
            existing = find_lock(session, request.lock_key)
            if existing is not None:
                again = repeated_lock(request, card_id(look_up), existing)
                return again if isinstance(again, Refused) else LockNow(again, card, now_s)
            sale, key = request.transaction_id, request.lock_key
            locks = locks_against(session, card.card_id, sale, key, now_s) if card else []
            known = standing
            if visible(card, locks) is None and not standing.not_home:
                known = replace(standing, not_home=_in_flight(session, number))
            decided = decide_lock(request, card, locks, now_s, parameters, known)
            save_clock(session, now_s)
            if isinstance(decided, Refused):
                put_lock(session, tombstone(request.lock_key, request.holder, EndReason.REFUSED))
                return decided
            if request.purpose is Purpose.ISSUE:
                card = _reserved(request, look_up, number)
                put_card(session, look_up, card)
                decided = replace(decided, card_id=card.card_id)
            put_lock(session, decided)
            return LockNow(decided, card, now_s)

        outcome = await self.engine.write(decide)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def renew(
        self, lock_keys: list[bytes], holder: str, standing: Standing, *, confirm: bool
    ) -> list[LockNow]:
        """Each lock after its renewal, as it is; Misuse NOT_ALLOWED for another's."""
        now_s = self.now_s()

        def decide(session: Session) -> list[LockNow]:
            save_clock(session, now_s)
            return [
                self._renew(session, key, holder, now_s, standing, confirm) for key in lock_keys
            ]

        return await self.engine.write(decide)

    @staticmethod
    def _renew(
        session: Session,
        lock_key: bytes,
        holder: str,
        now_s: float,
        standing: Standing,
        confirm: bool,  # noqa: FBT001 - named where it is asked for
    ) -> LockNow:
        lock = find_lock(session, lock_key)
        if lock is None:
            return LockNow(tombstone(lock_key, holder, EndReason.REFUSED), None, now_s)
        if lock.holder != holder:
            raise Misuse(Reason.NOT_ALLOWED, "this lock belongs to another register", "lock_keys")
        card = card_by_id(session, lock.card_id)
        if card is None:
            return LockNow(lock, None, now_s)
        locks = locks_of(session, card.card_id, lock.transaction_id)
        renewed = decide_renew(lock, card, locks, now_s, standing, confirm=confirm)
        if renewed is not lock:
            put_lock(session, renewed)
        return LockNow(renewed, card, now_s)

    async def unlock(self, lock_key: bytes, holder: str) -> LockNow:
        """The lock, ended; a settled one as it is. An unknown key is stored as ended."""
        now_s = self.now_s()

        def decide(session: Session) -> LockNow:
            lock = find_lock(session, lock_key)
            decided = decide_unlock(lock, lock_key, holder)
            if decided is not lock:
                put_lock(session, decided)
                save_clock(session, now_s)
            return LockNow(decided, card_by_id(session, decided.card_id), now_s)

        return await self.engine.write(decide)

    async def create(self, import_id: str, rows: list[CardRow]) -> list[int]:
        """Creates cards with an opening balance; returns the rows whose card was there already.

        A card is never changed: the same row of the same import again is no refusal (rule 26), so
        that an import that was interrupted is finished by repeating it.
        """
        taken: list[int] = []
        for start in range(0, len(rows), CREATED_AT_ONCE):
            taken += await self._create(import_id, rows[start : start + CREATED_AT_ONCE])
            await asyncio.sleep(0)  # card calls go between
        return taken

    async def _create(self, import_id: str, rows: list[CardRow]) -> list[int]:
        wall_s = self.wall_s()
        cards = [(r, look_up_value(self.key, r.number)) for r in rows]

        def put(session: Session) -> list[int]:
            taken: list[int] = []
            for row, look_up in cards:
                name, source = card_id(look_up), f"import:{import_id}:{row.row}"
                nothing = Money(row.balance.currency, 0)
                card = Card(name, last_four(row.number), nothing, kind=row.kind)
                other = session.one("SELECT card_id FROM ledger WHERE source = ?", source)
                if other and other[0] != name:
                    taken.append(row.row)  # the import was sent before with another card here
                elif put_card(session, look_up, card):
                    move_money(session, name, row.balance, "OPENING", source, "", wall_s)
                elif not other:
                    taken.append(row.row)
            return taken

        return await self.engine.write(put)

    async def ledger(self, number: str, card: str) -> tuple[Card, list[LedgerEntry]]:
        """A card by number or id, and its ledger, oldest first."""
        look_up = look_up_value(self.key, read_any(number)) if number else b""

        def read(session: Session) -> tuple[Card, list[LedgerEntry]]:
            found = find_card(session, look_up) if look_up else card_by_id(session, card)
            if found is None:
                raise Refused(Reason.CARD_UNKNOWN, "no such card")
            rows = session.all(
                "SELECT entry_id, amount_minor, kind, transaction_id, wall_s FROM ledger"
                " WHERE card_id = ? ORDER BY entry_id LIMIT 10000",
                found.card_id,
            )
            currency = found.balance.currency
            return found, [LedgerEntry(r[0], Money(currency, r[1]), r[2], r[3], r[4]) for r in rows]

        return await self.engine.read(read)

    async def open_locks(self, after: bytes, limit: int) -> list[LockNow]:
        """Open locks by key, those that lapsed included."""
        now_s = self.now_s()

        def read(session: Session) -> list[LockNow]:
            locks = [lock_of(row) for row in session.all(OPEN_LOCKS, after, limit)]
            return [LockNow(k, card_by_id(session, k.card_id), now_s) for k in locks]

        return await self.engine.read(read)


def _in_flight(session: Session, number: str) -> tuple[NotHome, ...]:
    """Who may be bringing a memo of that number home this moment."""
    return redeeming(session, number[:PREFIX_LENGTH]) if is_memo_number(number) else ()


def _reserved(request: LockRequest, look_up: bytes, number: str) -> Card:
    nothing = Money(request.amount.currency, 0)
    return Card(
        card_id(look_up), last_four(number), nothing, kind=request.kind, state=CardState.NEW
    )


async def open_cards(engine: Engine, key: bytes, clock: Clock) -> CardStore:
    """The store on an open database, its service clock resumed from the saved value.

    Misuse DATABASE_DAMAGED when the cards were made with another key.
    """
    check = hashlib.sha256(b"stillopen.key.v1\0" + key).digest()

    def begin(session: Session) -> float:
        session.run("INSERT INTO key_check VALUES (1, ?) ON CONFLICT DO NOTHING", check)
        [(known,)] = session.all("SELECT digest FROM key_check")
        if known != check:
            raise Misuse(
                Reason.DATABASE_DAMAGED,
                "the key is not the one that these cards were made with; restore it from a backup",
            )
        [(served_s,)] = session.all("SELECT served_s FROM service_clock")
        return float(served_s)

    return CardStore(engine, key, clock, await engine.write(begin))
