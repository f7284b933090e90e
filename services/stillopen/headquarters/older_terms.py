"""What a change of parameters does not reach: locks keep the terms they were granted under."""

import asyncio
import logging
from dataclasses import dataclass

from stillopen.core.errors import StillopenError
from stillopen.core.parameters import Parameters
from stillopen.headquarters.processor import TIMEOUT_S
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire import duration_from
from stillopen.rpc.wire_parameters import kind_from
from stillopen.v1 import realtime_pb2, realtime_pb2_grpc

LOG = logging.getLogger("stillopen.headquarters")
LOOK_S = 4.0
"""The change is saved; whoever made it does not wait longer than this for what it leaves."""
PAGES_MAX = 100


@dataclass(frozen=True, slots=True)
class OlderTerms:
    """Open locks that allow more than the parameters in force do."""

    locks: int
    end_within_s: float
    """For how long at most one of them may still be concluded."""


def with_older_terms(locks: list[realtime_pb2.OpenLock], parameters: Parameters) -> OlderTerms:
    """Counts the locks whose terms exceed those that a lock would get now.

    Terms run from before the grant, and headquarters blocks for longer than they run: so what is
    left of them is neither more than they are nor more than what is left of the lock.
    """
    left = [
        min(duration_from(each.lock.conclude_within), duration_from(each.lock.blocks_for))
        for each in locks
        if duration_from(each.lock.conclude_within)
        > parameters.of(kind_from(each.lock.kind)).terms_s
    ]
    still = [seconds for seconds in left if seconds > 0]
    return OlderTerms(len(still), max(still, default=0.0))


async def older_terms(
    realtime: realtime_pb2_grpc.RealtimeServiceStub, house: Caller, parameters: Parameters
) -> OlderTerms | None:
    """Looks through the open locks; nothing when cards do not answer soon."""
    found: list[realtime_pb2.OpenLock] = []
    token = ""
    try:
        async with asyncio.timeout(LOOK_S):
            for _ in range(PAGES_MAX):
                request = realtime_pb2.ListLocksRequest(page_token=token)
                page = await call(realtime.ListLocks, request, house, TIMEOUT_S)
                found += [each for each in page.locks if each.lock.conclude_within.ToSeconds() > 0]
                token = page.next_page_token
                if not token:
                    break
    except (StillopenError, TimeoutError) as error:
        LOG.warning("cards do not say which locks keep older terms: %s", error)
        return None
    return with_older_terms(found, parameters)
