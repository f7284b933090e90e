"""Writes to sales: one at a time, to their end, each naming the version it saw."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from stillopen.core.allowed import check_allowed, held_in
from stillopen.core.errors import Reason, Refused
from stillopen.core.permissions import NOTHING, Permissions
from stillopen.core.products import StaffMember
from stillopen.core.sale import Sale
from stillopen.register.sales import Change, Made, SaleStore
from stillopen.rpc.shielded import to_its_end
from stillopen.storage.engine import Session

T = TypeVar("T")


def digest_of(*request: object) -> bytes:
    """What a write asks for, so that its repeat is known."""
    return hashlib.sha256(repr(request).encode()).digest()


class Writes:
    """How the parts of a register write: whatever became of the caller, a write runs to its end."""

    def __init__(self, sales: SaleStore) -> None:
        self.sales = sales
        self.person: StaffMember | None = None
        """Who is signed in, and what the role allows."""
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    def sign_in(self, person: StaffMember | None) -> None:
        """From now on writes are this person's; nobody's after a sign-out."""
        self.person = person

    @property
    def staff_id(self) -> str:
        """Who is signed in; empty for nobody."""
        return self.person.staff_id if self.person else ""

    @property
    def held(self) -> Permissions:
        """What the role of whoever is signed in allows."""
        return self.person.permissions if self.person else NOTHING

    def signed_in(self) -> str:
        """Who is signed in; Refused NOT_SIGNED_IN."""
        if self.person is None:
            raise Refused(Reason.NOT_SIGNED_IN, "sign in first")
        return self.person.staff_id

    def check_allowed(self, sale: Sale | None, *operations: str) -> None:
        """Misuse NOT_ALLOWED when the person, or what others allowed in the sale, does not do."""
        who = self.person.name if self.person else "nobody"
        for operation in operations:
            check_allowed(operation, held_in(sale, self.held), who)

    async def change(
        self,
        transaction_id: str,
        version: int,
        operation: str,
        request: tuple[object, ...],
        change: Change,
    ) -> Sale:
        """Makes the next version of a sale; `request` is what was asked, to know its repeat."""
        digest = digest_of(*request)

        def allowed(session: Session, sale: Sale) -> Sale | Made:
            self.check_allowed(sale, operation)
            return change(session, sale)

        return await self.write(lambda: self.sales.change(transaction_id, version, digest, allowed))

    async def write(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs a write of the person who is signed in; Refused NOT_SIGNED_IN."""
        self.signed_in()
        return await self.alone(work)

    async def alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs it when no other write runs, and to its end."""

        async def run() -> T:
            async with self._one_at_a_time:
                return await work()

        return await to_its_end(self.own(run()))

    def own(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """A task that ends when the register is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """Finishes the write that runs, ends every task, then does what is last."""
        async with self._one_at_a_time:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await last()
