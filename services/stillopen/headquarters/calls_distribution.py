"""Distribution: schedules, runs, replicas and download sessions."""

from collections.abc import AsyncIterator
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.core.errors import invalid
from stillopen.core.permissions import Permission
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.distribution import Distribution
from stillopen.headquarters.distribution_replicas import (
    Place,
    place_from,
    place_token,
    replicas,
    sessions,
)
from stillopen.headquarters.distribution_runs import Run, list_runs
from stillopen.headquarters.distribution_schedules import (
    Schedule,
    check_schedule,
    list_schedules,
)
from stillopen.headquarters.office import Office
from stillopen.rpc.context import Context
from stillopen.rpc.paging import number_token, page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers, streams
from stillopen.rpc.wire import duration_from, duration_to, time_to
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

PAGE_DEFAULT, PAGE_MAX = 50, 1_000
BLOCK_BYTES = 256 * 1024


class DistributionCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """What carries master data to stores, and how far it came."""

    _office: Office

    def _doer(self, context: Context) -> Doer:
        person = self._office.gate.person(context, Permission.DISTRIBUTION)
        return self._office.doer(person)

    @answers
    async def UpdateDistributionSchedule(
        self, request: headquarters_pb2.UpdateDistributionScheduleRequest, context: Context
    ) -> headquarters_pb2.UpdateDistributionScheduleResponse:
        """Adds or changes a schedule."""
        doer = self._doer(context)
        wanted = check_schedule(schedule_from(request.schedule))
        put = await to_its_end(self._office.distribution.put_schedule(wanted, doer))
        return headquarters_pb2.UpdateDistributionScheduleResponse(schedule=schedule_to(put))

    @answers
    async def ListDistributionSchedules(
        self,
        request: headquarters_pb2.ListDistributionSchedulesRequest,  # noqa: ARG002
        context: Context,
    ) -> headquarters_pb2.ListDistributionSchedulesResponse:
        """Lists schedules by name."""
        self._office.gate.person(context, Permission.VIEW)
        found = await self._office.distribution.engine.read(list_schedules)
        return headquarters_pb2.ListDistributionSchedulesResponse(
            schedules=[schedule_to(each) for each in found]
        )

    @answers
    async def RemoveDistributionSchedule(
        self, request: headquarters_pb2.RemoveDistributionScheduleRequest, context: Context
    ) -> headquarters_pb2.RemoveDistributionScheduleResponse:
        """Removes a schedule."""
        doer = self._doer(context)
        await to_its_end(self._office.distribution.remove_schedule(request.name, doer))
        return headquarters_pb2.RemoveDistributionScheduleResponse()

    @answers
    async def RunDistributionSchedule(
        self, request: headquarters_pb2.RunDistributionScheduleRequest, context: Context
    ) -> headquarters_pb2.RunDistributionScheduleResponse:
        """Runs a schedule now."""
        self._office.gate.person(context, Permission.DISTRIBUTION)
        runs = await to_its_end(self._office.distribution.run_schedule(request.name))
        return headquarters_pb2.RunDistributionScheduleResponse(runs=[run_to(run) for run in runs])

    @answers
    async def ListDistributionRuns(
        self, request: headquarters_pb2.ListDistributionRunsRequest, context: Context
    ) -> headquarters_pb2.ListDistributionRunsResponse:
        """Lists runs, the newest first."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        before = number_token(request.page_token)
        found = await self._office.distribution.engine.read(
            lambda session: list_runs(session, request.group_id, before, limit + 1)
        )
        return headquarters_pb2.ListDistributionRunsResponse(
            runs=[run_to(run) for run in found[:limit]],
            next_page_token=str(found[limit - 1].run_id) if len(found) > limit else "",
        )

    @answers
    async def ListReplicas(
        self, request: headquarters_pb2.ListReplicasRequest, context: Context
    ) -> headquarters_pb2.ListReplicasResponse:
        """Lists what each channel and register has, and lacks."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        after = place_from(request.page_token)
        sending = self._office.distribution.heard.sending

        def read(session: Session) -> list[headquarters_pb2.Replica]:
            found = replicas(session, after, request.group_id, sending)
            wanted = (each for each in found if each.behind or not request.only_behind)
            return list(islice(wanted, limit + 1))

        found = await self._office.distribution.engine.read(read)
        more = len(found) > limit
        return headquarters_pb2.ListReplicasResponse(
            replicas=found[:limit],
            next_page_token=place_token(_place(found[limit - 1])) if more else "",
        )

    @answers
    async def ListDownloadSessions(
        self, request: headquarters_pb2.ListDownloadSessionsRequest, context: Context
    ) -> headquarters_pb2.ListDownloadSessionsResponse:
        """Lists packages and replicas, the newest package first."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        after = _session_from(request.page_token)
        sending = self._office.distribution.heard.sending

        def read(session: Session) -> list[headquarters_pb2.DownloadSession]:
            found = sessions(session, after, request.store_id, sending)
            return [
                headquarters_pb2.DownloadSession(
                    store_id=replica.store_id,
                    register_id=replica.register_id,
                    run=run_to(run),
                    state=state,
                    message=run.failure or (replica.message if state == replica.state else ""),
                )
                for run, replica, state in islice(found, limit + 1)
            ]

        found = await self._office.distribution.engine.read(read)
        more = len(found) > limit
        return headquarters_pb2.ListDownloadSessionsResponse(
            sessions=found[:limit],
            next_page_token=_session_token(found[limit - 1]) if more else "",
        )

    @streams
    async def ExportPackage(
        self, request: headquarters_pb2.ExportPackageRequest, context: Context
    ) -> AsyncIterator[headquarters_pb2.ExportPackageResponse]:
        """Streams the snapshot with everything that a store's channel is to have."""
        doer = self._doer(context)
        distribution = self._office.distribution
        package = await to_its_end(distribution.export(request.store_id))
        await self._office.engine.write(
            lambda session: doer.note(session, "EXPORT_PACKAGE", request.store_id, package.name)
        )
        yield headquarters_pb2.ExportPackageResponse(
            file=headquarters_pb2.PackageFile(
                name=package.name, size=package.size, digest=package.cursor.digest
            )
        )
        for offset in range(0, package.size, BLOCK_BYTES):
            data = await distribution.block(package, offset, BLOCK_BYTES)
            yield headquarters_pb2.ExportPackageResponse(data=data)


