"""Questions to headquarters on whether replicas have what it has."""

from collections.abc import AsyncIterator, Sequence

import grpc.aio

from stillopen.rpc.identity import Caller
from stillopen.rpc.status import error_of
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

COMPARE_TIMEOUT_S = 3_600.0
"""Many rows may differ, and each of them is looked at."""


class CompareQuestions:
    """The part of headquarters that compares replicas."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def compare(
        self,
        store_id: str,
        register_id: str = "",
        tables: Sequence[str] = (),
        differences_max: int | None = None,
    ) -> AsyncIterator[headquarters_pb2.CompareReplicaResponse]:
        """How far a comparison is, the rows that differ, and what was found, as it comes."""
        request = headquarters_pb2.CompareReplicaRequest(
            store_id=store_id,
            register_id=register_id,
            tables=tables,
            differences_max=differences_max,
        )
        found = self._stub.CompareReplica(
            request, timeout=COMPARE_TIMEOUT_S, metadata=self._caller.metadata()
        )
        try:
            async for part in found:
                yield part
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from error
