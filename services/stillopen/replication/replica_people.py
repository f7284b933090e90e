"""What a replica knows of people, of ways to pay and of registers."""

from dataclasses import dataclass, field

from stillopen.core.customers import Customer
from stillopen.core.permissions import permissions_named
from stillopen.core.products import StaffMember
from stillopen.core.sale import TenderKind
from stillopen.core.tender_types import TenderType
from stillopen.storage.engine import Session

TENDER_TYPES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A register as headquarters set it up."""

    register_id: str
    store_id: str
    name: str
    support_offline: bool
    state: str
    """NEW, ACTIVE or RETIRED."""
    credential_version: int
    secret_sha256: bytes = field(repr=False)

    @property
    def takes_packages(self) -> bool:
        """Whether it may have a database of its own to sell from."""
        return self.support_offline and self.state != "RETIRED"


def find_staff(session: Session, staff_id: str) -> StaffMember | None:
    """The person of that id, with what the role allows; without a role, nothing."""
    row = session.one(
        "SELECT staff_id, staff.name, password_hash, role_id, blocked, coalesce(permissions, '')"
        " FROM staff LEFT JOIN role USING (role_id) WHERE staff_id = ?",
        staff_id,
    )
    if row is None:
        return None
    held = permissions_named(row[5].split())
    return StaffMember(row[0], row[1], row[2], row[3], bool(row[4]), held)


def find_customer(session: Session, customer_id: str) -> Customer | None:
    """The customer of that id."""
    row = session.one(
        "SELECT customer_id, name, email, phone FROM customer WHERE customer_id = ?", customer_id
    )
    return Customer(*row) if row else None


def search_customers(session: Session, query: str, after: str, limit: int) -> list[Customer]:
    """Customers by the beginning of the id, or a part of name, address or number; by id."""
    rows = session.all(
        "SELECT customer_id, name, email, phone FROM customer WHERE customer_id > ?1"
        " AND (?2 = '' OR substr(upper(customer_id), 1, length(?2)) = ?2"
        " OR instr(upper(name), ?2) OR instr(upper(email), ?2) OR instr(upper(phone), ?2))"
        " ORDER BY customer_id LIMIT ?3",
        after,
        query.strip().upper(),
        limit,
    )
    return [Customer(*row) for row in rows]


def all_tender_types(session: Session) -> list[TenderType]:
    """The ways to pay by id; a kind that newer software knows is left out."""
    rows = session.all(
        "SELECT tender_type_id, name, kind, closed FROM tender_type"
        " ORDER BY tender_type_id LIMIT ?",
        TENDER_TYPES_MAX,
    )
    kinds = {kind.name: kind for kind in TenderKind}
    return [
        TenderType(row[0], row[1], kinds[row[2]], bool(row[3])) for row in rows if row[2] in kinds
    ]


def registers_of(session: Session, store_id: str) -> dict[str, RegisterRow]:
    """The registers of a store by id, or those of every store of the group for no store.

    A channel knows them all: one that was carried to another store delivers what it has there.
    """
    rows = session.all(
        "SELECT register_id, store_id, name, support_offline, state, credential_version,"
        " secret_sha256 FROM register WHERE ?1 IN ('', store_id)",
        store_id,
    )
    return {
        row[0]: RegisterRow(row[0], row[1], row[2], bool(row[3]), row[4], row[5], row[6])
        for row in rows
    }


def store_of(session: Session, register_id: str) -> str:
    """The store that a register stands in; empty when it is not known."""
    row = session.one("SELECT store_id FROM register WHERE register_id = ?", register_id)
    return str(row[0]) if row else ""
