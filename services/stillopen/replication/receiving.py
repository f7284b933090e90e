"""Packages as a client's half receives them, pure: what is coming, and where replicas stand.

State    event              frames and effects                                     next
IDLE     begin, whole       as begin, then as block, then as end                   IDLE
IDLE     begin              Begin; PackageRefused when it is too large, or goes    COMING or
                            on from where no replica stands                        PASSING
COMING   block              Take; Drop and PackageRefused when it is too much      COMING or
                                                                                   PASSING
COMING   taken(bytes)       PackageTaken, from version 2                           COMING
COMING   end                Apply; Drop and PackageRefused when bytes are missing  IDLE
COMING   refused(error)     PackageRefused                                         PASSING
PASSING  block              -                                                      PASSING
PASSING  end                -                                                      IDLE
IDLE     applied, refused   PackageApplied, PackageRefused                         IDLE
any      welcome, stand     PackagesWanted when the server was told otherwise      as it was
any      frame out of place raises Misuse, the shell closes the stream             -

1. Of a package that was refused nothing more is taken, and the stream goes on.
2. A delta is taken only while a replica stands at its base.
3. The server knows where every replica stands: by Hello, by PackagesWanted, by PackageApplied.
4. A package begins with its first byte, or behind the part of it that Hello named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stillopen.core.errors import StillopenError, invalid
from stillopen.replication.frames import (
    CURSORS_MAX,
    PACKAGE_BYTES_MAX,
    PARTIALS_MAX,
    cursor_from,
    cursor_to,
    moved,
    same_place,
)
from stillopen.replication.ports import Cursor, Package, Partial
from stillopen.storage.package_file import damaged
from stillopen.v1 import sync_pb2


@dataclass(frozen=True, slots=True)
class Begin:
    """A package is about to come."""

    package: Package
    offset: int = 0
    """The first byte that comes; what is before it is there already."""


@dataclass(frozen=True, slots=True)
class Take:
    """The next bytes of it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """It does not come after all."""


@dataclass(frozen=True, slots=True)
class Apply:
    """All of it came: apply it, and say `applied` or `refused`."""

    package: Package


ELSEWHERE = "it goes on from another place"
ReceivingEffect = Begin | Take | Drop | Apply


@dataclass(slots=True)
class _Coming:
    package: Package
    there: int = 0
    passed_over: bool = False


