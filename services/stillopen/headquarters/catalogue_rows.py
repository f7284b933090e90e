"""Importing what stands alone: tax groups, customers, tender types, staff."""

from stillopen.core.customers import Customer
from stillopen.core.errors import Reason
from stillopen.core.permissions import CASHIER
from stillopen.core.products import StaffMember
from stillopen.core.tax import TaxGroup
from stillopen.core.tender_types import TenderType
from stillopen.headquarters.credentials import end_sessions
from stillopen.headquarters.staging import (
    Check,
    Kind,
    Numbered,
    came_before,
    create,
    move_changed,
)
from stillopen.replication.tables import CUSTOMER, STAFF_MEMBER, TAX_GROUP, TENDER_TYPE
from stillopen.storage.engine import Session

STEP: tuple[str, ...] = tuple(map(create, (TAX_GROUP, CUSTOMER, TENDER_TYPE, STAFF_MEMBER)))


def _put_tax_groups(session: Session, rows: Numbered[TaxGroup]) -> None:
    session.run_many(
        "INSERT INTO staged_tax_group VALUES (?,?,?,?)",
        [(number, row.tax_group, row.name, row.percent_milli) for number, row in rows],
    )


TAX_GROUPS: Kind[TaxGroup] = Kind(
    "tax_group",
    _put_tax_groups,
    (came_before("staged_tax_group", "tax_group", "tax_group", "tax group {} came before"),),
    lambda session: move_changed(session, TAX_GROUP, "staged_tax_group"),
)


def _put_customers(session: Session, rows: Numbered[Customer]) -> None:
    session.run_many(
        "INSERT INTO staged_customer VALUES (?,?,?,?,?)",
        [(number, row.customer_id, row.name, row.email, row.phone) for number, row in rows],
    )


CUSTOMERS: Kind[Customer] = Kind(
    "customer",
    _put_customers,
    (came_before("staged_customer", "customer_id", "customer_id", "customer {} came before"),),
    lambda session: move_changed(session, CUSTOMER, "staged_customer"),
)


def _put_tender_types(session: Session, rows: Numbered[TenderType]) -> None:
    session.run_many(
        "INSERT INTO staged_tender_type VALUES (?,?,?,?,?)",
        [
            (number, row.tender_type_id, row.name, str(row.kind), int(row.closed))
            for number, row in rows
        ],
    )


TENDER_TYPES: Kind[TenderType] = Kind(
    "tender_type",
    _put_tender_types,
    (
        came_before(
            "staged_tender_type", "tender_type_id", "tender_type_id", "tender type {} came before"
        ),
    ),
    lambda session: move_changed(session, TENDER_TYPE, "staged_tender_type"),
)


def _put_staff(session: Session, rows: Numbered[StaffMember]) -> None:
    session.run_many(
        "INSERT INTO staged_staff VALUES (?,?,?,?,?,?)",
        [
            (number, row.staff_id, row.name, row.password_hash, row.role_id, int(row.blocked))
            for number, row in rows
        ],
    )


def _move_staff(session: Session) -> None:
    session.run(
        "UPDATE staged_staff SET password_hash = staff.password_hash FROM staff"
        " WHERE staff.staff_id = staged_staff.staff_id AND staged_staff.password_hash = ''"
    )
    session.run(
        "UPDATE staged_staff SET role_id = coalesce((SELECT role_id FROM staff"
        " WHERE staff.staff_id = staged_staff.staff_id), ?) WHERE role_id = ''",
        CASHIER.role_id,
    )
    end_sessions(
        session,
        "SELECT staff_id FROM staged_staff JOIN staff USING (staff_id) WHERE staged_staff.blocked"
        " OR staged_staff.password_hash <> staff.password_hash",
    )
    move_changed(session, STAFF_MEMBER, "staged_staff")


STAFF: Kind[StaffMember] = Kind(
    "staff",
    _put_staff,
    (
        came_before("staged_staff", "staff_id", "staff_id", "{} came before"),
        Check(
            "SELECT number, role_id FROM staged_staff"
            " WHERE role_id <> '' AND role_id NOT IN (SELECT role_id FROM role)",
            Reason.NAME_UNKNOWN,
            "role_id",
            "no role {}",
        ),
        Check(
            "SELECT number, staff_id FROM staged_staff WHERE password_hash = ''"
            " AND staff_id NOT IN (SELECT staff_id FROM staff)",
            Reason.INVALID_ARGUMENT,
            "password_hash",
            "missing, and {} has none yet",
        ),
    ),
    _move_staff,
    audited="""SELECT 'staff ' || s.staff_id, trim(
        iif(t.staff_id IS NULL, 'new ', '')
        || iif(s.role_id <> '' AND s.role_id IS NOT t.role_id, 'role ' || s.role_id || ' ', '')
        || iif(s.password_hash <> '' AND s.password_hash IS NOT t.password_hash, 'password ', '')
        || iif(s.blocked <> coalesce(t.blocked, 0), iif(s.blocked, 'blocked', 'unblocked'), '')
        ) AS changed
      FROM staged_staff s LEFT JOIN staff t USING (staff_id) WHERE changed <> '' LIMIT 10000""",
)
