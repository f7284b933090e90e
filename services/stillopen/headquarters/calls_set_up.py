"""Channel groups, stores and registers."""

from collections.abc import Callable

from stillopen.core.errors import invalid
from stillopen.core.permissions import Permission
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.office import Office
from stillopen.headquarters.registers import find_register, list_registers, put_register
from stillopen.headquarters.set_up import list_groups, put_group, removable, remove
from stillopen.headquarters.stores import list_stores, put_store
from stillopen.rpc.context import Context
from stillopen.rpc.paging import page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.storage.engine import Session
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

PAGE_DEFAULT, PAGE_MAX = 50, 1_000


class SetUpCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """Which stores and registers there are."""

    _office: Office

    async def _write(self, context: Context, put: Callable[[Session, Doer], None]) -> None:
        """Does something in the name of the person that calls, and tells what waits for changes."""
        person = self._office.gate.person(context, Permission.SET_UP)
        doer = self._office.doer(person)
        engine = self._office.engine

        async def write() -> None:
            await engine.write(lambda session: put(session, doer))
            self._office.changed.tell()

        await to_its_end(write())

    @answers
    async def UpdateChannelGroup(
        self, request: headquarters_pb2.UpdateChannelGroupRequest, context: Context
    ) -> headquarters_pb2.UpdateChannelGroupResponse:
        """Adds or changes a channel group."""
        wanted = request.group
        await self._write(context, lambda s, doer: put_group(s, wanted.group_id, wanted.name, doer))
        found = await list_groups(self._office.engine, "", 1, wanted.group_id)
        return headquarters_pb2.UpdateChannelGroupResponse(group=found.groups[0])

    @answers
    async def ListChannelGroups(
        self, request: headquarters_pb2.ListChannelGroupsRequest, context: Context
    ) -> headquarters_pb2.ListChannelGroupsResponse:
        """Lists channel groups by id."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        return await list_groups(self._office.engine, request.page_token, limit)

    @answers
    async def UpdateStore(
        self, request: headquarters_pb2.UpdateStoreRequest, context: Context
    ) -> headquarters_pb2.UpdateStoreResponse:
        """Adds or changes a store."""
        wanted = request.store
        await self._write(context, lambda session, doer: put_store(session, wanted, doer))
        found = await self._office.engine.read(
            lambda session: list_stores(session, "", 1, only=wanted.store_id)
        )
        return headquarters_pb2.UpdateStoreResponse(store=found.stores[0])

    @answers
    async def ListStores(
        self, request: headquarters_pb2.ListStoresRequest, context: Context
    ) -> headquarters_pb2.ListStoresResponse:
        """Lists stores by id."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        return await self._office.engine.read(
            lambda session: list_stores(session, request.page_token, limit)
        )

    @answers
    async def UpdateRegister(
        self, request: headquarters_pb2.UpdateRegisterRequest, context: Context
    ) -> headquarters_pb2.UpdateRegisterResponse:
        """Adds or changes a register."""
        wanted = request.register
        await self._write(context, lambda session, doer: put_register(session, wanted, doer))
        return headquarters_pb2.UpdateRegisterResponse(
            register=await self._office.engine.read(
                lambda session: find_register(session, wanted.register_id)
            )
        )

    @answers
    async def ListRegisters(
        self, request: headquarters_pb2.ListRegistersRequest, context: Context
    ) -> headquarters_pb2.ListRegistersResponse:
        """Lists registers by id, of one store or of all."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        return await self._office.engine.read(
            lambda session: list_registers(session, request.page_token, limit, request.store_id)
        )

    @answers
    async def RemoveSetUp(
        self, request: headquarters_pb2.RemoveSetUpRequest, context: Context
    ) -> headquarters_pb2.RemoveSetUpResponse:
        """Removes what nothing stands on."""
        self._office.gate.person(context, Permission.SET_UP)
        if not removable(request.kind):
            raise invalid("kind", "not a kind of set-up")
        kind, key = request.kind, request.id
        await self._write(context, lambda session, doer: remove(session, kind, key, doer))
        return headquarters_pb2.RemoveSetUpResponse()
