"""What lanes tell about their registers: alarms, which refuse nothing, and what a restore lost.

1. Two lanes that name one parent come from one image: CLONED. Two that name none: REPLACED.
2. A lane that goes on beyond what its child names as its last: RESTORED, whichever came first.
3. A register that claims a shorter lane than before when it was started again: LOST. What comes of
   a process that is known already was said before, and a link kept it back.
4. Headquarters that has less than it once acknowledged was restored from an old copy, and waits for
   what it had.
"""

from dataclasses import dataclass
from enum import StrEnum

from stillopen.core.errors import invalid
from stillopen.core.journal import NO_PARENT, Head, Lane

HOLES_MAX = 1_000
"""The most holes of one lane that are told on."""
LENGTH_MAX = 2**62


class AlarmKind(StrEnum):
    """What is strange about a lane."""

    CLONED = "CLONED"
    RESTORED = "RESTORED"
    LOST = "LOST"
    REPLACED = "REPLACED"
    CONFLICT = "CONFLICT"
    TAKES_TURNS = "TAKES_TURNS"


TOLD_ON = (AlarmKind.LOST, AlarmKind.TAKES_TURNS)
"""What only the place sees that a register speaks to; it tells headquarters."""


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a lane goes on from; epoch 0 says that it goes on from nothing."""

    epoch: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something strange about a lane, for people."""

    lane: Lane
    kind: AlarmKind
    detail: str


def epoch_text(epoch: int) -> str:
    """An epoch as people and databases read it: 16 hexadecimal digits."""
    return f"{epoch:016x}"


def check_head(head: Head) -> Head:
    """Refuses a claim that no lane can look like."""
    possible = head.lane.epoch > 0 and head.first <= head.last + 1
    short = max(head.last, head.claimed, head.believed) < LENGTH_MAX
    inside = all(0 < first <= last <= head.last for first, last in head.missing)
    named = len(head.digest) in {0, len(NO_PARENT)}
    if not (possible and short and inside and named and len(head.missing) <= HOLES_MAX):
        raise invalid("lanes", "no lane can look like this")
    return head


def same_parent(lane: Lane, parent: Parent, other_epoch: int) -> Alarm:
    """Two lanes of one register begin at one place."""
    other = epoch_text(other_epoch)
    if not parent.epoch:
        return Alarm(
            lane,
            AlarmKind.REPLACED,
            f"its journal was begun anew although lane {other} exists; what the old journal had not"
            " delivered may be lost with it",
        )
    where = f"{epoch_text(parent.epoch)}/{parent.sequence}"
    return Alarm(lane, AlarmKind.CLONED, f"begins after {where}, and so does lane {other}")


def goes_on(lane: Lane, head: int, child_epoch: int, child_after: int) -> Alarm | None:
    """Whether a lane is longer than the lane that follows it knew."""
    if head <= child_after:
        return None
    child = epoch_text(child_epoch)
    return Alarm(
        lane,
        AlarmKind.RESTORED,
        f"goes on to {head}, although lane {child} begins after {child_after}",
    )


def shorter(head: Head, claimed_before: int, through: int) -> Alarm | None:
    """Whether a register claims less of a lane than it did before."""
    if head.last >= claimed_before:
        return None
    if through >= claimed_before:
        had = "all of it is here"
    else:
        had = f"{through + 1} to {claimed_before} never came here"
    return Alarm(
        head.lane,
        AlarmKind.LOST,
        f"was claimed to have {claimed_before} entries and has {head.last} now; {had}",
    )


def recover_to(head: Head, through: int, waived: int) -> int:
    """How far a lane must come before headquarters has what it had; 0 when it has.

    Nobody can have been told of more than the lane holds, and what a person no longer waits for is
    not waited for again.
    """
    believed = min(head.believed, head.length)
    return max(head.last, believed) if believed > max(through, waived) else 0
