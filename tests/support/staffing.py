"""What tests do to people: other roles, blocked members, and waiting until a till knows."""

from tests.support.enrolment import NO_HASH
from tests.support.estate import Estate
from tests.support.estate_parts import one
from tests.support.estate_till import Till

from stillopen.v1 import headquarters_pb2, types_pb2

SELL = types_pb2.PERMISSION_SELL


async def cashiers_may(estate: Estate, *permissions: types_pb2.Permission.ValueType) -> None:
    """Gives cashiers these permissions and no others; the channel knows then."""
    await estate.people.set_role(
        types_pb2.Role(role_id="cashier", name="Cashier", permissions=permissions)
    )
    await estate.until_channel_shows()


async def staffed(
    estate: Estate, staff_id: str, role_id: str = "cashier", *, blocked: bool = False
) -> None:
    """Adds or changes a person; the channel knows then."""
    member = types_pb2.StaffMember(
        staff_id=staff_id,
        name=staff_id.title(),
        password_hash=NO_HASH,
        role_id=role_id,
        blocked=blocked,
    )
    report = await estate.people.import_staff(
        one(headquarters_pb2.ImportStaffRequest(rows=[member]))
    )
    assert report.refused == 0, report
    await estate.until_channel_shows()


async def until_it_may(till: Till, *names: str) -> None:
    """Waits until these operations work for whoever is signed in, and of the table no others."""
    await till.until(lambda status: set(names) == GUARDED & set(status.operations))


GUARDED = {
    "BEGIN",
    "OVERRIDE_PRICE",
    "RETURN_LINE",
    "VOID",
    "VOID_LINE",
    "CASH_OUT_GIFT_CARD",
    "SWITCH_CONNECTION",
}
"""Operations that roles differ in."""
