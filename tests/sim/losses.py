"""What only one disk held when a calamity took it: all that a record may excuse, and no more.

The world writes these notes, which read every disk; checkers read them. An entry is excused when it
was on a lost disk and nowhere else, a sale or a cart when it stood there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LaneKey = tuple[str, int]
"""A register and an epoch."""
Key = tuple[str, int, int]
"""A register, an epoch and a sequence."""


class Fate(StrEnum):
    """What became of a disk."""

    REINSTALLED = "reinstall"
    """It was wiped, and its register began anew."""
    RESTORED = "restore register"
    """An older image of it was put back."""
    CLONED = "clone"
    """A second machine began on an image of it; nothing is lost yet."""
    TAKEN_AWAY = "take away"
    """The second machine went, with its disk."""
    CHANNEL_RESTORED = "restore channel"
    HEADQUARTERS_RESTORED = "restore headquarters"


OF_A_REGISTER = frozenset({Fate.REINSTALLED, Fate.RESTORED, Fate.CLONED, Fate.TAKEN_AWAY})
ALARMS = {
    Fate.REINSTALLED: {"REPLACED"},
    Fate.RESTORED: {"CLONED", "LOST", "REPLACED", "RESTORED"},
    Fate.CLONED: {"CLONED", "LOST", "REPLACED", "RESTORED"},
    Fate.TAKEN_AWAY: {"CLONED", "LOST", "REPLACED", "RESTORED"},
}
"""Which alarms each may raise for its register; docs/design.md, Lanes."""
ON_ANY_DAY = {"TAKES_TURNS"}
"""A silent link gives out the hello of a process that has ended, after that of the next."""


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as a disk holds it."""

    kind: str
    transaction_id: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A disk as it was just before the calamity, and what was elsewhere at that moment."""

    time_s: float
    fate: Fate
    place: str
    """The process."""
    register_id: str = ""
    """Empty for a server."""
    image_s: float = 0.0
    """From when the disk is that was put in its place."""
    had: Mapping[Key, Written] = field(default_factory=dict[Key, Written])
    """Every entry of it, of a register."""
    only: frozenset[Key] = frozenset()
    """Those that no other disk had, nor the image."""
    claimed: Mapping[LaneKey, int] = field(default_factory=dict[LaneKey, int])
    """How long its register's lanes were for headquarters and every channel, the longest word."""
    left: Mapping[LaneKey, int] = field(default_factory=dict[LaneKey, int])
    """How long the lanes are on the disk that was put in its place."""
    parents: Mapping[LaneKey, tuple[int, int]] = field(
        default_factory=dict[LaneKey, tuple[int, int]]
    )
    """Where its lanes go on from: an epoch and a sequence, or nothing."""
    sales: frozenset[str] = frozenset()
    """The sales that stood on it, or on the image."""
    carts: frozenset[str] = frozenset()
    """The suspended ones among what stood on either."""


class Losses:
    """All losses of a record."""

    def __init__(self, losses: Iterable[Loss]) -> None:
        self._all = list(losses)

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def gone(self) -> set[Key]:
        """Entries that may never come home: only disks of registers held them.

        What a server alone held is excused only when a register had lost it before.
        """
        found: set[Key] = set()
        had: set[Key] = set()
        for loss in self._all:
            if loss.fate in OF_A_REGISTER:
                found |= loss.only
                had |= loss.had.keys()
            else:
                found |= loss.only & had
        return found

    @property
    def lanes(self) -> set[LaneKey]:
        """The lanes of entries that are gone."""
        return {key[:2] for key in self.gone}

    @property
    def claimed(self) -> dict[LaneKey, int]:
        """How long lanes of lost disks were said to be, where it was known when the disk went."""
        found: dict[LaneKey, int] = defaultdict(int)
        for loss in self._all:
            for lane, head in loss.claimed.items():
                found[lane] = max(found[lane], head)
        return dict(found)

    @property
    def written(self) -> dict[Key, Written]:
        """Every entry of every lost disk."""
        return {key: entry for loss in self._all for key, entry in loss.had.items()}

    @property
    def carts(self) -> set[str]:
        """Suspended sales that stood on a disk which went, or came back from an image."""
        return {name for loss in self._all for name in loss.carts}

    @property
    def sales(self) -> set[str]:
        """Sales that stood on a lost disk of a register, or on an image of one."""
        return {name for x in self._all if x.fate in OF_A_REGISTER for name in x.sales}

    def went_again(self, loss: Loss) -> bool:
        """Whether the disk that was put in the place of a lost one was lost, too."""
        return any(x.place == loss.place and x.time_s > loss.time_s for x in self._all)

    def fates(self, register_id: str) -> set[Fate]:
        """What happened to the disks of a register."""
        return {x.fate for x in self._all if x.register_id == register_id}

    def of(self, *fates: Fate) -> list[Loss]:
        """Those of some kinds."""
        return [each for each in self._all if each.fate in fates]

    def repeats(self, register_id: str) -> bool:
        """Whether a sale of the register may have two ends, because two disks had it open."""
        return bool(self.fates(register_id) & {Fate.RESTORED, Fate.CLONED})

    def disturbed(self, place: str) -> bool:
        """Whether what a cashier saw at this place may have gone back."""
        return any(x.place == place for x in self.of(Fate.REINSTALLED, Fate.RESTORED, Fate.CLONED))
