"""How many entries of each lane are here, and what became of them: counted on the lane's row.

The database keeps the counts itself, so that nobody who writes an entry can forget to; who asks
what is complete reads rows of lanes, never entries. A lane's row is there before its entries.
"""

_LANE = "WHERE register_id = new.register_id AND epoch = new.epoch"

STEP: tuple[str, ...] = (
    "ALTER TABLE lane ADD COLUMN entries INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE lane ADD COLUMN applied INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE lane ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE lane ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE lane ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0",
    # From covering indexes alone: old entries are counted without being read.
    """UPDATE lane SET entries = found.n, applied = found.n
         FROM (SELECT register_id AS r, epoch AS e, count(*) AS n
           FROM entry GROUP BY register_id, epoch) AS found
         WHERE register_id = found.r AND epoch = found.e""",
    """UPDATE lane SET applied = applied - found.waiting - found.bad - found.damaged,
           quarantined = found.bad, damaged = found.damaged
         FROM (SELECT register_id AS r, epoch AS e, sum(state = 'STORED') AS waiting,
             sum(state = 'QUARANTINED') AS bad, sum(state = 'DAMAGED') AS damaged
           FROM (SELECT register_id, epoch, state FROM entry WHERE state = 'STORED'
             UNION ALL SELECT register_id, epoch, state FROM entry
               WHERE state IN ('QUARANTINED', 'DAMAGED'))
           GROUP BY register_id, epoch) AS found
         WHERE register_id = found.r AND epoch = found.e""",
    """UPDATE lane SET conflicts = found.n FROM (SELECT register_id AS r, epoch AS e,
           count(*) AS n FROM entry_conflict GROUP BY register_id, epoch) AS found
         WHERE register_id = found.r AND epoch = found.e""",
    f"""CREATE TRIGGER lane_entry_stored AFTER INSERT ON entry BEGIN
         UPDATE lane SET entries = entries + 1, applied = applied + (new.state = 'APPLIED'),
           quarantined = quarantined + (new.state = 'QUARANTINED'),
           damaged = damaged + (new.state = 'DAMAGED') {_LANE};
       END""",  # noqa: S608 - constants
    f"""CREATE TRIGGER lane_entry_marked AFTER UPDATE OF state ON entry
         WHEN old.state <> new.state BEGIN
         UPDATE lane SET
           applied = applied + (new.state = 'APPLIED') - (old.state = 'APPLIED'),
           quarantined = quarantined + (new.state = 'QUARANTINED') - (old.state = 'QUARANTINED'),
           damaged = damaged + (new.state = 'DAMAGED') - (old.state = 'DAMAGED') {_LANE};
       END""",  # noqa: S608 - constants
    f"""CREATE TRIGGER lane_entry_conflict AFTER INSERT ON entry_conflict BEGIN
         UPDATE lane SET conflicts = conflicts + 1 {_LANE};
       END""",  # noqa: S608 - constants
    """CREATE INDEX lane_open ON lane (register_id, epoch)
         WHERE head <> through OR through <> entries OR entries <> applied OR conflicts <> 0""",
)
"""The statements that make the columns; headquarters' schema includes them after those of lanes."""

OPEN = "(head <> through OR through <> entries OR entries <> applied OR conflicts <> 0)"
"""That something of a lane is not here, or not applied: what the index of open lanes holds."""
