"""What people may do, and the roles that say who may do what.

A person has one role. At a register somebody who may not do a thing can have it allowed, for one
sale, by another person who may: never by oneself (incumbent: "manager override by same user").
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stillopen.core.errors import Misuse, Reason
from stillopen.core.ids import check_id, check_name


class Permission(StrEnum):
    """What may be done; the names of `stillopen.v1.Permission` without their prefix."""

    SELL = "SELL"
    OVERRIDE_PRICE = "OVERRIDE_PRICE"
    RETURN_WITHOUT_RECEIPT = "RETURN_WITHOUT_RECEIPT"
    VOID = "VOID"
    CASH_OUT = "CASH_OUT"
    SWITCH_CONNECTION = "SWITCH_CONNECTION"
    UNLOCK_CARD = "UNLOCK_CARD"
    END_CLAIM = "END_CLAIM"

    VIEW = "VIEW"
    MASTER_DATA = "MASTER_DATA"
    STAFF = "STAFF"
    PARAMETERS = "PARAMETERS"
    SET_UP = "SET_UP"
    DISTRIBUTION = "DISTRIBUTION"
    CARDS = "CARDS"
    JOURNALS = "JOURNALS"
    CLOSE_PERIOD = "CLOSE_PERIOD"


Permissions = frozenset[Permission]
NOTHING: Permissions = frozenset()
AT_A_REGISTER: Permissions = frozenset(
    {
        Permission.SELL,
        Permission.OVERRIDE_PRICE,
        Permission.RETURN_WITHOUT_RECEIPT,
        Permission.VOID,
        Permission.CASH_OUT,
        Permission.SWITCH_CONNECTION,
        Permission.UNLOCK_CARD,
        Permission.END_CLAIM,
    }
)
AT_HEADQUARTERS: Permissions = frozenset(Permission) - AT_A_REGISTER


@dataclass(frozen=True, slots=True)
class Role:
    """A set of permissions under a name."""

    role_id: str
    name: str
    permissions: Permissions


CASHIER = Role("cashier", "Cashier", AT_A_REGISTER - {Permission.UNLOCK_CARD, Permission.END_CLAIM})
MANAGER = Role("manager", "Store manager", AT_A_REGISTER)
CLERK = Role(
    "clerk", "Clerk", frozenset({Permission.VIEW, Permission.MASTER_DATA, Permission.DISTRIBUTION})
)
ADMINISTRATOR = Role("administrator", "Administrator", AT_HEADQUARTERS | {Permission.UNLOCK_CARD})
FIRST_ROLES = (ADMINISTRATOR, CASHIER, CLERK, MANAGER)
"""The roles that a new headquarters begins with; people change them and add others."""


def permissions_named(names: Iterable[str]) -> Permissions:
    """Those that this version knows; what newer software wrote allows nothing here."""
    said = set(names)
    return frozenset(each for each in Permission if each in said)


def check_role(role: Role) -> Role:
    """Refuses a role without a name."""
    check_id(role.role_id, "role_id")
    check_name(role.name, "name")
    return role


def require(held: Permissions, wanted: Permission, who: str) -> None:
    """Misuse NOT_ALLOWED for somebody whose role does not allow it."""
    if wanted not in held:
        raise Misuse(Reason.NOT_ALLOWED, f"{who} may not do this: it needs {wanted}", "permission")


def check_another(signed_in: str, allowing: str) -> None:
    """Misuse NOT_ALLOWED when somebody would allow a thing to oneself."""
    if signed_in == allowing:
        raise Misuse(
            Reason.NOT_ALLOWED, "another person has to allow it, not the one signed in", "manager"
        )
