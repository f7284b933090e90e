"""What no honest caller sends: every service refuses it, says why, and is as it was."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
import grpc.aio
import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import ask, entry_of, lock_of, renew_of, sale_of, unlock_of
from tests.support.estate_parts import GIFT, ME, eur
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.rpc.status import error_of
from stillopen.rpc.wire import entry_to
from stillopen.v1 import channel_data_pb2, headquarters_pb2, realtime_pb2, register_pb2, types_pb2

Request = TypeVar("Request")
Response = TypeVar("Response")
TOO_LARGE = 5 * 2**20
USD = types_pb2.Money(currency_code="USD", minor_units=100)


# Who calls

NOBODIES: dict[str, tuple[tuple[str, str], ...]] = {
    "nothing": (),
    "no kind": (("stillopen-caller", "R1"),),
    "another kind": (("stillopen-caller", "manager:R1"),),
    "no name": (("stillopen-caller", "register:"),),
    "the wrong key": (("caller", "register:R1"),),
}


async def reason_of(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    metadata: tuple[tuple[str, str], ...],
) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(request, metadata=metadata, timeout=10)
    return error_of(caught.value).reason


@pytest.mark.parametrize("metadata", NOBODIES.values(), ids=NOBODIES.keys())
async def test_a_call_that_does_not_say_who_calls_is_refused(
    estate: Estate, metadata: tuple[tuple[str, str], ...]
) -> None:
    before = await estate.picture()
    balance = realtime_pb2.GetCardBalanceRequest(number=GIFT)
    saved = channel_data_pb2.SaveTransactionRequest(entry=entry_to(entry_of(sale_of(1))))
    people, data = estate.people_stub, estate.data
    reasons = [
        await reason_of(estate.cards.LockCard, lock_of(1), metadata),
        await reason_of(estate.cards.UnlockCard, unlock_of(1), metadata),
        await reason_of(estate.cards.RenewLocks, renew_of(1), metadata),
        await reason_of(estate.cards.GetCardBalance, balance, metadata),
        await reason_of(
            estate.cards.SettleTransaction, realtime_pb2.SettleTransactionRequest(), metadata
        ),
        await reason_of(estate.cards.ListLocks, realtime_pb2.ListLocksRequest(), metadata),
        await reason_of(estate.relay.LockCard, lock_of(1), metadata),
        await reason_of(estate.relay.GetCardBalance, balance, metadata),
        await reason_of(data.GetProduct, channel_data_pb2.GetProductRequest(), metadata),
        await reason_of(data.SaveTransaction, saved, metadata),
        await reason_of(
            people.UpdateParameters, headquarters_pb2.UpdateParametersRequest(), metadata
        ),
        await reason_of(
            people.GetCompleteness, headquarters_pb2.GetCompletenessRequest(), metadata
        ),
    ]
    assert reasons == [Reason.CALLER_UNKNOWN] * len(reasons)
    assert await estate.picture() == before


async def test_a_caller_whose_name_is_too_long_is_refused(estate: Estate) -> None:
    metadata = (("stillopen-caller", "register:" + "R" * 41),)
    balance = realtime_pb2.GetCardBalanceRequest(number=GIFT)
    reason = await reason_of(estate.cards.GetCardBalance, balance, metadata)
    assert reason is Reason.INVALID_ARGUMENT


# Bytes


async def send_bytes(address: str, method: str, data: bytes) -> Reason:
    """Sends these bytes with no limit of our own, and says why they were refused."""
    options = (("grpc.max_send_message_length", -1),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:  # noqa: TID251
        sender: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            f"/stillopen.v1.{method}"
        )
        return await reason_of(sender, data, ME.metadata())


METHODS = [
    ("headquarters", "HeadquartersService/UpdateParameters"),
    ("headquarters", "RealtimeService/LockCard"),
    ("channel", "RealtimeService/LockCard"),
    ("channel", "ChannelDataService/SaveTransaction"),
    ("register", "RegisterService/AddLine"),
]


def address_of(estate: Estate, place: str) -> str:
    if place == "register":
        return estate.registers["R1"].address
    return estate.channel.address if place == "channel" else estate.headquarters.address


@pytest.mark.parametrize(("place", "method"), METHODS)
async def test_a_message_that_is_too_large_is_refused(
    estate: Estate, till: Till, place: str, method: str
) -> None:
    await till.rung_up()
    before = await estate.picture()
    reason = await send_bytes(address_of(estate, place), method, bytes(TOO_LARGE))
    assert reason is Reason.MESSAGE_TOO_LARGE
    assert await estate.picture() == before


@pytest.mark.parametrize(("place", "method"), METHODS)
async def test_bytes_that_are_no_message_change_nothing(
    estate: Estate, till: Till, place: str, method: str
) -> None:
    await till.rung_up()
    before = await estate.picture()
    assert await send_bytes(address_of(estate, place), method, b"\xff" * 100)
    assert await estate.picture() == before


@pytest.mark.parametrize("place", ["headquarters", "channel", "register"])
async def test_a_method_nobody_serves_is_refused(estate: Estate, till: Till, place: str) -> None:
    assert (await till.status()).register_id == "R1"
    reason = await send_bytes(address_of(estate, place), "RegisterService/Refund", b"")
    assert reason is Reason.NOT_SERVED


# The agent

Act = Callable[[Till, types_pb2.Sale], Awaitable[object]]


def line_with(**fields: object) -> Act:
    """A line with these fields."""

    async def act(till: Till, sale: types_pb2.Sale) -> object:
        request = register_pb2.AddLineRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            code="APPLE",
            quantity_milli=1_000,
        )
        for name, value in fields.items():
            if isinstance(value, types_pb2.Money | types_pb2.ReturnOf):
                getattr(request, name).CopyFrom(value)
            else:
                setattr(request, name, value)
        return await ask(till.stub.AddLine, request, ME)

    return act


def tender_with(kind: types_pb2.TenderKind.ValueType, minor: int, number: str = "") -> Act:
    """A tender with these fields."""

    async def act(till: Till, sale: types_pb2.Sale) -> object:
        request = register_pb2.AddTenderRequest(
            transaction_id=sale.transaction_id,
            version=sale.version,
            kind=kind,
            amount=eur(minor),
            card_number=number,
        )
        return await ask(till.stub.AddTender, request, ME)

    return act


CASH, CARD = types_pb2.TENDER_KIND_CASH, types_pb2.TENDER_KIND_GIFT_CARD
BACK = types_pb2.ReturnOf(reason="bruised")
INVALID = Reason.INVALID_ARGUMENT
BAD: dict[str, tuple[Act, Reason, str]] = {
    "quantity zero": (line_with(quantity_milli=0), INVALID, "quantity_milli"),
    "quantity too large": (line_with(quantity_milli=10**9 + 1), INVALID, "quantity_milli"),
    "quantity smallest": (line_with(quantity_milli=-(2**63)), INVALID, "quantity_milli"),
    "quantity negative": (line_with(quantity_milli=-1_000), INVALID, "quantity_milli"),
    "return positive": (line_with(return_of=BACK), INVALID, "quantity_milli"),
    "return without reason": (
        line_with(quantity_milli=-1_000, return_of=types_pb2.ReturnOf()),
        INVALID,
        "return_of.reason",
    ),
    "control characters in a reason": (
        line_with(unit_price=eur(1), price_reason="a\x1b[2Jb"),
        INVALID,
        "price_reason",
    ),
    "price without reason": (line_with(unit_price=eur(1)), INVALID, "price_reason"),
    "reason without price": (line_with(price_reason="mood"), INVALID, "price_reason"),
    "price negative": (
        line_with(unit_price=eur(-1), price_reason="mood"),
        INVALID,
        "unit_price",
    ),
    "price too large": (
        line_with(unit_price=eur(10**15 + 1), price_reason="mood"),
        INVALID,
        "unit_price",
    ),
    "line too large": (
        line_with(unit_price=eur(10**15), price_reason="mood", quantity_milli=10**9),
        INVALID,
        "total",
    ),
    "price in another currency": (
        line_with(unit_price=USD, price_reason="mood"),
        Reason.CURRENCY_MISMATCH,
        "unit_price",
    ),
    "unknown product": (line_with(code="PLUM"), Reason.PRODUCT_UNKNOWN, "code"),
    "no product": (line_with(code=""), Reason.PRODUCT_UNKNOWN, "code"),
    "no sale": (line_with(transaction_id=""), INVALID, "transaction_id"),
    "not a sale": (line_with(transaction_id="x" * 32), INVALID, "transaction_id"),
    "unknown sale": (line_with(transaction_id="0" * 32), Reason.SALE_UNKNOWN, "transaction_id"),
    "version to come": (line_with(version=99), Reason.VERSION_OLD, "version"),
    "no kind of tender": (tender_with(types_pb2.TENDER_KIND_UNSPECIFIED, 1), INVALID, "kind"),
    "cash of nothing": (tender_with(CASH, 0), INVALID, "amount"),
    "cash given out": (tender_with(CASH, -1), Reason.EXCEEDS_DUE, "amount"),
    "cash beyond all": (tender_with(CASH, 10**15 + 1), INVALID, "amount"),
    "cash with a card": (tender_with(CASH, 1, GIFT), INVALID, "card_number"),
    "card of nothing": (tender_with(CARD, 0, GIFT), INVALID, "amount"),
    "card refunded without a return": (tender_with(CARD, -1, GIFT), Reason.EXCEEDS_DUE, "amount"),
    "card beyond what is due": (tender_with(CARD, 301, GIFT), Reason.EXCEEDS_DUE, "amount"),
    "card without number": (tender_with(CARD, 300), INVALID, "card_number"),
    "card number with controls": (tender_with(CARD, 300, "6001\x00"), INVALID, "number"),
}


@pytest.mark.parametrize(("act", "reason", "field"), BAD.values(), ids=BAD.keys())
async def test_a_write_that_cannot_be_is_refused_and_the_sale_is_as_it_was(
    estate: Estate, till: Till, act: Act, reason: Reason, field: str
) -> None:
    sale = await till.rung_up()
    async with estate.refuses(reason, field):
        await act(till, sale)
    assert (await till.complete(await till.cash(sale))).receipt.receipt_number


@pytest.mark.parametrize("name", ["x", "0" * 31, "0" * 33, "G" * 32, "A" * 32])
async def test_a_sale_cannot_be_begun_with_what_is_no_id(
    estate: Estate, till: Till, name: str
) -> None:
    async with estate.refuses(INVALID, "transaction_id"):
        await till.begin(name)


@pytest.mark.parametrize("token", ["x", "-1", "9" * 19, "\u0661"])
async def test_a_token_of_no_list_is_refused(estate: Estate, till: Till, token: str) -> None:
    async with estate.refuses(INVALID, "page_token"):
        await ask(till.stub.ListJournal, register_pb2.ListJournalRequest(page_token=token), ME)
    async with estate.refuses(INVALID, "page_token"):
        request = channel_data_pb2.ListTransactionsRequest(page_token=token)
        await ask(estate.data.ListTransactions, request)
    if token != "9" * 19:
        async with estate.refuses(INVALID, "page_token"):
            await ask(estate.cards.ListLocks, realtime_pb2.ListLocksRequest(page_token=token), ME)
