"""What HeadquartersService works with."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from stillopen.headquarters.activation import Activations
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.catalogue import Catalogue
from stillopen.headquarters.credentials import Credentials
from stillopen.headquarters.distribution import Distribution
from stillopen.headquarters.parameters import PostingParameters
from stillopen.headquarters.periods import Periods
from stillopen.headquarters.profiles import OfflineProfiles
from stillopen.headquarters.reception import Reception
from stillopen.headquarters.standing import Standings
from stillopen.replication.news import News
from stillopen.replication.received import ReceivedSales
from stillopen.rpc.identity import Caller, Gate
from stillopen.storage.beside import Beside
from stillopen.storage.engine import Engine
from stillopen.v1 import headquarters_pb2, realtime_pb2_grpc, sync_pb2

Ask = Callable[[str, sync_pb2.DigestsAsked], Awaitable[sync_pb2.Digests]]
RunJobs = Callable[[list[int]], Coroutine[object, object, list[headquarters_pb2.DistributionRun]]]


@dataclass(frozen=True, slots=True)
class Office:
    """Headquarters' parts, for the calls that need them."""

    engine: Engine
    changed: News
    """Told when a replicated table, or a schedule, is another."""
    posting: PostingParameters
    profiles: OfflineProfiles
    received: ReceivedSales
    periods: Periods
    standings: Standings
    realtime: realtime_pb2_grpc.RealtimeServiceStub
    gate: Gate
    house: Caller
    """Headquarters itself, where it calls RealtimeService."""
    credentials: Credentials
    activations: Activations
    catalogue: Catalogue
    run_jobs: RunJobs
    """Carries jobs to every channel group now."""
    distribution: Distribution
    reception: Reception
    """Where people sign in."""
    beside: Beside
    """Headquarters' own database, for what reads it for long."""
    ask: Ask
    """Asks the replica of a store, by its id, what rows come to; Unreachable without a stream."""

    def doer(self, caller: Caller) -> Doer:
        """The caller, as what it does is audited."""
        return Doer(caller.name, self.received.inbox.wall_s())
