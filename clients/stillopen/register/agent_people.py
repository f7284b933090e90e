"""RegisterService: who works at the register, what others allow, and who buys."""

from stillopen.core.errors import invalid
from stillopen.core.ids import check_id, check_transaction_id
from stillopen.register.agent_carts import CartsAgent
from stillopen.rpc.context import Context
from stillopen.rpc.status import answers
from stillopen.rpc.wire import permissions_from, staff_to
from stillopen.rpc.wire_master import customer_to
from stillopen.rpc.wire_sale import sale_to
from stillopen.v1 import register_pb2


class PeopleAgent(CartsAgent):
    """The part of the agent that is about people."""

    @answers
    async def SignIn(
        self, request: register_pb2.RegisterServiceSignInRequest, context: Context
    ) -> register_pb2.RegisterServiceSignInResponse:
        """Signs a person in."""
        del context
        member = await self._register.people.sign_in(request.staff_id, request.password)
        return register_pb2.RegisterServiceSignInResponse(staff=staff_to(member))

    @answers
    async def SignOut(
        self, request: register_pb2.SignOutRequest, context: Context
    ) -> register_pb2.SignOutResponse:
        """Signs the person out."""
        del request, context
        await self._register.people.sign_out()
        return register_pb2.SignOutResponse()

    @answers
    async def Override(
        self, request: register_pb2.OverrideRequest, context: Context
    ) -> register_pb2.OverrideResponse:
        """Lets a sale have what another person may allow."""
        del context
        wanted = permissions_from([request.permission])
        if not wanted:
            raise invalid("permission", "missing, or not one this version knows")
        [permission] = wanted
        word = request.manager
        sale = await self._register.people.override(
            check_transaction_id(request.transaction_id),
            request.version,
            permission,
            check_id(word.staff_id, "manager.staff_id"),
            word.password,
            word.reason,
        )
        return register_pb2.OverrideResponse(sale=sale_to(sale))

    @answers
    async def SetCustomer(
        self, request: register_pb2.SetCustomerRequest, context: Context
    ) -> register_pb2.SetCustomerResponse:
        """Says who buys."""
        del context
        sale = await self._register.customers.set(
            check_transaction_id(request.transaction_id), request.version, request.customer_id
        )
        return register_pb2.SetCustomerResponse(sale=sale_to(sale))

    @answers
    async def SearchCustomers(
        self, request: register_pb2.RegisterServiceSearchCustomersRequest, context: Context
    ) -> register_pb2.RegisterServiceSearchCustomersResponse:
        """Finds customers."""
        del context
        found = await self._register.customers.search(request.query)
        return register_pb2.RegisterServiceSearchCustomersResponse(
            customers=[customer_to(each) for each in found]
        )
