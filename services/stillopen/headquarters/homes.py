"""What has come home of registers, register by register, from the rows of their lanes.

Every register that is set up is one, and every one that a journal is known of.
"""

from dataclasses import dataclass

from stillopen.replication.lane_counts import OPEN
from stillopen.storage.engine import Session

ACTIVE, RETIRED = "ACTIVE", "RETIRED"

LOST = (
    "coalesce((SELECT l.received_head >= lane.through FROM lost_lane l"
    " WHERE l.register_id = lane.register_id AND l.epoch = lane.epoch), 0)"
)
"""Whether a lane was declared lost, and nothing came since."""

_HEARD_OF_ALL = "SELECT register_id, max(contact_wall_s) FROM lane GROUP BY register_id"
_HEARD_OF_ONE = (
    "SELECT register_id, max(contact_wall_s) FROM lane WHERE register_id = ? GROUP BY register_id"
)
_OPEN_LANES = (
    "SELECT register_id, max(0, head - entries), entries - applied - quarantined - damaged,"  # noqa: S608
    f" quarantined + damaged + conflicts FROM lane INDEXED BY lane_open WHERE {OPEN}"
    f" AND NOT {LOST}"
)


@dataclass(slots=True)
class Home:
    """What is known of a register, and what of its journal is not home."""

    register_id: str
    store_id: str = ""
    state: str = ""
    """Empty for one that is known by its journal alone."""
    contact_wall_s: float | None = None
    """When it was last heard; nothing for never."""
    open_lanes: int = 0
    """Lanes of which something is not here or not applied, those declared lost left out."""
    missing: int = 0
    """Entries that it claimed and that are not here."""
    waiting: int = 0
    """Entries that are here and not applied yet."""
    wrong: int = 0
    """Entries in quarantine, damaged or in conflict."""

    @property
    def complete(self) -> bool:
        """Whether everything it claimed is here and applied."""
        return not self.open_lanes

    @property
    def retired(self) -> bool:
        """Whether it only delivers."""
        return self.state == RETIRED


def homes(session: Session, register_id: str = "") -> dict[str, Home]:
    """One register, or all of them, by id."""
    one = " AND register_id = ?" if register_id else ""
    values = (register_id,) if register_id else ()
    found = {
        row[0]: Home(*row)
        for row in session.all(
            f"SELECT register_id, store_id, state FROM register WHERE true{one}",  # noqa: S608
            *values,
        )
    }
    for name, wall_s in session.all(_HEARD_OF_ONE if register_id else _HEARD_OF_ALL, *values):
        found.setdefault(name, Home(name)).contact_wall_s = wall_s
    for name, missing, waiting, wrong in session.all(f"{_OPEN_LANES}{one}", *values):
        home = found[name]
        home.open_lanes += 1
        home.missing += missing
        home.waiting += waiting
        home.wrong += wrong
    return dict(sorted(found.items()))
