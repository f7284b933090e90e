"""People as commands see them: signing out, and what roles allow."""

from collections.abc import AsyncIterator

from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, types_pb2

TIMEOUT_S = 10.0
PAGE = 500


class PeopleQuestions:
    """What `Headquarters` asks about people."""

    _stub: headquarters_pb2_grpc.HeadquartersServiceStub
    _caller: Caller

    async def sign_out(self) -> None:
        """Ends the sign-in that the calls carry."""
        request = headquarters_pb2.HeadquartersServiceSignOutRequest()
        await call(self._stub.SignOut, request, self._caller, TIMEOUT_S)

    async def set_role(self, role: types_pb2.Role) -> types_pb2.Role:
        """Adds or changes a role."""
        request = headquarters_pb2.UpdateRoleRequest(role=role)
        return (await call(self._stub.UpdateRole, request, self._caller, TIMEOUT_S)).role

    async def roles(self) -> AsyncIterator[types_pb2.Role]:
        """Every role, by id."""
        token = ""
        while True:
            request = headquarters_pb2.ListRolesRequest(page_size=PAGE, page_token=token)
            page = await call(self._stub.ListRoles, request, self._caller, TIMEOUT_S)
            for each in page.roles:
                yield each
            token = page.next_page_token
            if not token:
                return
