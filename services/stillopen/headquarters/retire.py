"""Retiring a register: it may deliver what it has, and nothing else.

1. Only a register whose lanes are complete is retired, unless a person forces it: then each lane
   that is not is declared lost, with the card locks the register held.
2. Cards are asked before anything is changed; if they cannot be reached nothing is.
3. Its locks end by a person's unlock, once it can take no more of them; a repeat ends what is left.
"""

from stillopen.core.errors import Reason, Refused
from stillopen.core.journal import Lane
from stillopen.core.lanes import epoch_text
from stillopen.headquarters import lanes
from stillopen.headquarters.activation import REGISTER_KIND, void_codes
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.headquarters.completeness import completeness
from stillopen.headquarters.office import Office
from stillopen.headquarters.processor import TIMEOUT_S
from stillopen.headquarters.registers import find_register
from stillopen.replication.tables import REGISTER
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.status import call
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2, realtime_pb2

NAMED_MAX = 10
"""The most lanes that a refusal names."""


async def retire(
    office: Office, register_id: str, person: lanes.Person, *, force: bool
) -> headquarters_pb2.RetireRegisterResponse:
    """Retires a register; Refused NAME_UNKNOWN, and INCOMPLETE without force."""
    engine, inbox = office.engine, office.received.inbox
    await engine.read(lambda session: find_register(session, register_id))
    locks = await lanes.open_locks(office.realtime, register_id, office.house)
    open_lanes = await _incomplete(office, register_id)
    if open_lanes and not force:
        raise Refused(Reason.INCOMPLETE, incomplete_text(register_id, open_lanes), "register_id")
    lost = [
        await lanes.declare_lost(inbox, Lane(register_id, each.epoch), person, locks)
        for each in open_lanes
    ]
    doer = Doer(person.name, inbox.wall_s())

    def put(session: Session) -> headquarters_pb2.RegisterRow:
        if session.run(
            "UPDATE register SET state = 'RETIRED' WHERE register_id = ? AND state <> 'RETIRED'",
            register_id,
        ):
            mark(session, REGISTER, [register_id])
            void_codes(session, REGISTER_KIND, register_id)
            doer.note(session, "RETIRE_REGISTER", register_id, _detail(person.reason, lost, locks))
        return find_register(session, register_id)

    row = await engine.write(put)
    await office.credentials.load()
    office.changed.tell()
    # What it locked between the first look and now is found by a second.
    await _end_locks(
        office, await lanes.open_locks(office.realtime, register_id, office.house), person
    )
    return headquarters_pb2.RetireRegisterResponse(register=row, lost_lanes=lost)


def incomplete_text(register_id: str, open_lanes: list[headquarters_pb2.LaneCompleteness]) -> str:
    """What is missing, for people."""
    named = "; ".join(
        f"lane {epoch_text(lane.epoch)} has {lane.applied} of {lane.claimed_head} entries here and"
        " applied"
        for lane in open_lanes[:NAMED_MAX]
    )
    more = f" and {len(open_lanes) - NAMED_MAX} more" if len(open_lanes) > NAMED_MAX else ""
    return (
        f"register {register_id} owes sales: {named}{more}; let it deliver them, or force it and"
        " its lanes are declared lost"
    )


async def _incomplete(office: Office, register_id: str) -> list[headquarters_pb2.LaneCompleteness]:
    request = headquarters_pb2.GetCompletenessRequest(register_id=register_id)
    found = await completeness(office.received.inbox, request, office.standings.recovering)
    return [] if found.complete else [lane for lane in found.lanes if not is_complete(lane)]


def is_complete(lane: headquarters_pb2.LaneCompleteness) -> bool:
    """Whether everything that the lane claimed is here and applied, or was declared lost."""
    here = lane.claimed_head == lane.stored_through == lane.stored == lane.applied
    return lane.declared_lost or (here and not lane.conflicts)


def _detail(
    reason: str, lost: list[headquarters_pb2.LostLane], locks: list[realtime_pb2.OpenLock]
) -> str:
    parts = [reason]
    parts += [f"lane {epoch_text(each.epoch)} declared lost" for each in lost[:NAMED_MAX]]
    if locks:
        parts.append(f"{len(locks)} card locks to end")
    return "; ".join(parts)


async def _end_locks(
    office: Office, locks: list[realtime_pb2.OpenLock], person: lanes.Person
) -> None:
    """One by one, as a person's unlock; one that was settled or ended meanwhile is done."""
    caller = office.house.acting_for(Caller(CallerKind.PERSON, person.name))
    for each in locks:
        request = realtime_pb2.UnlockCardRequest(
            lock_key=each.lock.lock_key, reason=person.reason, force=True
        )
        try:
            await call(office.realtime.UnlockCard, request, caller, TIMEOUT_S)
        except Refused as error:
            if error.reason is not Reason.LOCK_ENDED:
                raise
