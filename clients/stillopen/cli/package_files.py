"""Package files in a person's hands: what one says of itself, and whether that is so."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from stillopen.core.errors import Refused, StillopenError, invalid
from stillopen.replication.packages import (
    check_package,
    delta_statements,
    snapshot_statements,
)
from stillopen.replication.ports import Cursor, Package
from stillopen.replication.scope import Scope
from stillopen.replication.tables import SCHEMA_VERSION, STORE, tables_at
from stillopen.storage.engine import Session
from stillopen.storage.package import check_tables, count_rows, facts_of, looked_into
from stillopen.storage.package_file import damaged, unpack
from stillopen.storage.parts_file import check_free, give_name
from stillopen.storage.shelf import SUFFIX, Shelf

FOLDER = "packages"
"""The shelf in the folder of a place."""
GENERATION_MAX, SEQUENCE_MAX = 2**64 - 1, 2**63 - 1
_NAME = re.compile(rf"([0-9]{{8,19}})-(snapshot|delta)-([0-9a-f]{{64}}){re.escape(SUFFIX)}")


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name says of it."""

    sequence: int
    kind: str
    """snapshot or delta."""
    digest: bytes


@dataclass(frozen=True, slots=True)
class LookedInto:
    """A package file that is sound, and what is in it."""

    package: Package
    facts: dict[str, str]
    """Everything that it says of itself."""
    rows: dict[str, int]
    """How many each table has."""
    removed: int
    """How many a delta takes away."""
    stores: frozenset[str]
    """The stores that it knows; a snapshot knows all of its group."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a file found."""

    file: Path
    package: Package | None
    """Nothing when it is not sound."""
    remark: str

    @property
    def sound(self) -> bool:
        """Whether it may be used."""
        return self.package is not None


def named(name: str) -> Named | None:
    """What a name says; nothing when it is not a package's own."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Named(int(found[1]), found[2], bytes.fromhex(found[3]))


def find(file: str, data: Path | None) -> Path:
    """A file by its path, or one on a place's shelf by the beginning of its name."""
    path = Path(file)
    if path.exists() or data is None:
        return path
    names = [each for each in names_in(data) if each.startswith(file)]
    if len(names) != 1:
        raise invalid("file", f"{len(names)} packages in {data} are called {file!r}")
    return data / FOLDER / names[0]


def names_in(data: Path) -> list[str]:
    """The packages of a place, in order; Misuse when it has no shelf."""
    if not (data / FOLDER).is_dir():
        raise invalid("data", f"there are no packages in {data}")
    return [each for each in Shelf(data / FOLDER).names() if named(each)]


def look_into(file: Path) -> LookedInto:
    """Unpacks and checks a file; Refused PACKAGE_DAMAGED for one that is not sound."""
    with _unpacked(file) as (database, digest):
        package = _checked(database, digest, file.stat().st_size)
        with looked_into(database) as session:
            if (found := session.one("PRAGMA integrity_check(1)")) != ("ok",):
                raise damaged(str(found))
            tables = tables_at(package.cursor.scope.version)
            return LookedInto(
                package,
                facts_of(session),
                {table.name: count_rows(session, table.name) for table in tables},
                0 if package.base is None else count_rows(session, "removed"),
                frozenset(row[0] for row in session.each(f"SELECT {STORE.key} FROM {STORE.name}")),  # noqa: S608
            )


def verify(file: Path) -> Verdict:
    """Whether a file is sound, and its name its own; a file that was renamed may be sound."""
    try:
        package = look_into(file).package
    except StillopenError as error:
        return Verdict(file, None, error.message)
    except OSError as error:
        return Verdict(file, None, error.strerror or str(error))
    said = named(file.name)
    if said is not None and said.digest != package.cursor.digest:
        return Verdict(file, None, "it is another package than its name says")
    renamed = file.name != package.name
    return Verdict(file, package, f"its own name is {package.name}" if renamed else "")


def open_to(file: Path, database: Path) -> None:
    """Unpacks a file into a database that is not there yet; Refused, and there is none.

    It is checked first: a person's tools do whatever stands in a database.
    """
    check_free(database)
    with TemporaryDirectory(dir=database.parent, prefix=".stillopen-") as folder:
        new = Path(folder) / "database"
        digest = unpack(file, new)
        _checked(new, digest, file.stat().st_size)
        give_name(new, database)


@contextmanager
def _unpacked(file: Path) -> Generator[tuple[Path, bytes]]:
    with TemporaryDirectory() as folder:
        database = Path(folder) / "database"
        yield database, unpack(file, database)


def _checked(database: Path, digest: bytes, size: int) -> Package:
    package = _what_it_says(database, digest, size)
    check_package(database, package)
    return package


def _what_it_says(database: Path, digest: bytes, size: int) -> Package:
    """What an unpacked database says of itself, asked of nothing but a package's own tables."""
    with looked_into(database) as session:
        if not any(_is_made_by(session, each) for each in _known_statements()):
            raise damaged(
                f"its tables are not those of a package, in any version until {SCHEMA_VERSION}"
            )
        facts = facts_of(session)
    try:
        generation = int(facts["generation"], 16)
        scope = Scope(tuple(facts["excluded"].split()), int(facts["schema_version"]))
        cursor = Cursor(generation, int(facts["sequence"]), digest, scope)
        base = None
        if "base" in facts:
            before = bytes.fromhex(facts["base_digest"])
            base = Cursor(generation, int(facts["base"]), before, scope)
    except (KeyError, ValueError):
        raise damaged("it does not say what it is") from None
    if not (0 < generation <= GENERATION_MAX and 0 < cursor.sequence <= SEQUENCE_MAX):
        raise damaged("it leads nowhere")
    return Package(cursor, size, base)


def _known_statements() -> Iterator[tuple[str, ...]]:
    for version in range(1, SCHEMA_VERSION + 1):
        yield snapshot_statements(version)
        yield delta_statements(version)


def _is_made_by(session: Session, statements: tuple[str, ...]) -> bool:
    try:
        check_tables(session, statements)
    except Refused:
        return False
    return True
