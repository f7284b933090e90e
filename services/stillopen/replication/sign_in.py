"""Signing in: the same at headquarters, at the channel and, offline, at the register."""

import asyncio
from collections.abc import Awaitable, Callable

from stillopen.core.errors import Reason, Refused, StillopenError
from stillopen.core.permissions import Permission, require
from stillopen.core.products import (
    PASSWORD_LENGTH_MAX,
    SCRYPT_N,
    SCRYPT_P,
    SCRYPT_R,
    StaffMember,
    password_fits,
)
from stillopen.replication.sign_in_failures import SignInFailures
from stillopen.rpc.shielded import to_its_end

PasswordCheck = Callable[[str, str], Awaitable[bool]]
"""Whether a password fits a hash; slow by design."""

FindStaff = Callable[[str], Awaitable[StaffMember | None]]
"""The person of an id, with what the role allows."""

_NOBODY = f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${'A' * 22}==${'A' * 43}="


async def check_off_loop(password: str, password_hash: str) -> bool:
    """The check on a thread, so that the loop goes on."""
    return await asyncio.to_thread(password_fits, password, password_hash)


class SignIns:
    """Who somebody is, by password. Too many failures lock the name out, known or not."""

    def __init__(self, find: FindStaff, failures: SignInFailures, check: PasswordCheck) -> None:
        self._find = find
        self._failures = failures
        self._check = check

    async def authorise(self, staff_id: str, password: str, permission: Permission) -> StaffMember:
        """Somebody who may do it and whose password fits; Misuse NOT_ALLOWED for others."""
        member = await self.sign_in(staff_id, password)
        require(member.permissions, permission, member.name)
        return member

    async def sign_in(self, staff_id: str, password: str) -> StaffMember:
        """The person, when the password fits.

        Refused SIGN_IN_FAILED whatever was wrong, LOCKED_OUT after too many failures, BLOCKED for
        somebody whose password fitted. A failure counts, whatever becomes of the caller.
        """
        return await to_its_end(self._sign_in(staff_id, password))

    async def _sign_in(self, staff_id: str, password: str) -> StaffMember:
        async with self._failures.a_try(staff_id) as this_try:
            member = await self._find(staff_id)
            if not await self._fits(member, password) or member is None:
                await this_try.failed()
                raise Refused(Reason.SIGN_IN_FAILED, "staff id and password do not fit")
            if member.blocked:
                raise Refused(Reason.BLOCKED, f"{member.name} may not sign in any more")
            await this_try.fitted()
            return member

    async def _fits(self, member: StaffMember | None, password: str) -> bool:
        # NUL: scrypt takes "x" and "x" with NULs after it for the same password.
        if not password or len(password) > PASSWORD_LENGTH_MAX or "\0" in password:
            return False
        # Somebody unknown takes as long as somebody known, so that names cannot be guessed by time.
        try:
            return await self._check(password, member.password_hash if member else _NOBODY)
        except StillopenError:
            return False
