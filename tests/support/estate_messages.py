"""Messages that tests send by hand: locks, sales as journal entries, imports."""

from dataclasses import replace
from typing import TypeVar

import grpc.aio
from tests.support import callers
from tests.support.estate_parts import CURRENCY, GIFT, ME, eur

from stillopen.core.journal import NO_PARENT, Entry, Lane, append
from stillopen.core.money import Money
from stillopen.core.products import Product
from stillopen.core.sale import HeldCard, Sale, add_line, complete
from stillopen.core.tender import add_card, add_cash
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import call
from stillopen.rpc.wire_card import operation_to
from stillopen.rpc.wire_sale import operations_of, sale_to
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc, realtime_pb2, types_pb2

Request = TypeVar("Request")
Response = TypeVar("Response")

R1 = callers.register("R1")
R2 = callers.register("R2")
HEADQUARTERS = callers.HEADQUARTERS
CHANNEL = callers.channel("S1")
LANE = Lane("R1", 0x5EED)
TIMEOUT_S = 10.0


async def ask(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    caller: Caller = R1,
) -> Response:
    """Calls and raises what was refused."""
    return await call(method, request, caller, TIMEOUT_S)


def key_of(number: int) -> bytes:
    """The lock key of that number."""
    return bytes([number]) * 16


def transaction_of(number: int) -> str:
    """The sale id of that number."""
    return f"{number:032x}"


def lock_of(
    number: int = 1, minor: int = 300, card: str = GIFT, sale: int = 0
) -> realtime_pb2.LockCardRequest:
    """A request for a lock; by default each number is another sale's."""
    return realtime_pb2.LockCardRequest(
        lock_key=key_of(number),
        number=card,
        purpose=types_pb2.CARD_PURPOSE_REDEEM,
        currency_code=CURRENCY,
        transaction_id=transaction_of(sale or number),
        line_id="T1",
        amount=eur(minor),
    )


def renew_of(*numbers: int, confirm: bool = False) -> realtime_pb2.RenewLocksRequest:
    """A request to renew locks."""
    return realtime_pb2.RenewLocksRequest(
        lock_keys=[key_of(number) for number in numbers], confirm=confirm
    )


def unlock_of(number: int = 1) -> realtime_pb2.UnlockCardRequest:
    """A request to end a lock."""
    return realtime_pb2.UnlockCardRequest(lock_key=key_of(number))


def sale_of(number: int, card_id: str = "", minor: int = 300, register_id: str = "R1") -> Sale:
    """A completed sale, for cash or for the card locked with the key of that number."""
    apple = Product("APPLE", "Apple", Money(CURRENCY, minor))
    begun = Sale(transaction_of(number), "S1", register_id, "anna", CURRENCY, 1_000.0)
    rung_up = add_line(begun, apple, 1_000, 1)
    amount = Money(CURRENCY, minor)
    if card_id:
        return complete(
            add_card(rung_up, amount, HeldCard(key_of(number), card_id, "0001", amount))
        )
    return complete(add_cash(rung_up, amount))


def settle_of(number: int, card_id: str, minor: int = 300) -> realtime_pb2.SettleTransactionRequest:
    """What headquarters' journal processor sends for such a sale."""
    return realtime_pb2.SettleTransactionRequest(
        position=types_pb2.JournalPosition(register_id="R1", epoch=LANE.epoch, sequence=number),
        transaction_id=transaction_of(number),
        operations=[operation_to(each) for each in operations_of(sale_of(number, card_id, minor))],
    )


def entry_of(sale: Sale, sequence: int = 1, lane: Lane = LANE, parent: bytes = NO_PARENT) -> Entry:
    """The journal entry of a sale."""
    record = types_pb2.JournalRecord(receipt_number=f"no {sequence}", sale=sale_to(sale))
    return append(lane, sequence, parent, record.SerializeToString())


def entries_of(count: int, lane: Lane = LANE) -> list[Entry]:
    """A lane of sales for cash, each entry naming the one before."""
    found: list[Entry] = []
    for number in range(1, count + 1):
        parent = found[-1].digest if found else NO_PARENT
        sale = sale_of(number + lane.epoch * 1_000, register_id=lane.register_id)
        found.append(entry_of(sale, number, lane, parent))
    return found


def damaged(entry: Entry) -> Entry:
    """The same entry with a bit that fell over."""
    return replace(entry, payload=entry.payload[:-1] + bytes([entry.payload[-1] ^ 1]))


async def allow_concluding(
    stub: headquarters_pb2_grpc.HeadquartersServiceStub, *, allowed: bool = True
) -> types_pb2.Parameters:
    """Switches the gift card parameter."""
    seen = await ask(
        stub.GetParameters, headquarters_pb2.HeadquartersServiceGetParametersRequest(), ME
    )
    seen.parameters.gift_card.allow_concluding_offline = allowed
    request = headquarters_pb2.UpdateParametersRequest(parameters=seen.parameters)
    return (await ask(stub.UpdateParameters, request, ME)).parameters
