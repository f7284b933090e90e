"""How much there is of everything in an estate at which nobody does anything."""

from dataclasses import dataclass, field
from enum import StrEnum

Sizes = dict[tuple[str, str], int]
"""How much of what is at which place: tasks, calls, files, rows, bytes."""


class Role(StrEnum):
    """What a place is."""

    HEADQUARTERS = "headquarters"
    CHANNEL = "channel"
    REGISTER = "register"


@dataclass(slots=True)
class Weighed:
    """What was there at a quiet moment, and what there was some quiet seconds later."""

    first: Sizes = field(default_factory=Sizes)
    later: Sizes = field(default_factory=Sizes)
    quiet_s: float = 0.0
    roles: dict[str, Role] = field(default_factory=dict[str, Role])
    clients: dict[str, int] = field(default_factory=dict[str, int])
    """How many streams each place serves, those of all who know it."""
