"""Staff and roles as headquarters keeps them: who somebody is, and what a role allows."""

from stillopen.core.errors import Reason, Refused
from stillopen.core.permissions import ADMINISTRATOR, Permission, Role, check_role
from stillopen.core.products import StaffMember
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.headquarters.credentials import permissions_of
from stillopen.replication.tables import ROLE
from stillopen.storage.engine import Session


def find_staff(session: Session, staff_id: str) -> StaffMember | None:
    """The person of that id, with what the role allows."""
    row = session.one(
        "SELECT staff_id, staff.name, password_hash, role_id, blocked,"
        " coalesce(role.permissions, '') FROM staff LEFT JOIN role USING (role_id)"
        " WHERE staff_id = ?",
        staff_id,
    )
    if row is None:
        return None
    return StaffMember(row[0], row[1], row[2], row[3], bool(row[4]), permissions_of(row[5]))


def put_role(session: Session, role: Role, doer: Doer) -> None:
    """Adds or changes a role, in the name of whoever does it."""
    check_role(role)
    if role.role_id == ADMINISTRATOR.role_id and Permission.STAFF not in role.permissions:
        raise Refused(
            Reason.IN_USE,
            f"the role {role.role_id} keeps {Permission.STAFF}: nobody could give it back",
            "permissions",
        )
    permissions = " ".join(sorted(role.permissions))
    session.run("INSERT OR REPLACE INTO role VALUES (?,?,?)", role.role_id, role.name, permissions)
    mark(session, ROLE, [role.role_id])
    doer.note(session, "UPDATE_ROLE", role.role_id, f"{role.name}: {permissions or 'nothing'}")


def roles_after(session: Session, after: str, limit: int) -> list[Role]:
    """Roles in the order of their ids."""
    rows = session.all(
        "SELECT role_id, name, permissions FROM role WHERE role_id > ? ORDER BY role_id LIMIT ?",
        after,
        limit,
    )
    return [Role(row[0], row[1], permissions_of(row[2])) for row in rows]
