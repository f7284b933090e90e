"""Who works at this register: signing in and out, and what another person allows in a sale."""

import contextlib

from stillopen.core import allowed
from stillopen.core.errors import Reason, Refused, StillopenError
from stillopen.core.overrides import Override
from stillopen.core.permissions import NOTHING, Permission, require
from stillopen.core.ports import Clock
from stillopen.core.products import StaffMember
from stillopen.core.sale import Sale, check_version
from stillopen.register.failover import Failover
from stillopen.register.journal import Journal
from stillopen.register.lookups import Lookups
from stillopen.register.writes import Writes, digest_of
from stillopen.replication.news import News
from stillopen.replication.replica import Replica
from stillopen.storage.engine import Session

_SIGNED_IN = "signed_in"


async def was_signed_in(journal: Journal) -> bool:
    """Whether somebody ever signed in here; who made a sale did, also with older software."""
    return bool(await journal.get(_SIGNED_IN) or await journal.get("receipts"))


class People:
    """The one who is signed in, and those who give their word."""

    def __init__(
        self,
        writes: Writes,
        lookups: Lookups,
        journal: Journal,
        replica: Replica,
        failover: Failover,
        clock: Clock,
        news: News,
    ) -> None:
        self._writes = writes
        self._lookups = lookups
        self._journal = journal
        self._replica = replica
        self._failover = failover
        self._clock = clock
        self._news = news
        self._known: StaffMember | None = None
        """What this register's data said of the one who is signed in."""

    async def sign_in(self, staff_id: str, password: str) -> StaffMember:
        """Signs a person in: by the channel's word, or offline by this register's."""
        member = await self._lookups.sign_in(staff_id, password)
        self._known = await self._replica.staff(member.staff_id)
        self._writes.sign_in(member)
        if not self._failover.begun:
            self._failover.begin()
            with contextlib.suppress(StillopenError):  # a full disk: begun again after a restart
                await self._journal.set(_SIGNED_IN, "yes")
        self._news.tell()
        return StaffMember(
            member.staff_id, member.name, role_id=member.role_id, permissions=member.permissions
        )

    async def sign_out(self) -> None:
        """Signs the person out; Refused SALE_OPEN while a sale is open."""
        if await self._writes.sales.open_sale() is not None:
            raise Refused(Reason.SALE_OPEN, "complete or void the sale first")
        self._writes.sign_in(None)
        self._news.tell()

    async def override(
        self,
        transaction_id: str,
        version: int,
        permission: Permission,
        staff_id: str,
        password: str,
        reason: str,
    ) -> Sale:
        """Lets a sale have what another person may allow; kept in it, with who and why.

        Misuse NOT_ALLOWED for one's own word, or for one who may not either.
        """
        request = digest_of("override", permission, staff_id, reason)
        sales = self._writes.sales

        async def override() -> Sale:
            if done := await sales.repeated(transaction_id, version, request):
                return done
            sale = await sales.sale(transaction_id)
            check_version(sale, version)
            word = Override(permission, staff_id, reason, self._clock.wall_s())
            allowed.check_override(sale, word, self._writes.signed_in())
            member = await self._lookups.sign_in(staff_id, password)
            require(member.permissions, permission, member.name)

            def change(_: Session, sale: Sale) -> Sale:
                return allowed.allow(sale, word)

            return await sales.change(transaction_id, version, request, change)

        return await self._writes.write(override)

    async def keep_up(self) -> None:
        """A package may say that the one who is signed in may do other things from now on.

        Only a change counts: data that is still on its way knows less than the channel did.
        """
        version = self._replica.news.version
        while True:
            version = await self._replica.news.after(version)
            if (person := self._writes.person) is None:
                continue
            try:
                now = await self._replica.staff(person.staff_id)
            except StillopenError:
                continue  # the copy is damaged; the next one tells
            if self._writes.person is not person or now == self._known:
                continue
            self._known = now
            if now is None or now.blocked:
                now = StaffMember(person.staff_id, person.name, permissions=NOTHING)
            self._writes.sign_in(now)
            self._news.tell()
