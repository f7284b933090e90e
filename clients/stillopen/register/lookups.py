"""What a sale has to know: answered by the channel, or by this register when it is offline."""

from stillopen.core.errors import Reason, Refused
from stillopen.core.parameters import Parameters
from stillopen.core.ports import Clock
from stillopen.core.products import Product, StaffMember
from stillopen.register.failover import Failover
from stillopen.register.online import Online
from stillopen.register.readiness import missing_offline
from stillopen.replication.replica import Replica
from stillopen.replication.sign_in import SignIns


class Lookups:
    """Products, parameters and staff. Offline without data: Refused NOT_READY."""

    def __init__(
        self,
        failover: Failover,
        online: Online,
        replica: Replica,
        sign_ins: SignIns,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._failover = failover
        self._online = online
        self._replica = replica
        self._sign_ins = sign_ins

    async def product(self, code: str) -> tuple[Product, int]:
        """The product of an id or barcode, and the sequence of the data it came from."""

        async def offline() -> tuple[Product, int]:
            self._check_ready()
            sequence = self._replica.at.sequence
            return await self._replica.product(code, self._clock.wall_s()), sequence

        return await self._failover.ask(
            lambda timeout_s: self._online.product(code, timeout_s), offline
        )

    async def parameters(self) -> Parameters:
        """The parameters here; those of the channel before the first package has come."""
        if self._replica.at.generation:
            return self._replica.parameters

        async def offline() -> Parameters:
            self._check_ready()
            return self._replica.parameters

        return await self._failover.ask(self._online.parameters, offline)

    async def sign_in(self, staff_id: str, password: str) -> StaffMember:
        """The person, when the password fits; Refused SIGN_IN_FAILED."""

        async def offline() -> StaffMember:
            self._check_ready()
            return await self._sign_ins.sign_in(staff_id, password)

        return await self._failover.first(
            lambda timeout_s: self._online.sign_in(staff_id, password, timeout_s), offline
        )

    def _check_ready(self) -> None:
        supported = self._failover.offline_supported
        if missing := missing_offline(self._replica, supported=supported):
            raise Refused(Reason.NOT_READY, f"offline without {', '.join(missing)}")
