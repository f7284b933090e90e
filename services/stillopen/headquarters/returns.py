"""Sales by their receipts, and lines of which more was returned than sold."""

from stillopen.replication import returned
from stillopen.replication.received import ReceivedSales
from stillopen.rpc.paging import bytes_token, page_limit
from stillopen.rpc.wire_returned import returned_to
from stillopen.v1 import headquarters_pb2

PAGE_DEFAULT, PAGE_MAX = 50, 500


async def transaction(
    received: ReceivedSales, request: headquarters_pb2.HeadquartersServiceGetTransactionRequest
) -> headquarters_pb2.HeadquartersServiceGetTransactionResponse:
    """A sale, and what of it was returned in any store; Refused SALE_UNKNOWN."""
    found = await received.find(request.transaction_id, request.receipt_number)
    return headquarters_pb2.HeadquartersServiceGetTransactionResponse(
        sale=found.sale, returned=returned_to(found.backs)
    )


async def over_returns(
    received: ReceivedSales, request: headquarters_pb2.ListOverReturnsRequest
) -> headquarters_pb2.ListOverReturnsResponse:
    """A page of the lines of which more was returned than sold."""
    limit = page_limit(request.page_size, PAGE_DEFAULT, PAGE_MAX)
    sale, _, line = bytes_token(request.page_token).decode(errors="replace").partition("\n")
    found = await received.inbox.engine.read(
        lambda session: returned.over_returns(session, (sale, line), limit)
    )
    token = f"{found[-1].transaction_id}\n{found[-1].line_id}" if len(found) == limit else ""
    return headquarters_pb2.ListOverReturnsResponse(
        over_returns=[_to(each) for each in found], next_page_token=token.encode().hex()
    )


def _to(each: returned.OverReturn) -> headquarters_pb2.OverReturn:
    [line] = returned_to(each.backs)
    return headquarters_pb2.OverReturn(
        transaction_id=each.transaction_id,
        receipt_number=each.receipt_number,
        line=line,
        sold_milli=each.sold_milli,
    )
