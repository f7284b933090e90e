"""The parameters of group Posting: those in force, from memory, and every version there was."""

from dataclasses import dataclass, replace

from stillopen.core.errors import Reason, Refused
from stillopen.core.parameters import Parameters, check_parameters, differences
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.replication.news import News
from stillopen.replication.tables import PARAMETERS
from stillopen.rpc.wire import time_to
from stillopen.rpc.wire_parameters import parameters_from, parameters_to
from stillopen.storage.engine import Engine, Row, Session
from stillopen.v1 import types_pb2

POSTING = "Posting"
STEP: tuple[str, ...] = (
    """CREATE TABLE parameter_version (
         version INTEGER PRIMARY KEY,
         person TEXT NOT NULL,
         wall_s REAL NOT NULL,
         message BLOB NOT NULL) STRICT""",
    f"INSERT INTO parameters SELECT '{POSTING}', parameters FROM master",  # noqa: S608 - a constant
    "ALTER TABLE master DROP COLUMN parameters",
    f"""INSERT OR REPLACE INTO change (table_name, key)
          SELECT '{PARAMETERS.name}', name FROM parameters""",  # noqa: S608 - a constant
)


@dataclass(frozen=True, slots=True)
class Version:
    """Parameters, and who made them when; nobody, for those that were there at the beginning."""

    parameters: Parameters
    person: str = ""
    wall_s: float = 0.0


class PostingParameters:
    """What cards and registers are told from memory. Open with `open_parameters`."""

    def __init__(self, engine: Engine, news: News, version: Version) -> None:
        self._engine = engine
        self._news = news
        self.version = version

    @property
    def current(self) -> Parameters:
        """The parameters in force."""
        return self.version.parameters

    async def put(self, wanted: Parameters, doer: Doer) -> Version:
        """Changes the parameters; in effect with the next lock. Refused VERSION_OLD."""
        seen = wanted.version
        made = Version(
            replace(check_parameters(wanted), version=seen + 1), doer.person, doer.wall_s
        )
        data = parameters_to(made.parameters).SerializeToString()

        def put(session: Session) -> None:
            before = _in_force(session)
            if before.version != seen:
                raise Refused(
                    Reason.VERSION_OLD, f"version {before.version} is in force", "version"
                )
            session.run("UPDATE parameters SET message = ? WHERE name = ?", data, POSTING)
            mark(session, PARAMETERS, [POSTING])
            _keep(session, made, data)
            changed = ", ".join(differences(before, made.parameters))
            doer.note(session, "UPDATE_PARAMETERS", POSTING, f"version {seen + 1}: {changed}")

        await self._engine.write(put)
        if seen + 1 > self.version.parameters.version:
            self.version = made
        self._news.tell()
        return made

    async def versions(self, before: int, limit: int) -> list[Version]:
        """The versions before one, the newest first; 0 begins with the newest."""
        rows = await self._engine.read(
            lambda session: session.all(
                "SELECT message, person, wall_s FROM parameter_version"
                " WHERE ?1 = 0 OR version < ?1 ORDER BY version DESC LIMIT ?2",
                before,
                limit,
            )
        )
        return [_version(row) for row in rows]


async def begin_parameters(engine: Engine, currency: str) -> None:
    """Gives a new headquarters its parameters, in `currency`; one that has some keeps them."""
    first = parameters_to(Parameters(0, currency)).SerializeToString()

    def begin(session: Session) -> None:
        if session.run(
            "INSERT INTO parameters VALUES (?,?) ON CONFLICT DO NOTHING", POSTING, first
        ):
            mark(session, PARAMETERS, [POSTING])

    await engine.write(begin)


async def open_parameters(engine: Engine, news: News) -> PostingParameters:
    """The parameters of a headquarters that was begun."""

    def read(session: Session) -> Version:
        now = _in_force(session)
        # Versions are kept since there is this table; the one that was in force then is the first.
        _keep(session, Version(now), parameters_to(now).SerializeToString())
        [row] = session.all(
            "SELECT message, person, wall_s FROM parameter_version WHERE version = ?", now.version
        )
        return _version(row)

    return PostingParameters(engine, news, await engine.write(read))


def version_to(version: Version) -> types_pb2.Parameters:
    """A version as a message, with who made it when."""
    message = parameters_to(version.parameters)
    message.changed_by = version.person
    if version.wall_s:
        message.changed_time.CopyFrom(time_to(version.wall_s))
    return message


def _in_force(session: Session) -> Parameters:
    [(data,)] = session.all("SELECT message FROM parameters WHERE name = ?", POSTING)
    return parameters_from(types_pb2.Parameters.FromString(data))


def _keep(session: Session, version: Version, data: bytes) -> None:
    session.run(
        "INSERT INTO parameter_version VALUES (?,?,?,?) ON CONFLICT DO NOTHING",
        version.parameters.version,
        version.person,
        version.wall_s,
        data,
    )


def _version(row: Row) -> Version:
    return Version(parameters_from(types_pb2.Parameters.FromString(row[0])), row[1], row[2])
