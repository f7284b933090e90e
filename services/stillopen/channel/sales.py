"""What clients bring by themselves: a journal entry without a stream, a sale that is set aside."""

from stillopen.core.errors import Misuse, Reason, Refused, invalid
from stillopen.core.ids import check_transaction_id
from stillopen.core.journal import PAYLOAD_BYTES_MAX, Entry, check_intact
from stillopen.core.sale import SaleState
from stillopen.core.suspended import check_cart
from stillopen.replication.inbox import Inbox
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.wire_sale import sale_from
from stillopen.v1 import types_pb2


async def save_entry(inbox: Inbox, entry: Entry, caller: str) -> bool:
    """Stores the entry; whether it was there already.

    Misuse KEY_REUSED when another entry has its key: the first stands, this one is kept beside it.
    """
    if check_intact(entry).lane.register_id != caller:
        raise Misuse(Reason.NOT_ALLOWED, "a caller brings its own journal only", "entry")
    before = await inbox.read(entry.lane, entry.sequence - 1, 1, 1)
    await to_its_end(inbox.receive([entry], []))
    if not before or before[0].sequence != entry.sequence:
        return False
    if before[0].digest != entry.digest:
        raise Misuse(
            Reason.KEY_REUSED, "another entry has this key; it stands, this one is kept beside it"
        )
    return True


def check_handed_over(message: types_pb2.Sale, caller: str) -> None:
    """Refuses what no register would hand over, and what another register suspended."""
    check_transaction_id(message.transaction_id, "sale.transaction_id")
    if message.recalled_from:
        check_transaction_id(message.recalled_from, "sale.recalled_from")
    sale = sale_from(message)
    if sale.state is not SaleState.SUSPENDED:
        raise invalid("sale.state", "must be SUSPENDED")
    if sale.register_id != caller:
        raise Misuse(Reason.NOT_ALLOWED, "a register hands over its own sales only", "sale")
    check_cart(sale)
    if message.ByteSize() > PAYLOAD_BYTES_MAX:
        raise Refused(Reason.SALE_TOO_LARGE, "the sale would not fit a journal entry")
