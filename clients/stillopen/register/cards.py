"""Cards at the till: lock one for a tender, confirm at completion, give up, keep alive.

The key is durable before LockCard is sent. Whatever is not known to have been refused is unlocked,
at once and by a journal entry, so that no lock that was granted and never heard of stays.
"""

import asyncio
import logging
import random
from dataclasses import dataclass

from stillopen.core.card import LockRequest
from stillopen.core.errors import Misuse, Reason, Refused, StillopenError
from stillopen.core.ids import new_lock_key
from stillopen.core.ports import Clock
from stillopen.core.sale import HeldCard, Sale
from stillopen.register import intents
from stillopen.register.failover import Failover
from stillopen.register.journal import Journal, Noted
from stillopen.register.online import Online, balance_of, blocks
from stillopen.rpc.wire import duration_from
from stillopen.storage.engine import Session

LOG = logging.getLogger("stillopen.register")
RELEASES_MAX = 1_000
RELEASE_TIMEOUT_S = 5.0
FORGET_AGAIN_S = 5.0
"""Between tries to write down that a lock is given up."""

_REFUSED_FOR_SURE = {
    Reason.CARD_UNKNOWN,
    Reason.CARD_LOCKED,
    Reason.CARD_BLOCKED,
    Reason.CURRENCY_MISMATCH,
    Reason.INSUFFICIENT_BALANCE,
    Reason.CARD_TWICE,
    Reason.LOCK_ENDED,
    Reason.CARD_PENDING,
    Reason.CARD_EXISTS,
    Reason.CARD_KIND,
    Reason.CARD_USED,
    Reason.CASH_OUT_TOO_MUCH,
    Reason.HEADQUARTERS_RECOVERING,
}
"""Headquarters said no and keeps the key as ended: there is nothing to unlock."""


_NOBODY_KNOWS = {Reason.INTERNAL, Reason.DATABASE_DAMAGED}
"""Something failed on the way or at headquarters, before the lock was granted or after."""


def _is_refused_for_sure(error: StillopenError) -> bool:
    if isinstance(error, Misuse):
        return error.reason not in _NOBODY_KNOWS
    return error.reason in _REFUSED_FOR_SURE


@dataclass(frozen=True, slots=True)
class Granted:
    """A lock for a tender, and for how long it may be concluded without headquarters."""

    card: HeldCard
    conclude_within_s: float


