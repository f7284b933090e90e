"""ChannelDataService: the channel database's answers to registers that are online."""

import asyncio
from dataclasses import replace

from stillopen.channel.activation import Activation
from stillopen.channel.receipts import Receipts
from stillopen.channel.sales import check_handed_over, save_entry
from stillopen.channel.suspended import Claim, SuspendedSales, Word
from stillopen.core.errors import Reason, Refused
from stillopen.core.ids import check_name, check_transaction_id
from stillopen.core.permissions import Permission
from stillopen.replication.received import ReceivedSales
from stillopen.replication.replica import Replica
from stillopen.replication.sign_in import SignIns
from stillopen.rpc.context import Context, peer_host
from stillopen.rpc.identity import CallerKind, Gate
from stillopen.rpc.paging import number_token, page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.rpc.wire import entry_from, product_to, profile_to, staff_to, time_to
from stillopen.rpc.wire_master import customer_to
from stillopen.rpc.wire_parameters import parameters_to
from stillopen.v1 import channel_data_pb2, channel_data_pb2_grpc

SERVICE = "stillopen.v1.ChannelDataService"
PAGE_DEFAULT, PAGE_MAX = 50, 500


class ChannelDataServicer(channel_data_pb2_grpc.ChannelDataServiceServicer):
    """One store's data."""

    def __init__(
        self,
        store_id: str,
        replica: Replica,
        received: ReceivedSales,
        suspended: SuspendedSales,
        receipts: Receipts,
        sign_ins: SignIns,
        gate: Gate,
        activation: Activation,
    ) -> None:
        self._activation = activation
        self._gate = gate
        self._store_id = store_id
        self._replica = replica
        self._received = received
        self._suspended = suspended
        self._receipts = receipts
        self._sign_ins = sign_ins

    @answers
    async def GetChannelConfiguration(
        self,
        request: channel_data_pb2.GetChannelConfigurationRequest,  # noqa: ARG002
        context: Context,
    ) -> channel_data_pb2.GetChannelConfigurationResponse:
        """Says which store this is."""
        caller = self._gate.caller(context)
        register = self._replica.register(caller.name)
        return channel_data_pb2.GetChannelConfigurationResponse(
            store_id=self._store_id,
            offline_profile=profile_to(self._replica.profile),
            catalogue_sequence=self._replica.at.sequence,
            server_time=time_to(self._received.inbox.wall_s()),
            support_offline=register is None or register.takes_packages,
        )

    @answers
    async def GetParameters(
        self,
        request: channel_data_pb2.GetParametersRequest,  # noqa: ARG002
        context: Context,
    ) -> channel_data_pb2.GetParametersResponse:
        """Returns the parameters in force here."""
        self._gate.caller(context)
        return channel_data_pb2.GetParametersResponse(
            parameters=parameters_to(self._replica.parameters)
        )

    @answers
    async def GetProduct(
        self, request: channel_data_pb2.GetProductRequest, context: Context
    ) -> channel_data_pb2.GetProductResponse:
        """Finds one product."""
        self._gate.caller(context)
        sequence = self._replica.at.sequence
        product = await self._replica.product(request.code, self._received.inbox.wall_s())
        return channel_data_pb2.GetProductResponse(
            product=product_to(product), catalogue_sequence=sequence
        )

    @answers
    async def SearchProducts(
        self, request: channel_data_pb2.SearchProductsRequest, context: Context
    ) -> channel_data_pb2.SearchProductsResponse:
        """Finds products."""
        self._gate.caller(context)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        products = await self._replica.search(
            request.query, request.page_token, limit, self._received.inbox.wall_s()
        )
        return channel_data_pb2.SearchProductsResponse(
            products=[product_to(product) for product in products],
            next_page_token=products[-1].product_id if len(products) == limit else "",
        )

    @answers
    async def ActivateRegister(
        self, request: channel_data_pb2.ActivateRegisterRequest, context: Context
    ) -> channel_data_pb2.ActivateRegisterResponse:
        """Makes a register known; whoever has the code is believed."""
        now_s = asyncio.get_running_loop().time()
        return await to_its_end(
            self._activation.register(
                request.activation_code, peer_host(context), now_s, context.time_remaining()
            )
        )

    @answers
    async def GetCustomer(
        self, request: channel_data_pb2.GetCustomerRequest, context: Context
    ) -> channel_data_pb2.GetCustomerResponse:
        """Returns a customer."""
        self._gate.caller(context)
        found = await self._replica.customer(request.customer_id)
        return channel_data_pb2.GetCustomerResponse(customer=customer_to(found))

    @answers
    async def SearchCustomers(
        self, request: channel_data_pb2.SearchCustomersRequest, context: Context
    ) -> channel_data_pb2.SearchCustomersResponse:
        """Finds customers."""
        self._gate.caller(context)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        found = await self._replica.search_customers(request.query, request.page_token, limit)
        return channel_data_pb2.SearchCustomersResponse(
            customers=[customer_to(each) for each in found],
            next_page_token=found[-1].customer_id if len(found) == limit else "",
        )

    @answers
    async def SignIn(
        self, request: channel_data_pb2.SignInRequest, context: Context
    ) -> channel_data_pb2.SignInResponse:
        """Checks a password."""
        self._gate.caller(context, CallerKind.REGISTER)
        if not self._replica.has_staff:
            raise Refused(Reason.NOT_READY, "the channel has no staff yet: wait for its first data")
        member = await self._sign_ins.sign_in(request.staff_id, request.password)
        public = replace(member, password_hash="")
        return channel_data_pb2.SignInResponse(staff=staff_to(public))

    @answers
    async def SaveTransaction(
        self, request: channel_data_pb2.SaveTransactionRequest, context: Context
    ) -> channel_data_pb2.SaveTransactionResponse:
        """Takes one journal entry."""
        caller = self._gate.caller(context, CallerKind.REGISTER)
        repeated = await save_entry(self._received.inbox, entry_from(request.entry), caller.name)
        return channel_data_pb2.SaveTransactionResponse(repeated=repeated)

    @answers
    async def GetTransaction(
        self, request: channel_data_pb2.GetTransactionRequest, context: Context
    ) -> channel_data_pb2.GetTransactionResponse:
        """Returns a sale, and what was returned of it."""
        self._gate.caller(context)
        return await self._receipts.find(request, context.time_remaining())

    @answers
    async def ListTransactions(
        self, request: channel_data_pb2.ListTransactionsRequest, context: Context
    ) -> channel_data_pb2.ListTransactionsResponse:
        """Lists sales, or those that are suspended here and not claimed."""
        self._gate.caller(context)
        limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        after = number_token(request.page_token)
        if request.suspended:
            free, token = await self._suspended.free(after, limit)
            return channel_data_pb2.ListTransactionsResponse(sales=free, next_page_token=token)
        sales, more = await self._received.sales(after, limit)
        return channel_data_pb2.ListTransactionsResponse(
            sales=[each.sale for each in sales],
            next_page_token=str(sales[-1].arrival) if more else "",
        )

    @answers
    async def SuspendTransaction(
        self, request: channel_data_pb2.SuspendTransactionRequest, context: Context
    ) -> channel_data_pb2.SuspendTransactionResponse:
        """Takes over a suspended sale."""
        caller = self._gate.caller(context, CallerKind.REGISTER)
        check_handed_over(request.sale, caller.name)
        await to_its_end(self._suspended.take_over(request.sale))
        return channel_data_pb2.SuspendTransactionResponse()

    @answers
    async def RecallTransaction(
        self, request: channel_data_pb2.RecallTransactionRequest, context: Context
    ) -> channel_data_pb2.RecallTransactionResponse:
        """Claims a suspended sale."""
        caller = self._gate.caller(context, CallerKind.REGISTER)
        claim = Claim(
            check_transaction_id(request.transaction_id),
            check_transaction_id(request.recalling_id, "recalling_id"),
            caller.name,
            check_name(request.staff_id, "staff_id", required=False),
        )
        word = None
        # A repeat of what was granted needs no word again: its answer may have been lost.
        if request.HasField("manager") and not await self._suspended.claims(claim):
            given = request.manager
            reason = check_name(given.reason, "manager.reason")
            manager = await self._sign_ins.authorise(
                given.staff_id, given.password, Permission.END_CLAIM
            )
            word = Word(manager.staff_id, reason)
        sale = await to_its_end(self._suspended.recall(claim, word))
        return channel_data_pb2.RecallTransactionResponse(sale=sale)