class Receiving:
    """What comes down a stream, and where it leads. `send` puts a frame with those to be sent."""

    def __init__(self, send: Callable[[sync_pb2.SyncRequest], None], refusal: str = "") -> None:
        self._send = send
        self.refusal = refusal
        """Why the last package was refused; empty when it was not."""
        self._cursors: list[Cursor] = []
        self._told: list[Cursor] = []
        """Where the server believes that they stand."""
        self._coming: _Coming | None = None
        self._applying: Package | None = None
        self._partials: dict[bytes, int] = {}
        """How much there is of packages that broke off on a stream before."""
        self._version = 0
        """That which both speak; 0 before Welcome."""

    @property
    def bytes_missing(self) -> int:
        """What is still to come of a package that is on its way."""
        coming = self._coming
        return 0 if coming is None or coming.passed_over else coming.package.size - coming.there

    def hello(self, cursors: Sequence[Cursor], partials: Sequence[Partial]) -> sync_pb2.Hello:
        """Where the first stands, and what is there in part: that much of Hello."""
        self._cursors = list(cursors)[:CURSORS_MAX]
        self._told = self._cursors[:1]
        self._partials = {each.digest: each.there for each in partials[:PARTIALS_MAX]}
        return sync_pb2.Hello(
            cursor=cursor_to(self._told[0] if self._told else Cursor()),
            partials=[
                sync_pb2.PartialPackage(package_digest=digest, there=there)
                for digest, there in self._partials.items()
            ],
        )

    def welcome(self, version: int) -> None:
        """From now on it may be said where the others stand."""
        self._version = version
        self._say()

    def stand(self, cursors: Sequence[Cursor]) -> None:
        """Where every replica stands now, the own first."""
        self._cursors = list(cursors)[:CURSORS_MAX]
        self._say()

    def begin(self, begin: sync_pb2.PackageBegin) -> list[ReceivingEffect]:
        """A package begins."""
        if self._coming is not None:
            raise invalid("frame", "a package before the end of the one before it")
        base = cursor_from(begin.base) if begin.HasField("base") else None
        package = Package(cursor_from(begin.cursor), begin.size, base)
        there = self._partials.pop(package.cursor.digest, 0)
        if begin.offset > there:
            raise invalid("offset", f"{there} bytes of the package are there, not {begin.offset}")
        self._coming = _Coming(package, begin.offset)
        effects: list[ReceivingEffect] = []
        if not 0 < package.size <= PACKAGE_BYTES_MAX:
            self._refuse(package, f"it has {package.size} bytes, not 1 to {PACKAGE_BYTES_MAX}")
        elif not self._goes_on(package):
            self._refuse(package, ELSEWHERE)
        else:
            effects = [Begin(package, begin.offset)]
        if begin.whole:
            return [*effects, *self.block(begin.whole), *self.end()]
        return effects

    def block(self, data: bytes) -> list[ReceivingEffect]:
        """The next bytes."""
        coming = self._coming
        if coming is None:
            raise invalid("frame", "a block without a package")
        if coming.passed_over:
            return []
        coming.there += len(data)
        if coming.there > coming.package.size:
            self._refuse(coming.package, "it is larger than it said")
            return [Drop()]
        return [Take(data)]

    def taken(self, there: int) -> None:
        """So many bytes of the package under way are written, from its first."""
        if self._version > 1 and self._coming is not None:
            frame = sync_pb2.PackageTaken(bytes=there)
            self._send(sync_pb2.SyncRequest(package_taken=frame))

    def end(self) -> list[ReceivingEffect]:
        """That was all of it."""
        coming = self._coming
        if coming is None:
            raise invalid("frame", "the end of no package")
        self._coming = None
        if coming.passed_over:
            return []
        package = coming.package
        if coming.there < package.size:
            self._refuse(package, f"{coming.there} of {package.size} bytes came")
            return [Drop()]
        if not self._goes_on(package):
            self._refuse(package, ELSEWHERE)
            return [Drop()]
        self._applying = package
        return [Apply(package)]

    def applied(self, cursor: Cursor) -> None:
        """A package is in force."""
        self.refusal = ""
        frame = sync_pb2.PackageApplied(cursor=cursor_to(cursor))
        self._send(sync_pb2.SyncRequest(package_applied=frame))
        package, self._applying = self._applying, None
        base = package.base if package is not None and package.cursor == cursor else None
        self._told = moved(self._told, cursor, base)
        if cursor not in self._cursors:
            self._cursors = moved(self._cursors, cursor, base)
        self._say()

    def refused(self, cursor: Cursor, error: StillopenError) -> None:
        """A package is not; the replica keeps what it had."""
        self.refusal = str(error)
        if self._coming is not None and self._coming.package.cursor == cursor:
            self._coming.passed_over = True
        self._applying = None
        frame = sync_pb2.PackageRefused(
            cursor=cursor_to(cursor), reason=str(error.reason), message=error.message
        )
        self._send(sync_pb2.SyncRequest(package_refused=frame))

    def _goes_on(self, package: Package) -> bool:
        base = package.base
        return base is None or any(same_place(each, base) for each in self._cursors)

    def _refuse(self, package: Package, why: str) -> None:
        self.refused(package.cursor, damaged(why))

    def _say(self) -> None:
        if self._version and self._cursors != self._told:
            self._told = list(self._cursors)
            cursors = [cursor_to(each) for each in self._cursors]
            frame = sync_pb2.PackagesWanted(cursors=cursors)
            self._send(sync_pb2.SyncRequest(packages_wanted=frame))
