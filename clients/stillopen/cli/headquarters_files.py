"""Headquarters for stores that have no line: packages that leave by file, journals that come so."""

from collections.abc import AsyncGenerator, AsyncIterator

import grpc.aio

from stillopen.rpc.identity import Caller
from stillopen.rpc.status import error_of, send_all
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

FILE_TIMEOUT_S = 3_600.0


class FileQuestions:
    """The part of headquarters that gives and takes files."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def import_journal(
        self, requests: AsyncIterator[headquarters_pb2.ImportJournalRequest]
    ) -> headquarters_pb2.ImportJournalResponse:
        """Brings the journals of a store, part by part; what is there already changes nothing."""
        return await send_all(self._stub.ImportJournal, requests, self._caller, FILE_TIMEOUT_S)

    async def export_package(
        self, store_id: str
    ) -> AsyncGenerator[headquarters_pb2.ExportPackageResponse]:
        """The snapshot that a store's channel would get: what it is, then its bytes."""
        request = headquarters_pb2.ExportPackageRequest(store_id=store_id)
        call = self._stub.ExportPackage(
            request, timeout=FILE_TIMEOUT_S, metadata=self._caller.metadata()
        )
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise error_of(error) from error
        finally:
            call.cancel()
