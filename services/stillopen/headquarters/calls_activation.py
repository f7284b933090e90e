"""How stores and registers become known and are retired, and what people did."""

import asyncio

from stillopen.core.activation_code import GOOD_FOR_S
from stillopen.core.errors import invalid
from stillopen.core.ids import check_id
from stillopen.core.permissions import Permission
from stillopen.headquarters.activation import REGISTER_KIND, STORE_KIND
from stillopen.headquarters.audit import list_audit
from stillopen.headquarters.lanes import Person
from stillopen.headquarters.office import Office
from stillopen.headquarters.retire import retire
from stillopen.rpc.context import Context, peer_host
from stillopen.rpc.identity import CallerKind
from stillopen.rpc.paging import page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.rpc.wire import duration_to
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

PAGE_DEFAULT, PAGE_MAX = 50, 1_000


class ActivationCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """From the first code to the last sale."""

    _office: Office

    @answers
    async def CreateActivationCode(
        self, request: headquarters_pb2.CreateActivationCodeRequest, context: Context
    ) -> headquarters_pb2.CreateActivationCodeResponse:
        """Gives out a one-time code."""
        person = self._office.gate.person(context, Permission.SET_UP)
        if bool(request.register_id) == bool(request.store_id):
            raise invalid("register_id", "name a register or a store, one of them")
        kind = REGISTER_KIND if request.register_id else STORE_KIND
        subject = check_id(request.register_id or request.store_id, f"{kind}_id")
        doer = self._office.doer(person)
        code = await to_its_end(self._office.activations.give_out(kind, subject, doer))
        return headquarters_pb2.CreateActivationCodeResponse(
            activation_code=code, expires_in=duration_to(GOOD_FOR_S)
        )

    @answers
    async def ActivateChannel(
        self, request: headquarters_pb2.ActivateChannelRequest, context: Context
    ) -> headquarters_pb2.ActivateChannelResponse:
        """Makes a store's channel known; whoever has the code is believed."""
        store_id, secret = await to_its_end(
            self._office.activations.channel(
                request.activation_code,
                peer_host(context),
                asyncio.get_running_loop().time(),
                self._office.received.inbox.wall_s(),
            )
        )
        return headquarters_pb2.ActivateChannelResponse(store_id=store_id, secret=secret)

    @answers
    async def ActivateRegister(
        self,
        request: headquarters_pb2.HeadquartersServiceActivateRegisterRequest,
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceActivateRegisterResponse:
        """Makes a register known, of the store of the channel that asks."""
        channel = self._office.gate.caller(context, CallerKind.CHANNEL)
        register_id, secret, version = await to_its_end(
            self._office.activations.register(
                request.activation_code,
                channel.name,
                asyncio.get_running_loop().time(),
                self._office.received.inbox.wall_s(),
            )
        )
        return headquarters_pb2.HeadquartersServiceActivateRegisterResponse(
            register_id=register_id, secret=secret, credential_version=version
        )

    @answers
    async def RetireRegister(
        self, request: headquarters_pb2.RetireRegisterRequest, context: Context
    ) -> headquarters_pb2.RetireRegisterResponse:
        """Retires a register."""
        name = self._office.gate.person(context, Permission.SET_UP).name
        person = Person(name, request.reason)
        register_id = check_id(request.register_id, "register_id")
        return await to_its_end(retire(self._office, register_id, person, force=request.force))

    @answers
    async def ListAudit(
        self, request: headquarters_pb2.ListAuditRequest, context: Context
    ) -> headquarters_pb2.ListAuditResponse:
        """Lists what people did, the newest first."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        engine = self._office.engine
        return await list_audit(engine, request.subject, request.page_token, limit)
