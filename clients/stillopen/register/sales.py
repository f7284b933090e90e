"""Sales in journal.db: every change is compare-and-set on the version.

It is one transaction with whatever it journals.
A repeat of the last write is known by its digest and answered with the sale as that write left it,
also after a restart. An older version is refused and changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.journal import PAYLOAD_BYTES_MAX
from stillopen.core.sale import Sale, SaleState, check_version
from stillopen.register import carts, receipts
from stillopen.rpc.wire_sale import sale_from, sale_to
from stillopen.storage.engine import Engine, Session, Work
from stillopen.v1 import types_pb2

T = TypeVar("T")

_RESERVE_BYTES = 32 * 1024
"""Room for the tenders and the frame of a journal entry."""


@dataclass(frozen=True, slots=True)
class Made:
    """The next version of a sale, and the message that was made of it already."""

    sale: Sale
    message: types_pb2.Sale


Change = Callable[[Session, Sale], Sale | Made]
"""The next version of a sale; may write what goes with it in the same transaction."""


class SaleStore:
    """The sales of one register."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._last: Sale | None = None
        """The sale last written, as its commit left it; spares reading it again."""
        self._last_request = b""

    async def open_sale(self) -> Sale | None:
        """The sale that is open, if any."""
        if self._last and self._last.state is SaleState.OPEN:
            return self._last  # there is one open sale at a time
        row = await self.engine.read(
            lambda session: session.one("SELECT data FROM sale WHERE state = 'OPEN'")
        )
        return _sale(row[0]) if row else None

    async def sale(self, transaction_id: str) -> Sale:
        """The sale; Refused SALE_UNKNOWN."""
        known = self._last
        if known and known.transaction_id == transaction_id:
            return known
        return await self.engine.read(lambda session: _load(session, transaction_id, known)[0])

    async def known(self, transaction_id: str) -> Sale | None:
        """The sale, if it was ever begun here."""
        try:
            return await self.sale(transaction_id)
        except Refused:
            return None

    async def begin(self, sale: Sale) -> Sale:
        """A new sale; the one that was begun with this id, when it is repeated."""

        def put(session: Session) -> Sale:
            if known := stored(session, sale.transaction_id):
                return known
            if carts.is_recalling(session, sale.transaction_id):
                raise Misuse(Reason.KEY_REUSED, "a recall has this id", "transaction_id")
            check_none_open(session)
            return insert(session, sale)

        begun = await self.engine.write(put)
        if begun is sale:
            self._last, self._last_request = begun, b""
        return begun

    async def make(self, work: Work[T]) -> T:
        """Runs a transaction that may begin a sale by other means, and notes the one it returns."""
        made = await self.engine.write(work)
        if isinstance(made, Sale):
            self._last, self._last_request = made, b""
        return made

    async def change(
        self, transaction_id: str, version: int, request: bytes, change: Change
    ) -> Sale:
        """Makes the next version. `request` is the digest of the write, to know its repeat."""
        known = self._last

        def put(session: Session) -> Sale:
            sale, last = _load(session, transaction_id, known)
            if request and last == request and sale.version == version + 1:
                return sale
            check_version(sale, version)
            made = change(session, sale)
            if not isinstance(made, Made):
                made = Made(made, sale_to(made))
            changed = made.sale
            receipts.note(session, changed)
            data = made.message.SerializeToString()
            large = len(data) > PAYLOAD_BYTES_MAX - _RESERVE_BYTES
            if large and changed.lines != sale.lines and len(data) > len(_bytes(sale)):
                raise Refused(Reason.SALE_TOO_LARGE, "the sale would not fit a journal entry")
            session.run(
                "UPDATE sale SET version = ?, state = ?, data = ?, last_request = ?"
                " WHERE transaction_id = ?",
                changed.version,
                str(changed.state),
                data,
                request,
                transaction_id,
            )
            return changed

        changed = await self.engine.write(put)
        self._last, self._last_request = changed, request
        return changed

    async def repeated(self, transaction_id: str, version: int, request: bytes) -> Sale | None:
        """The answer to a repeat of the last write; nothing when it is no repeat."""
        known = self._last
        if known and known.transaction_id == transaction_id and self._last_request:
            return known if (self._last_request, known.version) == (request, version + 1) else None

        def read(session: Session) -> Sale | None:
            sale, last = _load(session, transaction_id, known)
            return sale if last == request and sale.version == version + 1 else None

        return await self.engine.read(read)


def stored(session: Session, transaction_id: str) -> Sale | None:
    """The sale of that id, if there is one."""
    row = session.one("SELECT data FROM sale WHERE transaction_id = ?", transaction_id)
    return _sale(row[0]) if row else None


def insert(session: Session, sale: Sale) -> Sale:
    """A new sale."""
    session.run(
        "INSERT INTO sale VALUES (?,?,?,?,x'')",
        sale.transaction_id,
        sale.version,
        str(sale.state),
        _bytes(sale),
    )
    return sale


def update(session: Session, sale: Sale) -> Sale:
    """The next version of a sale that no write of a frontend made."""
    session.run(
        "UPDATE sale SET version = ?, state = ?, data = ?, last_request = x''"
        " WHERE transaction_id = ?",
        sale.version,
        str(sale.state),
        _bytes(sale),
        sale.transaction_id,
    )
    return sale


def check_none_open(session: Session) -> None:
    """Refused SALE_OPEN while a sale is open."""
    if other := session.one("SELECT transaction_id FROM sale WHERE state = 'OPEN'"):
        raise Refused(Reason.SALE_OPEN, f"sale {other[0]} is open")


def _load(session: Session, transaction_id: str, known: Sale | None) -> tuple[Sale, bytes]:
    row = session.one(
        "SELECT version, last_request FROM sale WHERE transaction_id = ?", transaction_id
    )
    if row is None:
        raise Refused(Reason.SALE_UNKNOWN, "no such sale", "transaction_id")
    if known and (known.transaction_id, known.version) == (transaction_id, row[0]):
        return known, row[1]
    [(data,)] = session.all("SELECT data FROM sale WHERE transaction_id = ?", transaction_id)
    return _sale(data), row[1]


def _sale(data: bytes) -> Sale:
    return sale_from(types_pb2.Sale.FromString(data))


def _bytes(sale: Sale) -> bytes:
    return sale_to(sale).SerializeToString()
