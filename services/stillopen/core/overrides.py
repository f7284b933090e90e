"""What another person allowed in a sale, because the one who was signed in might not."""

from dataclasses import dataclass

from stillopen.core.permissions import Permission


@dataclass(frozen=True, slots=True)
class Override:
    """One permission, for one sale: who allowed it, why and when."""

    permission: Permission
    staff_id: str
    """Who allowed it; never the one who was signed in."""
    reason: str
    wall_s: float
