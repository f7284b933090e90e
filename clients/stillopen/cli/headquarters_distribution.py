"""Questions to headquarters on distribution: schedules, runs, and what replicas have."""

import asyncio
from collections.abc import AsyncIterator

from stillopen.core.errors import Reason, Unreachable
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

TIMEOUT_S = 10.0
RUN_TIMEOUT_S = 600.0
"""A run may have to build a snapshot of everything."""
ASK_AGAIN_S = 0.05
PAGE = 1_000
DEFAULT_SCHEDULE = "default"


class DistributionQuestions:
    """The part of headquarters that carries master data to stores."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def schedules(self) -> list[headquarters_pb2.DistributionSchedule]:
        """Every schedule by name."""
        request = headquarters_pb2.ListDistributionSchedulesRequest()
        answer = await call(self._stub.ListDistributionSchedules, request, self._caller, TIMEOUT_S)
        return list(answer.schedules)

    async def set_schedule(
        self, schedule: headquarters_pb2.DistributionSchedule
    ) -> headquarters_pb2.DistributionSchedule:
        """Adds or changes a schedule."""
        request = headquarters_pb2.UpdateDistributionScheduleRequest(schedule=schedule)
        answer = await call(self._stub.UpdateDistributionSchedule, request, self._caller, TIMEOUT_S)
        return answer.schedule

    async def remove_schedule(self, name: str) -> None:
        """Removes a schedule."""
        request = headquarters_pb2.RemoveDistributionScheduleRequest(name=name)
        await call(self._stub.RemoveDistributionSchedule, request, self._caller, TIMEOUT_S)

    async def run_schedule(
        self, name: str = DEFAULT_SCHEDULE
    ) -> list[headquarters_pb2.DistributionRun]:
        """Runs a schedule now; the runs that made a package."""
        request = headquarters_pb2.RunDistributionScheduleRequest(name=name)
        answer = await call(
            self._stub.RunDistributionSchedule, request, self._caller, RUN_TIMEOUT_S
        )
        return list(answer.runs)

    async def runs(self, group_id: str = "") -> AsyncIterator[headquarters_pb2.DistributionRun]:
        """The runs, the newest first."""
        request = headquarters_pb2.ListDistributionRunsRequest(group_id=group_id, page_size=PAGE)
        while True:
            answer = await call(self._stub.ListDistributionRuns, request, self._caller, TIMEOUT_S)
            for run in answer.runs:
                yield run
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def replicas(
        self, group_id: str = "", *, only_behind: bool = False
    ) -> AsyncIterator[headquarters_pb2.Replica]:
        """What each channel and register has, and lacks."""
        request = headquarters_pb2.ListReplicasRequest(
            group_id=group_id, only_behind=only_behind, page_size=PAGE
        )
        while True:
            answer = await call(self._stub.ListReplicas, request, self._caller, TIMEOUT_S)
            for replica in answer.replicas:
                yield replica
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def downloads(
        self, store_id: str = ""
    ) -> AsyncIterator[headquarters_pb2.DownloadSession]:
        """Packages and replicas, the newest package first."""
        request = headquarters_pb2.ListDownloadSessionsRequest(store_id=store_id, page_size=PAGE)
        while True:
            answer = await call(self._stub.ListDownloadSessions, request, self._caller, TIMEOUT_S)
            for session in answer.sessions:
                yield session
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def until_shown(self, store_id: str, timeout_s: float) -> int:
        """Carries everything to a store now and waits for its channel; the sequence it shows."""
        await self.run_schedule()
        try:
            async with asyncio.timeout(timeout_s):
                while not (shown := await self._shown(store_id)):
                    await asyncio.sleep(ASK_AGAIN_S)
        except TimeoutError:
            raise Unreachable(
                Reason.TIMED_OUT, f"the channel of {store_id} does not show everything yet"
            ) from None
        return shown

    async def _shown(self, store_id: str) -> int:
        async for replica in self.replicas():
            if replica.store_id == store_id and not replica.register_id:
                return 0 if replica.behind else replica.sequence
        return 0
