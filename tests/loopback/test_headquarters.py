"""HeadquartersService: master data, parameters, and what has come home."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.support.estate import Estate
from tests.support.estate_messages import CHANNEL, R1, allow_concluding, ask, lock_of
from tests.support.estate_parts import GIFT, ME, PRODUCTS, STAFF, eur, one
from tests.support.estate_till import Till

from stillopen.core.errors import Reason
from stillopen.core.parameters import CardParameters, OfflineProfile
from stillopen.rpc.identity import Caller
from stillopen.rpc.status import send_all
from stillopen.v1 import channel_data_pb2, headquarters_pb2, realtime_pb2, types_pb2

APPLE, PEAR = PRODUCTS
Ask = Callable[[Caller], Awaitable[object]]
Refusals = list[tuple[int, str, str]]


async def imported(estate: Estate, *rows: types_pb2.Product) -> tuple[int, Refusals]:
    """How many products were taken, and which rows were not."""
    report = await estate.people.import_products(
        one(headquarters_pb2.ImportProductsRequest(rows=rows))
    )
    return report.accepted, [(r.row, r.field, r.reason) for r in report.refusals]


def product(**fields: object) -> types_pb2.Product:
    """A plum, except for what is given."""
    made = types_pb2.Product(product_id="PLUM", name="Plum", price=eur(50))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


async def test_imported_products_reach_the_channel_and_the_register(
    estate: Estate, till: Till
) -> None:
    dearer = types_pb2.Product(product_id="apple", name="Apple", price=eur(120))
    assert await imported(estate, dearer, product()) == (2, [])
    shown = await estate.until_channel_shows()
    await till.until(lambda status: status.catalogue_sequence == shown)
    sale = await till.line(await till.line(await till.begin(), "PLUM"), "Apple")
    assert [line.total for line in sale.lines] == [eur(50), eur(120)]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (product(product_id=""), "product_id", "INVALID_ARGUMENT"),
        (product(product_id="P" * 41), "product_id", "INVALID_ARGUMENT"),
        (product(product_id="P\nQ"), "product_id", "INVALID_ARGUMENT"),
        (product(name="Plum\x1b[2J"), "name", "INVALID_ARGUMENT"),
        (product(name="Plum\u2028"), "name", "INVALID_ARGUMENT"),
        (product(name="x" * 201), "name", "INVALID_ARGUMENT"),
        (types_pb2.Product(product_id="PLUM", name="Plum"), "price", "INVALID_ARGUMENT"),
        (
            types_pb2.Product(product_id="PLUM", name="Plum", price=eur(-1)),
            "price",
            "INVALID_ARGUMENT",
        ),
        (
            types_pb2.Product(
                product_id="PLUM",
                name="Plum",
                price=types_pb2.Money(currency_code="USD", minor_units=1),
            ),
            "price",
            "CURRENCY_MISMATCH",
        ),
        (
            types_pb2.Product(product_id="PLUM", name="Plum", price=eur(1), barcodes=["1"] * 21),
            "barcodes",
            "INVALID_ARGUMENT",
        ),
    ],
)
async def test_a_wrong_product_is_reported_and_the_others_are_taken(
    estate: Estate, row: types_pb2.Product, field: str, reason: str
) -> None:
    assert await imported(estate, row, APPLE) == (1, [(1, field, reason)])
    await estate.until_channel_shows()
    async with estate.refuses(Reason.PRODUCT_UNKNOWN):
        await ask(estate.data.GetProduct, channel_data_pb2.GetProductRequest(code="PLUM"))


async def test_an_import_that_breaks_off_changes_nothing(estate: Estate) -> None:
    async def breaks_off() -> AsyncIterator[headquarters_pb2.ImportProductsRequest]:
        yield headquarters_pb2.ImportProductsRequest(rows=[product()])
        await asyncio.get_running_loop().create_future()

    async with estate.refuses(Reason.TIMED_OUT):
        await send_all(estate.people_stub.ImportProducts, breaks_off(), ME, 0.3)
    async with estate.refuses(Reason.PRODUCT_UNKNOWN):
        await ask(estate.data.GetProduct, channel_data_pb2.GetProductRequest(code="PLUM"))


async def test_an_import_of_cards_that_breaks_off_creates_none(estate: Estate) -> None:
    async def breaks_off() -> AsyncIterator[headquarters_pb2.HeadquartersServiceImportCardsRequest]:
        row = realtime_pb2.CardRow(number="5555000000000001", balance=eur(100))
        yield headquarters_pb2.HeadquartersServiceImportCardsRequest(import_id="half", rows=[row])
        await asyncio.get_running_loop().create_future()

    async with estate.refuses(Reason.TIMED_OUT):
        await send_all(estate.people_stub.ImportCards, breaks_off(), ME, 0.3)
    async with estate.refuses(Reason.CARD_UNKNOWN):
        await estate.people.card("5555000000000001")


async def test_too_many_rows_in_a_message_change_nothing(estate: Estate) -> None:
    rows = [types_pb2.Product(product_id=f"P{n}", name="P", price=eur(1)) for n in range(5_001)]
    async with estate.refuses(Reason.INVALID_ARGUMENT, "rows"):
        await imported(estate, *rows)


async def test_imported_staff_can_sign_in_and_wrong_rows_are_reported(
    estate: Estate, till: Till
) -> None:
    hashed = STAFF[0].password_hash
    rows = [
        types_pb2.StaffMember(staff_id="ben", name="Ben", password_hash=hashed),
        types_pb2.StaffMember(staff_id="carl", name="Carl", password_hash="plain"),  # noqa: S106
        types_pb2.StaffMember(staff_id="dan\x00", name="Dan", password_hash=hashed),
        types_pb2.StaffMember(staff_id="eve", name="Eve\x07", password_hash=hashed),
    ]
    report = await estate.people.import_staff(one(headquarters_pb2.ImportStaffRequest(rows=rows)))
    assert report.accepted == 1
    assert [(r.row, r.field) for r in report.refusals] == [
        (2, "password_hash"),
        (3, "staff_id"),
        (4, "name"),
    ]
    await estate.until_channel_shows()
    assert await till.sign_in("ben") == "Ben"


async def test_parameters_are_changed_by_who_saw_them(estate: Estate) -> None:
    seen = await estate.people.parameters()
    now = await allow_concluding(estate.people_stub)
    assert now.version == seen.version + 1
    assert now.gift_card.allow_concluding_offline
    stale = headquarters_pb2.UpdateParametersRequest(parameters=now)
    stale.parameters.version = seen.version
    async with estate.refuses(Reason.VERSION_OLD, "version"):
        await ask(estate.people_stub.UpdateParameters, stale, ME)


async def test_changed_parameters_reach_the_register_by_themselves(
    estate: Estate, till: Till
) -> None:
    now = await allow_concluding(estate.people_stub)
    await till.until(lambda status: status.parameters_version == now.version)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (CardParameters(conclude_within_s=200_000), Reason.PARAMETERS_INVALID),
        (CardParameters(lease_s=0), Reason.INVALID_ARGUMENT),
        (CardParameters(grace_s=-1), Reason.INVALID_ARGUMENT),
        (CardParameters(grace_s=367 * 86_400.0), Reason.INVALID_ARGUMENT),
    ],
)
async def test_parameters_that_could_outlast_the_lock_are_refused(
    estate: Estate, wrong: CardParameters, reason: Reason
) -> None:
    async with estate.refuses(reason):
        await estate.people.set_gift_card(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        OfflineProfile(timeout_s=0),
        OfflineProfile(timeout_s=float("nan")),
        OfflineProfile(timeout_s=float("inf")),
        OfflineProfile(reconnect_interval_s=-1),
        OfflineProfile(retry_count_to_offline=0),
        OfflineProfile(heartbeat_interval_s=0.01),
        OfflineProfile(name="a\tb"),
        OfflineProfile(name=""),
    ],
)
async def test_an_offline_profile_no_register_could_work_with_is_refused(
    estate: Estate, wrong: OfflineProfile
) -> None:
    async with estate.refuses(Reason.INVALID_ARGUMENT):
        await estate.people.set_profile(wrong)
    request = channel_data_pb2.GetChannelConfigurationRequest()
    answer = await ask(estate.data.GetChannelConfiguration, request)
    assert answer.offline_profile.name == "Default"


async def test_sales_come_home_once_and_are_listed_page_by_page(estate: Estate, till: Till) -> None:
    sold = [(await till.sold()).transaction_id for _ in range(5)]
    await estate.until_home(till)
    listed: list[str] = []
    token = ""
    while True:
        request = headquarters_pb2.HeadquartersServiceListTransactionsRequest(
            page_size=2, page_token=token
        )
        page = await ask(estate.people_stub.ListTransactions, request, ME)
        listed += [each.sale.transaction_id for each in page.transactions]
        if not (token := page.next_page_token):
            break
    assert listed == sold
    [lane] = (await estate.people.completeness()).lanes
    assert (lane.claimed_head, lane.stored_through, lane.stored, lane.applied) == (5, 5, 5, 5)
    assert lane.quarantined == lane.damaged == lane.conflicts == 0


async def test_a_token_of_another_list_is_refused(estate: Estate) -> None:
    request = headquarters_pb2.HeadquartersServiceListTransactionsRequest()
    request.page_token = "x"  # noqa: S105 - where a page ended
    async with estate.refuses(Reason.INVALID_ARGUMENT, "page_token"):
        await ask(estate.people_stub.ListTransactions, request, ME)


async def test_completeness_of_one_register_leaves_out_the_others(
    estate: Estate, till: Till
) -> None:
    await (await estate.till("R2")).sold()
    await till.sold()
    await estate.until_home(till, await estate.till("R2"))
    request = headquarters_pb2.GetCompletenessRequest(register_id="R2")
    lanes = (await ask(estate.people_stub.GetCompleteness, request, ME)).lanes
    assert [lane.register_id for lane in lanes] == ["R2"]


async def test_a_card_sale_that_came_home_has_paid_and_freed_its_card(
    estate: Estate, till: Till
) -> None:
    sale = await till.sold_by_card()
    await estate.until_home(till)
    seen = await estate.balance(GIFT)
    assert (seen.balance, seen.free, seen.locked_by) == (eur(4_700), eur(4_700), "")
    [_, spent] = (await estate.people.ledger(seen.card_id)).entries
    assert (spent.amount, spent.transaction_id) == (eur(-300), sale.transaction_id)


async def test_registers_and_channels_are_no_people(estate: Estate) -> None:
    people = estate.people_stub
    calls: list[Ask] = [
        lambda c: ask(people.UpdateParameters, headquarters_pb2.UpdateParametersRequest(), c),
        lambda c: ask(
            people.UpdateOfflineProfile, headquarters_pb2.UpdateOfflineProfileRequest(), c
        ),
        lambda c: ask(
            people.ListTransactions,
            headquarters_pb2.HeadquartersServiceListTransactionsRequest(),
            c,
        ),
        lambda c: ask(people.GetCompleteness, headquarters_pb2.GetCompletenessRequest(), c),
        lambda c: send_all(
            people.ImportProducts, one(headquarters_pb2.ImportProductsRequest()), c, 5.0
        ),
        lambda c: send_all(people.ImportStaff, one(headquarters_pb2.ImportStaffRequest()), c, 5.0),
        lambda c: send_all(
            people.ImportCards,
            one(headquarters_pb2.HeadquartersServiceImportCardsRequest()),
            c,
            5.0,
        ),
    ]
    for caller in (R1, CHANNEL):
        for each in calls:
            async with estate.refuses(Reason.NOT_ALLOWED):
                await each(caller)


async def test_everything_is_there_after_a_restart(estate: Estate, till: Till) -> None:
    await till.sold_by_card()
    await estate.until_home(till)
    await ask(estate.relay.LockCard, lock_of(7))
    before = await estate.picture()
    await estate.headquarters.stop()
    await estate.headquarters.start()
    assert await estate.picture() == before
    await till.sold()
    await estate.until_home(till)
