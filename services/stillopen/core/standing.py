"""How a register stands at headquarters, as cards need to know it at each grant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotHome:
    """A register that may have entries headquarters does not have, and when it was last heard."""

    register_id: str
    contact_wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What headquarters knows of a caller."""

    lane_known: bool
    """Whether headquarters knows a lane of the register, so that its locks may have terms."""
    recovering: str = ""
    """Why no card is locked or confirmed now; empty when headquarters has what it had."""
    not_home: tuple[NotHome, ...] = ()
    """Registers that may have drawn the memo number that was asked for."""
