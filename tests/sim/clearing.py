"""Somebody at headquarters, after a calamity: declares lost what cannot come, ends what is stuck.

Only what the rules leave to a person is done here, and only after everything else drained.
"""

import asyncio

from tests.sim.history import History
from tests.sim.losses import Losses
from tests.sim.world import OFFICE, TIMEOUT_S, Estate

from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2, realtime_pb2
from stillopen.v1.headquarters_pb2 import GetCompletenessResponse

REASON = "the disk is gone"
WORDS = 3
"""The heartbeats with which registers, and then channels, say how long lanes are."""


def is_home(answer: GetCompletenessResponse, losses: Losses) -> bool:
    """Whether everything is at headquarters but what only lost disks held.

    A lane with something missing must be one of theirs; the checkers look at it entry by entry, and
    at what is in quarantine because a sale ended twice.
    """
    if answer.complete:
        return True
    lanes = losses.lanes
    for lane in answer.lanes:
        is_worked_off = lane.applied + lane.quarantined == lane.stored
        has_all = lane.stored == lane.claimed_head
        if not is_worked_off or not (has_all or (lane.register_id, lane.epoch) in lanes):
            return False
    return True


async def clear_up(estate: Estate, history: History) -> None:
    """Ends the recovery, declares lanes lost, frees cards of lost sales, acknowledges alarms."""
    if not history.losses:
        return
    losses = Losses(history.losses)
    await asyncio.sleep(WORDS * estate.plan.profile.heartbeat_interval_s)
    request = headquarters_pb2.GetCompletenessRequest()
    found = await call(estate.headquarters.GetCompleteness, request, OFFICE, TIMEOUT_S)
    if found.recovering:
        end = headquarters_pb2.EndRecoveryRequest(reason=REASON)
        ended = await call(estate.headquarters.EndRecovery, end, OFFICE, TIMEOUT_S)
        history.given_up += [(each.register_id, each.epoch) for each in ended.given_up]
    for lane in found.lanes:
        key = (lane.register_id, lane.epoch)
        if lane.stored < lane.claimed_head and key in losses.lanes and not lane.declared_lost:
            lost = headquarters_pb2.DeclareLaneLostRequest(
                register_id=lane.register_id, epoch=lane.epoch, reason=REASON
            )
            await call(estate.headquarters.DeclareLaneLost, lost, OFFICE, TIMEOUT_S)
        for alarm in lane.alarms:
            seen = headquarters_pb2.AcknowledgeAlarmRequest(
                register_id=alarm.register_id, epoch=alarm.epoch, kind=alarm.kind, reason=REASON
            )
            await call(estate.headquarters.AcknowledgeAlarm, seen, OFFICE, TIMEOUT_S)
    await _free_cards(estate, history, losses)


async def _free_cards(estate: Estate, history: History, losses: Losses) -> None:
    """Ends the locks of sales that no disk knows any more: no register will."""
    request = realtime_pb2.ListLocksRequest()
    for each in (await call(estate.cards.ListLocks, request, OFFICE, TIMEOUT_S)).locks:
        if each.transaction_id in losses.sales and each.lock.blocks_for.ToTimedelta():
            history.ended_by_hand.add(each.lock.lock_key)
            unlock = realtime_pb2.UnlockCardRequest(
                lock_key=each.lock.lock_key, reason=REASON, force=True
            )
            await call(estate.cards.UnlockCard, unlock, OFFICE, TIMEOUT_S)
