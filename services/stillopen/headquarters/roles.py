"""Roles as headquarters keeps them: what each allows."""

from stillopen.core.errors import Reason, Refused
from stillopen.core.permissions import (
    ADMINISTRATOR,
    Permission,
    Role,
    check_role,
    permissions_named,
)
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.replication.tables import ROLE
from stillopen.storage.engine import Session


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
    return [Role(row[0], row[1], permissions_named(row[2].split())) for row in rows]
