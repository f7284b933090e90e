"""SyncService: the shell around the server's half of a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable

from stillopen.core.errors import Reason, Refused, Unreachable
from stillopen.core.turns import Turns
from stillopen.replication.frames import BATCH_ENTRIES_MAX
from stillopen.replication.ports import JournalSink, PackageSource
from stillopen.replication.reports import ReportSink
from stillopen.replication.server_half import ServerHalf
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller, CallerKind, Gate, said_caller
from stillopen.rpc.status import streams
from stillopen.sync.admission import Admission
from stillopen.sync.moved import Watch
from stillopen.sync.session import Session
from stillopen.sync.unread import Unread
from stillopen.v1 import sync_pb2, sync_pb2_grpc

SERVICE = "stillopen.v1.SyncService"


class SyncServicer(sync_pb2_grpc.SyncServiceServicer):
    """Streams of registers or channels. `heartbeat_s` is read when a stream begins."""

    def __init__(
        self,
        journals: JournalSink,
        packages: PackageSource,
        reports: ReportSink,
        heartbeat_s: Callable[[], float],
        gate: Gate,
        *kinds: CallerKind,
        batch_entries: Callable[[], int] = lambda: BATCH_ENTRIES_MAX,
        admission: Admission | None = None,
    ) -> None:
        self._admission = admission or Admission()
        self._batch_entries = batch_entries
        self._gate = gate
        self._journals = journals
        self._packages = packages
        self._reports = reports
        self._heartbeat_s = heartbeat_s
        self._kinds = kinds
        self._streams: dict[Caller, asyncio.Task[None]] = {}
        self._sessions: dict[str, Session] = {}
        """The newest of each name."""
        self._turns = Turns()
        self._watch = Watch(journals)

    @streams
    async def Sync(
        self, request_iterator: AsyncIterator[sync_pb2.SyncRequest], context: Context
    ) -> AsyncIterator[sync_pb2.SyncResponse]:
        """Serves one stream; an older one of the same caller is closed."""
        said = said_caller(context)
        caller = self._gate.check(said, *self._kinds, retired=True)
        session = self._sessions[caller.name] = self._session(caller, said)
        if older := self._streams.get(caller):
            older.cancel()
        unread = Unread(context)
        task = asyncio.create_task(session.run(request_iterator), name=f"stream of {caller.name}")
        self._admission.streams += 1
        self._watch.begin(session.moved)
        task.add_done_callback(lambda _: self._ended(caller, task, session))
        task.add_done_callback(unread.ended)
        self._streams[caller] = task
        try:
            while not task.done():
                version = session.wake.version
                while (frame := session.take()) is not None:
                    yield frame
                await session.wake.after(version)
            if task.cancelled():
                raise Refused(Reason.STREAM_REPLACED, "a newer stream of this caller was opened")
            task.result()
        finally:
            task.cancel()
            unread.close()

    def _ended(self, caller: Caller, task: asyncio.Task[None], session: Session) -> None:
        """Lets go of a stream at once, also of one whose last answers nobody reads."""
        self._admission.streams -= 1
        self._watch.end(session.moved)
        if self._streams.get(caller) is task:
            del self._streams[caller]
        if self._sessions.get(caller.name) is session:
            del self._sessions[caller.name]
        session.end()

    def _session(self, caller: Caller, said: Caller) -> Session:
        owner = caller.name if caller.kind is CallerKind.REGISTER else ""
        return Session(
            ServerHalf(owner, self._heartbeat_s(), self._batch_entries()),
            self._journals,
            self._packages,
            self._reports,
            caller.name,
            self._turns,
            self._admission,
            lambda: self._gate.check(said, *self._kinds, retired=True),
        )

    async def ask(self, name: str, asked: sync_pb2.DigestsAsked) -> sync_pb2.Digests:
        """Asks the replica of a caller what ranges of a table come to.

        Unreachable when it has no stream, the stream ends, or no answer comes in a minute.
        """
        session = self._sessions.get(name)
        if session is None:
            raise Unreachable(Reason.UNREACHABLE, f"{name} is not connected")
        return await session.questions.ask(asked)
