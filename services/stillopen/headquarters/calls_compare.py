"""Comparing: what a channel or a register has, against what headquarters has."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from stillopen.core.errors import invalid
from stillopen.core.permissions import Permission
from stillopen.headquarters.comparison import Difference, Found, Kind, TableComparison
from stillopen.headquarters.distribution_logs import log_for, logs_of
from stillopen.headquarters.distribution_scopes import group_of
from stillopen.headquarters.office import Office
from stillopen.headquarters.set_up import name_unknown
from stillopen.replication.ports import Cursor
from stillopen.replication.tables import TABLES, Table
from stillopen.rpc.context import Context
from stillopen.rpc.status import streams
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

DIFFERENCES_DEFAULT, DIFFERENCES_MAX = 1_000, 10_000
_KINDS = {
    Kind.MISSING: headquarters_pb2.DIFFERENCE_KIND_MISSING,
    Kind.EXTRA: headquarters_pb2.DIFFERENCE_KIND_EXTRA,
    Kind.OTHER: headquarters_pb2.DIFFERENCE_KIND_OTHER,
}
Part = headquarters_pb2.CompareReplicaResponse


@dataclass(frozen=True, slots=True)
class _Compared:
    """A replica that is to be compared."""

    store_id: str
    register_id: str
    group_id: str


class CompareCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """Whether replicas have what headquarters has."""

    _office: Office

    @streams
    async def CompareReplica(
        self, request: headquarters_pb2.CompareReplicaRequest, context: Context
    ) -> AsyncIterator[Part]:
        """Compares the rows of a replica with headquarters' own."""
        self._office.gate.person(context, Permission.VIEW)
        tables = _tables(request.tables)
        most = _differences_max(request)
        replica = await self._office.engine.read(lambda session: _compared(session, request))
        summary = headquarters_pb2.CompareSummary()
        left, at = most, Cursor()
        for table in tables:
            comparison = TableComparison(table, replica.group_id, left)
            async for found in self._compare(comparison, replica):
                yield Part(progress=_progress(table, found))
            at = comparison.at or at
            found = comparison.found
            left -= len(found.named)
            summary.rows += found.rows
            summary.differences += found.differences
            summary.on_their_way += found.on_their_way
            for difference in found.named:
                yield Part(difference=_difference_to(difference))
        logs = await self._office.engine.read(partial(logs_of, group_id=replica.group_id))
        if log := log_for(logs, at.scope.excluded, at.generation):
            summary.newest_sequence = log.end.sequence
            if log.end.generation == at.generation:
                summary.sequence = min(at.sequence, log.end.sequence)
        yield Part(summary=summary)

    async def _compare(
        self, comparison: TableComparison, replica: _Compared
    ) -> AsyncIterator[Found]:
        """Asks and reads until a table is compared, and says after each step how far it is."""
        await self._office.beside.read(comparison.begin)
        yield comparison.found
        while asked := comparison.question():
            asked.register_id = replica.register_id
            answer = await self._office.ask(replica.store_id, asked)
            await self._office.beside.read(partial(comparison.answered, answer=answer))
            yield comparison.found


def _tables(names: Sequence[str]) -> list[Table]:
    known = [table.name for table in TABLES]
    if unknown := [name for name in names if name not in known]:
        raise invalid("tables", f"there is no table {unknown[0][:40]!r}; {', '.join(known)} are")
    return [table for table in TABLES if not names or table.name in names]


def _differences_max(request: headquarters_pb2.CompareReplicaRequest) -> int:
    if not request.HasField("differences_max"):
        return DIFFERENCES_DEFAULT
    if request.differences_max > DIFFERENCES_MAX:
        raise invalid("differences_max", f"at most {DIFFERENCES_MAX}")
    return request.differences_max


def _compared(session: Session, request: headquarters_pb2.CompareReplicaRequest) -> _Compared:
    store_id, register_id = request.store_id, request.register_id
    if session.one("SELECT 1 FROM store WHERE store_id = ?", store_id) is None:
        raise name_unknown("store", store_id, "store_id")
    if register_id and not session.one(
        "SELECT 1 FROM register WHERE register_id = ? AND store_id = ?", register_id, store_id
    ):
        raise name_unknown(f"register of store {store_id}", register_id, "register_id")
    return _Compared(store_id, register_id, group_of(session, store_id))


def _progress(table: Table, found: Found) -> headquarters_pb2.CompareProgress:
    return headquarters_pb2.CompareProgress(
        table=table.name, compared=found.compared, rows=found.rows
    )


def _difference_to(found: Difference) -> headquarters_pb2.RowDifference:
    return headquarters_pb2.RowDifference(
        table=found.table,
        key=found.key,
        kind=_KINDS[found.kind],
        on_its_way=found.on_its_way,
    )
