"""Signing in against a replica's staff: the same at the channel and, offline, at the register."""

import asyncio
from collections.abc import Awaitable, Callable

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError
from stillopen.core.products import SCRYPT_N, SCRYPT_P, SCRYPT_R, StaffMember, password_fits
from stillopen.replication.replica import Replica

PASSWORD_LENGTH_MAX = 200

PasswordCheck = Callable[[str, str], Awaitable[bool]]
"""Whether a password fits a hash; slow by design."""

_NOBODY = f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${'A' * 22}==${'A' * 43}="


async def check_off_loop(password: str, password_hash: str) -> bool:
    """The check on a thread, so that the loop goes on."""
    return await asyncio.to_thread(password_fits, password, password_hash)


async def authorise(
    replica: Replica, staff_id: str, password: str, check: PasswordCheck
) -> StaffMember:
    """A manager whose password fits; Refused SIGN_IN_FAILED, Misuse NOT_ALLOWED for others."""
    member = await sign_in(replica, staff_id, password, check)
    if not member.manager:
        raise Misuse(Reason.NOT_ALLOWED, f"{member.name} is no manager", "manager")
    return member


async def sign_in(
    replica: Replica, staff_id: str, password: str, check: PasswordCheck
) -> StaffMember:
    """The person, when the password fits; Refused SIGN_IN_FAILED whatever was wrong."""
    member = await replica.staff(staff_id)
    # Somebody unknown takes as long as somebody known, so that names cannot be guessed by time.
    password_hash = member.password_hash if member else _NOBODY
    failed = Refused(Reason.SIGN_IN_FAILED, "staff id and password do not fit")
    # NUL: scrypt takes "x" and "x" with NULs after it for the same password.
    if not password or len(password) > PASSWORD_LENGTH_MAX or "\0" in password:
        raise failed
    try:
        fits = await check(password, password_hash)
    except StillopenError:
        raise failed from None
    if member is None or not fits:
        raise failed
    return member
