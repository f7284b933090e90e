"""The set-up as commands see it: stores, registers, profiles, versions, codes and the audit."""

from collections.abc import AsyncIterator

from stillopen.core.parameters import Parameters
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire_parameters import parameters_to
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, types_pb2

TIMEOUT_S = 10.0
RETIRE_TIMEOUT_S = 120.0
"""Retiring ends card locks one by one."""
PAGE = 500


class SetUpQuestions:
    """What `Headquarters` asks about the set-up."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def update_parameters(
        self, wanted: Parameters
    ) -> headquarters_pb2.UpdateParametersResponse:
        """Changes the parameters, and says which locks keep older terms."""
        request = headquarters_pb2.UpdateParametersRequest(parameters=parameters_to(wanted))
        return await call(self._stub.UpdateParameters, request, self._caller, TIMEOUT_S)

    async def parameters_in_force(self) -> types_pb2.Parameters:
        """The parameters, with who made them when."""
        request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
        return (await call(self._stub.GetParameters, request, self._caller, TIMEOUT_S)).parameters

    async def parameter_versions(self) -> AsyncIterator[types_pb2.Parameters]:
        """Every version of the parameters, the newest first."""
        token = ""
        while True:
            request = headquarters_pb2.ListParameterVersionsRequest(
                page_size=PAGE, page_token=token
            )
            page = await call(self._stub.ListParameterVersions, request, self._caller, TIMEOUT_S)
            for each in page.versions:
                yield each
            token = page.next_page_token
            if not token:
                return

    async def reload_parameters(self) -> headquarters_pb2.ReloadParametersResponse:
        """Carries the parameters to every store now."""
        request = headquarters_pb2.ReloadParametersRequest()
        return await call(self._stub.ReloadParameters, request, self._caller, TIMEOUT_S)

    async def profiles(self) -> list[headquarters_pb2.OfflineProfileUse]:
        """Offline profiles by name, with their stores."""
        request = headquarters_pb2.ListOfflineProfilesRequest()
        page = await call(self._stub.ListOfflineProfiles, request, self._caller, TIMEOUT_S)
        return list(page.profiles)

    async def set_group(self, group_id: str, name: str = "") -> headquarters_pb2.ChannelGroup:
        """Adds or changes a channel group."""
        group = headquarters_pb2.ChannelGroup(group_id=group_id, name=name)
        request = headquarters_pb2.UpdateChannelGroupRequest(group=group)
        return (await call(self._stub.UpdateChannelGroup, request, self._caller, TIMEOUT_S)).group

    async def groups(self) -> AsyncIterator[headquarters_pb2.ChannelGroup]:
        """Every channel group by id."""
        token = ""
        while True:
            request = headquarters_pb2.ListChannelGroupsRequest(page_size=PAGE, page_token=token)
            page = await call(self._stub.ListChannelGroups, request, self._caller, TIMEOUT_S)
            for each in page.groups:
                yield each
            token = page.next_page_token
            if not token:
                return

    async def set_store(self, store: headquarters_pb2.Store) -> headquarters_pb2.Store:
        """Adds or changes a store."""
        request = headquarters_pb2.UpdateStoreRequest(store=store)
        return (await call(self._stub.UpdateStore, request, self._caller, TIMEOUT_S)).store

    async def stores(self) -> AsyncIterator[headquarters_pb2.Store]:
        """Every store by id."""
        token = ""
        while True:
            request = headquarters_pb2.ListStoresRequest(page_size=PAGE, page_token=token)
            page = await call(self._stub.ListStores, request, self._caller, TIMEOUT_S)
            for each in page.stores:
                yield each
            token = page.next_page_token
            if not token:
                return

    async def set_register(
        self, register: headquarters_pb2.RegisterRow
    ) -> headquarters_pb2.RegisterRow:
        """Adds or changes a register."""
        request = headquarters_pb2.UpdateRegisterRequest(register=register)
        return (await call(self._stub.UpdateRegister, request, self._caller, TIMEOUT_S)).register

    async def registers(self, store_id: str = "") -> AsyncIterator[headquarters_pb2.RegisterRow]:
        """Every register by id, of one store or of all."""
        token = ""
        while True:
            request = headquarters_pb2.ListRegistersRequest(
                page_size=PAGE, page_token=token, store_id=store_id
            )
            page = await call(self._stub.ListRegisters, request, self._caller, TIMEOUT_S)
            for each in page.registers:
                yield each
            token = page.next_page_token
            if not token:
                return

    async def remove_set_up(self, kind: headquarters_pb2.SetUpKind.ValueType, name: str) -> None:
        """Removes what nothing stands on."""
        request = headquarters_pb2.RemoveSetUpRequest(kind=kind, id=name)
        await call(self._stub.RemoveSetUp, request, self._caller, TIMEOUT_S)

    async def activation_code(
        self, *, register_id: str = "", store_id: str = ""
    ) -> headquarters_pb2.CreateActivationCodeResponse:
        """A one-time code for a register, or for a store's channel."""
        request = headquarters_pb2.CreateActivationCodeRequest(
            register_id=register_id, store_id=store_id
        )
        return await call(self._stub.CreateActivationCode, request, self._caller, TIMEOUT_S)

    async def retire(
        self, register_id: str, reason: str, *, force: bool = False
    ) -> headquarters_pb2.RetireRegisterResponse:
        """Retires a register."""
        request = headquarters_pb2.RetireRegisterRequest(
            register_id=register_id, reason=reason, force=force
        )
        return await call(self._stub.RetireRegister, request, self._caller, RETIRE_TIMEOUT_S)

    async def audit(
        self, subject: str = "", limit: int = PAGE
    ) -> list[headquarters_pb2.AuditEntry]:
        """What people did, the newest first: at most `limit`."""
        found: list[headquarters_pb2.AuditEntry] = []
        token = ""
        while len(found) < limit:
            request = headquarters_pb2.ListAuditRequest(
                page_size=min(PAGE, limit - len(found)), page_token=token, subject=subject
            )
            page = await call(self._stub.ListAudit, request, self._caller, TIMEOUT_S)
            found += page.entries
            token = page.next_page_token
            if not token:
                break
        return found
