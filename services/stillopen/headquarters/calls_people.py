"""People: signing in and out at headquarters, and what roles allow."""

from stillopen.core.errors import invalid
from stillopen.core.permissions import Permission, Role
from stillopen.core.products import StaffMember
from stillopen.headquarters.credentials import SESSION_S
from stillopen.headquarters.office import Office
from stillopen.headquarters.roles import put_role, roles_after
from stillopen.rpc.context import Context
from stillopen.rpc.identity import CallerKind
from stillopen.rpc.paging import page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.rpc.wire import duration_to, permissions_from, permissions_to, staff_to
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, types_pb2

PAGE_DEFAULT, PAGE_MAX = 50, 1_000


class PeopleCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """Who works at headquarters, and what roles allow."""

    _office: Office

    @answers
    async def SignIn(
        self, request: headquarters_pb2.HeadquartersServiceSignInRequest, context: Context
    ) -> headquarters_pb2.HeadquartersServiceSignInResponse:
        """Signs a person in. The one call that needs no credential: the answer holds it."""
        del context
        token, member = await self._office.reception.sign_in(request.staff_id, request.password)
        public = StaffMember(
            member.staff_id, member.name, role_id=member.role_id, permissions=member.permissions
        )
        return headquarters_pb2.HeadquartersServiceSignInResponse(
            token=token, staff=staff_to(public), expires_in=duration_to(SESSION_S)
        )

    @answers
    async def SignOut(
        self,
        request: headquarters_pb2.HeadquartersServiceSignOutRequest,  # noqa: ARG002
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceSignOutResponse:
        """Ends the sign-in of the token that the call carries."""
        caller = self._office.gate.caller(context, CallerKind.PERSON)
        await to_its_end(self._office.credentials.sign_out(caller.secret))
        return headquarters_pb2.HeadquartersServiceSignOutResponse()

    @answers
    async def UpdateRole(
        self, request: headquarters_pb2.UpdateRoleRequest, context: Context
    ) -> headquarters_pb2.UpdateRoleResponse:
        """Adds or changes a role; who is signed in here may do so much or little at once."""
        caller = self._office.gate.person(context, Permission.STAFF)
        role = _role_from(request.role)
        doer = self._office.doer(caller)

        async def put() -> None:
            engine = self._office.engine
            await engine.write(lambda session: put_role(session, role, doer))
            await self._office.credentials.reload_people()
            self._office.changed.tell()

        await to_its_end(put())
        return headquarters_pb2.UpdateRoleResponse(role=_role_to(role))

    @answers
    async def ListRoles(
        self, request: headquarters_pb2.ListRolesRequest, context: Context
    ) -> headquarters_pb2.ListRolesResponse:
        """Lists roles by id."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        roles = await self._office.engine.read(
            lambda session: roles_after(session, request.page_token, limit + 1)
        )
        page = roles[:limit]
        return headquarters_pb2.ListRolesResponse(
            roles=[_role_to(role) for role in page],
            next_page_token=page[-1].role_id if len(roles) > limit else "",
        )


def _role_to(role: Role) -> types_pb2.Role:
    return types_pb2.Role(
        role_id=role.role_id, name=role.name, permissions=permissions_to(role.permissions)
    )


def _role_from(message: types_pb2.Role) -> Role:
    permissions = permissions_from(message.permissions)
    if len(permissions) != len(set(message.permissions)):
        raise invalid("permissions", "one of them is not a permission that this version knows")
    return Role(message.role_id, message.name, permissions)
