"""The second half of "receive, then apply": what is stored takes effect, each entry for itself.

1. What arrives is applied as it comes. What does nothing besides being known never waits for what
   does, nor for a place that does not answer.
2. What may pass is tried again, with pauses that grow to `RETRY_MAX_S`, beside what arrives.
3. What is wrong with the entry itself is QUARANTINED with its reason.
4. What is in quarantine is tried again after each start, and when a person asks: a few at a time,
   beside all else. What then needs a place that does not answer is STORED again, for 2.
5. While many arrive and more come meanwhile, to receive goes first: a batch every `GIVE_WAY_S`.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from stillopen.core.errors import StillopenError, Unreachable
from stillopen.core.journal import Entry, Lane
from stillopen.core.lanes import epoch_text
from stillopen.replication import quarantine
from stillopen.replication.inbox import Inbox, mark
from stillopen.replication.quarantine import BEGINNING, EVERY, Arrived, Which
from stillopen.replication.told import OF_THE_ENTRY, Told, is_for_ever, reason_of, told
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.wire_sale import Record
from stillopen.storage.engine import Session

LOG = logging.getLogger("stillopen.replication")
BATCH = 500
MANY = 100
"""As many as registers send together after they were cut off; in a day they come one by one."""
GIVE_WAY_S = 0.25
"""Between batches of many while more arrive: to receive goes first, that makes an entry safe."""
AGAIN_BATCH = 100
"""So many of what waits, or is in quarantine, are tried at once."""
AGAIN_PAUSE_S = 0.02
"""Between batches of what is in quarantine: nobody waits for them, and others are served."""
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 5.0
LEFT_MAX = 100
"""So many of those that stay in quarantine are named to whoever asked."""


class Effect(Protocol):
    """What entries do besides being known."""

    def concerns(self, record: Record) -> bool:
        """Whether an entry with this record does anything else."""
        ...

    async def __call__(self, lane: Lane, sequence: int, record: Record) -> None:
        """Does it, once however often it is asked."""
        ...


class Known(Protocol):
    """Where entries become known."""

    @property
    def inbox(self) -> Inbox:
        """What came."""
        ...

    def keep(self, session: Session, told: Told) -> str:
        """Keeps what an entry tells; why it cannot be, or nothing."""
        ...

    async def keep_old(self) -> bool:
        """Brings what older software kept further by a batch; whether there was any."""
        ...


@dataclass(slots=True)
class Again:
    """What became of entries that were tried again: as many are tried as the others together."""

    tried: int = 0
    applied: int = 0
    waiting: int = 0
    left: list[Entry] = field(default_factory=list[Entry])
    """Those in quarantine still, the first `LEFT_MAX`."""


@dataclass(slots=True)
class _Outcome:
    """What became of a batch."""

    applied: list[Arrived]
    wrong: list[tuple[Arrived, str]]
    waiting: list[Arrived]


class WorkingOff:
    """Applies what an inbox holds; `effect` is what entries do besides."""

    def __init__(self, known: Known, effect: Effect | None) -> None:
        self._known = known
        self._inbox = known.inbox
        self._effect = effect
        self._seen = 0
        """The last arrival that was looked at."""
        self._from = 0
        """Where the next look at what waits begins."""
        self._waits = asyncio.Event()
        self._wanted = asyncio.Event()
        """What is in quarantine is to be tried again."""
        self._wanted.set()
        self._silent = False
        """The last that were asked to take effect were not answered, none of them."""

    async def run(self) -> None:
        """Goes on for as long as the process runs."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._arrivals())
            group.create_task(self._waiting())
            group.create_task(self._quarantine())

    async def try_again(self, which: Which, within_s: float) -> Again:
        """Tries some of what is in quarantine again; what is not done within the time, beside."""
        result, after = Again(), BEGINNING
        try:
            async with asyncio.timeout(within_s):
                while batch := await self._in_quarantine(which, after):
                    await asyncio.sleep(0)  # others are served between batches
                    outcome = await self._once_more(batch)
                    after = quarantine.place_of(batch[-1][0].entry)
                    result.tried += len(batch)
                    result.applied += len(outcome.applied)
                    result.waiting += len(outcome.waiting)
                    room = LEFT_MAX - len(result.left)
                    result.left += [arrived.entry for arrived, _ in outcome.wrong[:room]]
                    if self._silent:
                        break
        except TimeoutError:
            LOG.info("what is left in quarantine is tried again beside")
        rest = await self._inbox.engine.read(
            lambda session: quarantine.count(session, which, after)
        )
        result.tried += rest
        result.waiting += rest
        if rest:
            self._wanted.set()
        return result

    async def _arrivals(self) -> None:
        pause_s = RETRY_FIRST_S
        older, came = True, 0
        while True:
            version = self._inbox.news.version
            try:
                while older:
                    older = await self._known.keep_old()
                while arrived := await self._inbox.to_apply(self._seen, BATCH):
                    outcome = await self._apply(arrived, ask=not self._silent)
                    self._seen = arrived[-1].arrival
                    if outcome.waiting:
                        self._waits.set()
                    if len(arrived) >= MANY and self._inbox.came != came:
                        came = self._inbox.came
                        await asyncio.sleep(GIVE_WAY_S)
            except (StillopenError, OSError) as error:
                LOG.error("received entries wait: %s", error)  # noqa: TRY400 - said in the message
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_MAX_S)
            else:
                pause_s = RETRY_FIRST_S
                await self._inbox.news.after(version)

    async def _waiting(self) -> None:
        pause_s = RETRY_FIRST_S
        while True:
            await self._waits.wait()
            await asyncio.sleep(pause_s)
            self._waits.clear()
            try:
                went_on, left = await self._look_at_waiting()
            except (StillopenError, OSError) as error:
                LOG.error("received entries wait: %s", error)  # noqa: TRY400 - said in the message
                went_on, left = False, True
            pause_s = RETRY_FIRST_S if went_on else min(pause_s * 2, RETRY_MAX_S)
            if left:
                self._waits.set()

    async def _look_at_waiting(self) -> tuple[bool, bool]:
        """Whether any of what waits went on, and whether some is left."""
        went_on, left = False, self._from > 0
        while arrived := await self._inbox.to_apply(self._from, AGAIN_BATCH, self._seen):
            outcome = await self._apply(arrived)
            self._from = arrived[-1].arrival
            went_on = went_on or len(outcome.waiting) < len(arrived)
            left = left or bool(outcome.waiting)
            if self._silent:
                return went_on, True  # the next look begins behind: one alone may be to blame
        self._from = 0
        return went_on, left

    async def _quarantine(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._all_once_more()
            except (StillopenError, OSError) as error:
                LOG.error("what is in quarantine waits: %s", error)  # noqa: TRY400 - said
                self._wanted.set()
                await asyncio.sleep(RETRY_MAX_S)

    async def _all_once_more(self) -> None:
        after = BEGINNING
        while batch := await self._in_quarantine(EVERY, after):
            await self._once_more(batch)
            after = quarantine.place_of(batch[-1][0].entry)
            await asyncio.sleep(RETRY_MAX_S if self._silent else AGAIN_PAUSE_S)

    async def _in_quarantine(
        self, which: Which, after: quarantine.Place
    ) -> list[tuple[Arrived, str]]:
        return await self._inbox.engine.read(
            lambda session: quarantine.in_quarantine(session, which, after, AGAIN_BATCH)
        )

    async def _once_more(self, batch: list[tuple[Arrived, str]]) -> _Outcome:
        before = {arrived.arrival: why for arrived, why in batch}
        outcome = await self._apply([arrived for arrived, _ in batch], before)
        outcome.wrong.sort(key=lambda each: quarantine.place_of(each[0].entry))
        if outcome.waiting:
            # What is written is followed up, also when the time of whoever asked is up.
            await to_its_end(self._wait_again([each.arrival for each in outcome.waiting]))
        return outcome

    async def _wait_again(self, arrivals: list[int]) -> None:
        await self._inbox.engine.write(lambda session: mark(session, arrivals, "STORED"))
        self._waits.set()
        self._inbox.news.tell()  # it may be behind what was looked at

    async def _apply(
        self, arrived: list[Arrived], before: dict[int, str] | None = None, *, ask: bool = True
    ) -> _Outcome:
        """Applies entries as far as they can be now; `before` is why they were in quarantine."""
        outcome = _Outcome([], [], [])
        asked: list[tuple[Told, Record]] = []
        alone: list[Told] = []
        for each in map(told, arrived):
            if not each.record and before and before[each.arrival] == each.why:
                outcome.wrong.append((each.arrived, each.why))  # as it was: nothing to write
            elif each.record and self._concerns(each.record):
                asked.append((each, each.record))
            else:
                alone.append(each)
        await self._settle(alone, {}, outcome)
        if not ask or self._effect is None:
            outcome.waiting += [each.arrived for each, _ in asked]
            return outcome
        errors = await asyncio.gather(*(_try(self._effect, each, r) for each, r in asked))
        refused: dict[int, str] = {}
        done: list[Told] = []
        for (each, _), error in zip(asked, errors, strict=True):
            if error is None or is_for_ever(error):
                done.append(each)
                if error is not None:
                    refused[each.arrival] = reason_of(error)
            else:
                if not isinstance(error, Unreachable):
                    LOG.error("entry %s waits: %s", _name(each.arrived), error)
                outcome.waiting.append(each.arrived)
        if asked:
            self._silent = all(isinstance(error, Unreachable) for error in errors)
        await self._settle(done, refused, outcome)
        return outcome

    def _concerns(self, record: Record) -> bool:
        if self._effect is None:
            return False
        try:
            return self._effect.concerns(record)
        except (StillopenError, *OF_THE_ENTRY):
            return True  # asked for it, the effect says what is wrong

    async def _settle(
        self, entries: Sequence[Told], refused: dict[int, str], outcome: _Outcome
    ) -> None:
        """Keeps what became of entries, in one transaction."""
        if not entries:
            return
        work = partial(self._put, entries=entries, refused=refused, wall_s=self._inbox.wall_s())
        right, wrong = await self._inbox.engine.write(work)
        if wrong:
            arrived, why = wrong[0]
            LOG.warning(
                "%d entries are in quarantine, the first is %s: %s",
                len(wrong),
                _name(arrived),
                why,
            )
        outcome.applied += right
        outcome.wrong += wrong

    def _put(
        self, session: Session, entries: Sequence[Told], refused: dict[int, str], wall_s: float
    ) -> tuple[list[Arrived], list[tuple[Arrived, str]]]:
        right: list[Arrived] = []
        wrong: list[tuple[Arrived, str]] = []
        for each in entries:
            # Also what was refused is known: a sale is a sale, whatever became of its cards.
            why = self._known.keep(session, each) or refused.get(each.arrival, "")
            if why:
                wrong.append((each.arrived, why))
            else:
                right.append(each.arrived)
        mark(session, [each.arrival for each in right], "APPLIED")
        quarantine.put_in(session, wrong, wall_s)
        return right, wrong


async def _try(effect: Effect, each: Told, record: Record) -> Exception | None:
    entry = each.arrived.entry
    try:
        await effect(entry.lane, entry.sequence, record)
    except Exception as error:  # noqa: BLE001 - one bad entry must not stop the others
        return error
    return None


def _name(arrived: Arrived) -> str:
    """An entry, for the log."""
    lane = arrived.entry.lane
    return f"{lane.register_id}/{epoch_text(lane.epoch)}/{arrived.entry.sequence}"