async def run_jobs(
    distribution: Distribution, jobs: list[int]
) -> list[headquarters_pb2.DistributionRun]:
    """Runs jobs for every channel group now."""
    return [run_to(run) for run in await distribution.run_jobs(jobs)]


def run_to(run: Run) -> headquarters_pb2.DistributionRun:
    """A run as a message."""
    return headquarters_pb2.DistributionRun(
        run_id=run.run_id,
        schedule=run.schedule,
        jobs=run.jobs,
        group_id=run.group_id,
        begin_time=time_to(run.begin_wall_s),
        duration=duration_to(run.duration_s),
        sequence=run.sequence,
        changed=run.changed,
        removed=run.removed,
        size=run.size,
        failure=run.failure,
    )


def schedule_to(schedule: Schedule) -> headquarters_pb2.DistributionSchedule:
    """A schedule as a message."""
    return headquarters_pb2.DistributionSchedule(
        name=schedule.name,
        jobs=schedule.jobs,
        group_ids=schedule.group_ids,
        on_change=schedule.on_change,
        every=duration_to(schedule.every_s),
        paused=schedule.paused,
        last_run_time=_moment(schedule.last_run_wall_s),
    )


def schedule_from(message: headquarters_pb2.DistributionSchedule) -> Schedule:
    """A schedule from a message."""
    return Schedule(
        message.name,
        tuple(sorted(set(message.jobs))),
        tuple(sorted(set(message.group_ids))),
        message.on_change,
        duration_from(message.every),
        message.paused,
    )


def _moment(wall_s: float) -> Timestamp | None:
    return time_to(wall_s) if wall_s else None


def _place(replica: headquarters_pb2.Replica) -> Place:
    return replica.store_id, replica.register_id


def _session_token(last: headquarters_pb2.DownloadSession) -> str:
    return f"{last.run.run_id}\n{place_token((last.store_id, last.register_id))}"


def _session_from(token: str) -> tuple[int, Place]:
    if not token:
        return 0, ("", "")
    run_id, line, place = token.partition("\n")
    if not line:
        raise invalid("page_token", "not a token of this list")
    return number_token(run_id), place_from(place)