class Cards:
    """The cards of this register's sales."""

    def __init__(
        self,
        journal: Journal,
        online: Online,
        failover: Failover,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._journal = journal
        self._online = online
        self._failover = failover
        self._clock = clock
        self._rng = rng
        self._releases: asyncio.Queue[bytes] = asyncio.Queue(RELEASES_MAX)
        self._unforgotten: dict[bytes, str] = {}
        """Keys that are to be given up and could not be written: their sales. Locks may wait."""
        self._to_forget = asyncio.Event()

    async def lock(self, wanted: LockRequest, number: str) -> Granted:
        """Locks the card; Refused with the trade's reason, OFFLINE or HEADQUARTERS_UNREACHABLE.

        The key of `wanted` is from `new_key`, used for this attempt and never again.
        """
        if not self._failover.state.online:
            raise Refused(Reason.OFFLINE, "the register is offline; cards need headquarters")
        key, transaction = wanted.lock_key, wanted.transaction_id
        sent = intents.sent_now(self._clock)
        await self._journal.engine.write(
            lambda session: intents.intend(session, key, transaction, sent)
        )
        try:
            lock = await self._failover.realtime(
                lambda timeout_s: self._online.lock_card(wanted, number, timeout_s)
            )
        except StillopenError as error:
            await self.forget(key, transaction, journaled=not _is_refused_for_sure(error))
            raise
        if not blocks(lock):
            await self.forget(key, transaction, journaled=True)
            raise Refused(Reason.LOCK_ENDED, "the lock had lapsed before it was heard of")
        card = HeldCard(key, lock.card_id, lock.last_four, balance_of(lock), wanted.purpose)
        return Granted(card, duration_from(lock.conclude_within))

    def new_key(self) -> bytes:
        """A key for one attempt."""
        return new_lock_key(self._rng)

    async def forget(self, lock_key: bytes, transaction_id: str, *, journaled: bool) -> None:
        """Ends an intent that became no tender; `journaled` when a lock may exist."""

        def put(session: Session) -> None:
            if journaled:
                self.give_up(session, lock_key, transaction_id)
            else:
                intents.done(session, lock_key)

        try:
            await self._journal.engine.write(put)
        except Exception:
            self._unforgotten[lock_key] = transaction_id
            self._to_forget.set()
            raise
        self._unforgotten.pop(lock_key, None)
        if journaled:
            self._journal.news.tell()
            self.release(lock_key)

    async def forget_orphans(self) -> None:
        """After a start: ends every intent whose lock was never heard of."""
        wanting = await self._journal.engine.read(intents.orphans)
        for lock_key, transaction_id in wanting:
            await self.forget(lock_key, transaction_id, journaled=True)

    async def forget_later(self) -> None:
        """Gives up what could not be written in its time, because the disk failed or was full.

        Without that the lock would hold its card until the next start, or for lease and grace.
        """
        while True:
            await self._to_forget.wait()
            await asyncio.sleep(FORGET_AGAIN_S)
            self._to_forget.clear()
            for lock_key, transaction_id in list(self._unforgotten.items()):
                try:
                    await self.forget(lock_key, transaction_id, journaled=True)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                    LOG.warning("a lock is given up later: %s", error)

    def give_up(self, session: Session, lock_key: bytes, transaction_id: str) -> None:
        """Journals, in the caller's transaction, that a lock is given up."""
        wall_s = self._clock.wall_s()
        record = intents.unlock_record(lock_key, transaction_id, wall_s)
        self._journal.append(session, record, Noted("UNLOCK", transaction_id, wall_s))
        intents.done(session, lock_key)

    def release(self, lock_key: bytes) -> None:
        """Has the lock ended at once, besides the journal; not waited for."""
        if not self._releases.full():  # the journal brings it home in any case
            self._releases.put_nowait(lock_key)

    async def confirm(self, sale: Sale) -> None:
        """Asks headquarters to keep the sale's cards until it is home; without its word, the terms.

        Refused CONFIRM_REFUSED when a card is no longer kept, CONCLUDE_NOT_ALLOWED when there is no
        answer and the window of a card is closed.
        """
        keys = [card.lock_key for card in sale.cards]
        try:
            locks = await self._failover.realtime(
                lambda timeout_s: self._online.renew(keys, timeout_s, confirm=True),
                over_link=True,
            )
        except Refused as error:
            if error.reason not in {Reason.OFFLINE, Reason.HEADQUARTERS_UNREACHABLE}:
                raise
        else:
            gone = [c for c, lock in zip(sale.cards, locks, strict=True) if not blocks(lock)]
            if gone:
                raise Refused(
                    Reason.CONFIRM_REFUSED,
                    f"headquarters no longer keeps card ...{gone[0].last_four} for this sale;"
                    " take the tender back",
                )
            return
        now = intents.sent_now(self._clock)
        if not await self._journal.engine.read(
            lambda session: intents.windows_open(session, keys, now)
        ):
            raise Refused(
                Reason.CONCLUDE_NOT_ALLOWED,
                "a card on this sale may not be concluded without headquarters; wait, or take the"
                " tender back",
            )

    async def held_s(self, sale: Sale) -> float:
        """For how long the oldest lock of the sale has been held, as far as this machine knows."""
        keys, now = [card.lock_key for card in sale.cards], intents.sent_now(self._clock)
        return await self._journal.engine.read(lambda session: intents.oldest_s(session, keys, now))

    async def keep_alive(self, lock_keys: list[bytes], timeout_s: float) -> None:
        """Renews the locks of the open sale; a failure is seen when the sale completes."""
        try:
            await self._online.renew(lock_keys, timeout_s, confirm=False)
        except StillopenError:
            return  # the next renewal, the confirm or the terms decide

    async def run_releases(self) -> None:
        """Ends locks that were given up, once each; the journal does it again."""
        while True:
            lock_key = await self._releases.get()
            if not self._failover.link_up:
                continue
            try:
                await self._online.unlock(lock_key, RELEASE_TIMEOUT_S)
            except StillopenError:
                continue  # the journal brings it home
