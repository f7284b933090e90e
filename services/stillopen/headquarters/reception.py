"""Where people sign in to headquarters: their password is checked, and a token given out."""

import random

from stillopen.core.errors import Misuse, Reason
from stillopen.core.permissions import AT_HEADQUARTERS
from stillopen.core.ports import Clock
from stillopen.core.products import StaffMember
from stillopen.headquarters.credentials import Credentials
from stillopen.replication.replica_people import find_staff
from stillopen.replication.sign_in import PasswordCheck, SignIns
from stillopen.replication.sign_in_failures import SignInFailures
from stillopen.rpc.shielded import to_its_end
from stillopen.storage.engine import Engine


class Reception:
    """The sign-ins of headquarters."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        rng: random.Random,
        check: PasswordCheck,
        credentials: Credentials,
    ) -> None:
        self._engine = engine
        self._rng = rng
        self._credentials = credentials
        self._sign_ins = SignIns(self._find, SignInFailures(engine, clock), check)

    async def sign_in(self, staff_id: str, password: str) -> tuple[str, StaffMember]:
        """The token and who it is; Misuse NOT_ALLOWED for a role that is for registers alone."""
        member = await self._sign_ins.sign_in(staff_id, password)
        if not member.permissions & AT_HEADQUARTERS:
            raise Misuse(
                Reason.NOT_ALLOWED, f"{member.name} may do nothing at headquarters: ask for a role"
            )
        token = await to_its_end(self._credentials.sign_in(member.staff_id, self._rng))
        return token, member

    async def _find(self, staff_id: str) -> StaffMember | None:
        return await self._engine.read(lambda session: find_staff(session, staff_id))
