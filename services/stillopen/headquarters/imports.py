"""Imports of master data: one of a kind at a time, staged as rows come, moved all at once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from stillopen.core.errors import Reason, Refused
from stillopen.headquarters import catalogue_codes, catalogue_products, catalogue_rows
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.staging import Kind, empty, refuse_wrong
from stillopen.replication.news import News
from stillopen.rpc.context import Context
from stillopen.rpc.importing import Refusals, check_rows, check_whole
from stillopen.rpc.shielded import to_its_end
from stillopen.storage.engine import Engine, Session
from stillopen.v1 import types_pb2

STEP: tuple[str, ...] = (*catalogue_products.STEP, *catalogue_codes.STEP, *catalogue_rows.STEP)

Message = TypeVar("Message")
V = TypeVar("V")


class Imports:
    """The imports that run."""

    def __init__(self, engine: Engine, news: News) -> None:
        self._engine = engine
        self._news = news
        self._running: set[str] = set()

    async def run(
        self,
        kind: Kind[V],
        batches: AsyncIterator[Iterable[Message]],
        check: Callable[[Message], V],
        context: Context,
        *,
        check_only: Callable[[], bool],
        doer: Doer,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> types_pb2.ImportReport:
        """Takes a stream of rows; nothing is changed when it breaks off, or is only checked.

        `after` runs whatever becomes of the caller. Refused IMPORT_RUNNING while another of its
        kind is taken.
        """
        with self._alone(kind.name):
            # What a crash, or a stream that broke off, left behind goes first.
            await self._engine.write(lambda session: empty(session, kind))

            async def put(rows: list[tuple[int, V]]) -> None:
                await self._engine.write(lambda session: kind.put(session, rows))

            try:
                refusals = await check_rows(batches, check, put)
                await check_whole(context)
            except BaseException:
                await to_its_end(self._engine.write(lambda session: empty(session, kind)))
                raise

            async def end() -> types_pb2.ImportReport:
                report = await self._end(kind, refusals, doer, check_only=check_only())
                if after is not None:
                    await after()
                return report

            return await to_its_end(end())

    async def _end(
        self, kind: Kind[V], refusals: Refusals, doer: Doer, *, check_only: bool
    ) -> types_pb2.ImportReport:
        def end(session: Session) -> tuple[Refusals, int]:
            wrong = refuse_wrong(session, kind)
            [(accepted,)] = session.all(f"SELECT count(*) FROM {kind.staged}")  # noqa: S608
            if accepted and not check_only:
                for subject, detail in session.all(kind.audited) if kind.audited else ():
                    doer.note(session, "IMPORT", subject, detail)
                kind.move(session)
            empty(session, kind)
            return wrong, accepted

        wrong, accepted = await self._engine.write(end)
        refusals.add(wrong.count, wrong.first)
        if accepted and not check_only:
            self._news.tell()
        return refusals.report(accepted)

    @contextmanager
    def _alone(self, kind: str) -> Generator[None]:
        if kind in self._running:
            raise Refused(Reason.IMPORT_RUNNING, f"another import of {kind} is running")
        self._running.add(kind)
        try:
            yield
        finally:
            self._running.discard(kind)
