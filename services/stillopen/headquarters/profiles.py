"""Offline profiles by name: when registers of a store go offline and come back."""

from dataclasses import replace

from stillopen.core.errors import Reason, Refused
from stillopen.core.parameters import (
    DEFAULT_PROFILE,
    OfflineProfile,
    check_profile,
    differences,
)
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.changes import mark
from stillopen.replication.news import News
from stillopen.replication.scope import excluded_by
from stillopen.replication.tables import OFFLINE_PROFILE
from stillopen.rpc.wire import profile_from, profile_to
from stillopen.storage.engine import Engine, Row, Session
from stillopen.v1 import headquarters_pb2, types_pb2

STEP: tuple[str, ...] = (
    f"INSERT INTO offline_profile SELECT '{DEFAULT_PROFILE}', profile FROM master",  # noqa: S608
    "ALTER TABLE master DROP COLUMN profile",
    f"""INSERT OR REPLACE INTO change (table_name, key)
          SELECT '{OFFLINE_PROFILE.name}', name FROM offline_profile""",  # noqa: S608 - a constant
)

PROFILES_MAX = 1_000


class OfflineProfiles:
    """The profiles; "Default" is always there, and in memory. Open with `open_profiles`."""

    def __init__(self, engine: Engine, news: News, default: OfflineProfile) -> None:
        self._engine = engine
        self._news = news
        self.default = default
        """That of stores which name no other, and of headquarters' own streams."""

    async def put(self, profile: OfflineProfile, doer: Doer) -> OfflineProfile:
        """Adds or changes a profile; registers have it with their next package.

        Misuse INVALID_ARGUMENT for what they could not work with or without.
        """
        excluded_by(profile.excluded_jobs, profile.excluded_tables)
        data = profile_to(check_profile(profile)).SerializeToString()

        def put(session: Session) -> None:
            before = _find(session, profile.name)
            if before is None:
                [(there,)] = session.all("SELECT count(*) FROM offline_profile")
                if there >= PROFILES_MAX:
                    raise Refused(Reason.IN_USE, f"there are {PROFILES_MAX} profiles already")
            session.run("INSERT OR REPLACE INTO offline_profile VALUES (?,?)", profile.name, data)
            mark(session, OFFLINE_PROFILE, [profile.name])
            changed = differences(before or OfflineProfile(profile.name), profile)
            doer.note(session, "UPDATE_OFFLINE_PROFILE", profile.name, ", ".join(changed))

        await self._engine.write(put)
        if profile.name == DEFAULT_PROFILE:
            self.default = profile
        self._news.tell()
        return profile

    async def find(self, name: str) -> OfflineProfile:
        """A profile by name, "Default" without one; Refused NAME_UNKNOWN."""
        found = await self._engine.read(lambda session: _find(session, name or DEFAULT_PROFILE))
        if found is None:
            raise profile_unknown(name)
        return found

    async def uses(self) -> list[headquarters_pb2.OfflineProfileUse]:
        """Every profile by name, with its stores."""

        def read(session: Session) -> tuple[list[Row], list[Row]]:
            return (
                session.all(
                    "SELECT name, message FROM offline_profile ORDER BY name LIMIT ?", PROFILES_MAX
                ),
                session.all("SELECT offline_profile, store_id FROM store ORDER BY store_id"),
            )

        rows, stores = await self._engine.read(read)
        of_profile: dict[str, list[str]] = {name: [] for name, _ in rows}
        for name, store_id in stores:
            of_profile.get(name or DEFAULT_PROFILE, []).append(store_id)
        return [
            headquarters_pb2.OfflineProfileUse(
                offline_profile=types_pb2.OfflineProfile.FromString(data),
                store_ids=of_profile[name],
            )
            for name, data in rows
        ]


def profile_unknown(name: str) -> Refused:
    """There is no such profile."""
    return Refused(Reason.NAME_UNKNOWN, f"there is no offline profile {name}", "offline_profile")


async def open_profiles(engine: Engine, news: News) -> OfflineProfiles:
    """The profiles of an open database; begins "Default" when it is not there."""

    def begin(session: Session) -> OfflineProfile:
        found = _find(session, DEFAULT_PROFILE)
        if found is not None and found.name == DEFAULT_PROFILE:
            return found
        # Before profiles had names of their own the only one could be called anything.
        default = OfflineProfile() if found is None else replace(found, name=DEFAULT_PROFILE)
        session.run(
            "INSERT OR REPLACE INTO offline_profile VALUES (?,?)",
            DEFAULT_PROFILE,
            profile_to(default).SerializeToString(),
        )
        mark(session, OFFLINE_PROFILE, [DEFAULT_PROFILE])
        return default

    return OfflineProfiles(engine, news, await engine.write(begin))


def _find(session: Session, name: str) -> OfflineProfile | None:
    row = session.one("SELECT message FROM offline_profile WHERE name = ?", name)
    return profile_from(types_pb2.OfflineProfile.FromString(row[0])) if row else None
