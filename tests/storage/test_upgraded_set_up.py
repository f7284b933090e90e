"""A headquarters of older software: its parameters and its one profile are those it had."""

from pathlib import Path

from tests.support.notes import Opener

from stillopen.core.parameters import CardParameters, OfflineProfile, Parameters
from stillopen.headquarters.audit import Doer
from stillopen.headquarters.parameters import begin_parameters, open_parameters
from stillopen.headquarters.profiles import open_profiles
from stillopen.headquarters.tables import SCHEMA
from stillopen.replication.news import News
from stillopen.rpc.wire import profile_to
from stillopen.rpc.wire_parameters import parameters_to
from stillopen.storage.engine import Engine
from stillopen.storage.schema import Schema

BEFORE = Schema(SCHEMA.name, SCHEMA.steps[:4])
"""The steps that were released before parameters and profiles had tables of their own."""
KEPT = Parameters(3, "USD", CardParameters(allow_concluding_offline=True))
FAST = OfflineProfile("Fast", timeout_s=1.5)


async def upgraded(open_engine: Opener, path: Path) -> Engine:
    """A database of older software, opened by this."""
    older = await open_engine(path, BEFORE)
    await older.write(
        lambda session: session.run(
            "INSERT INTO master VALUES (1, 'a', 7, ?, ?)",
            parameters_to(KEPT).SerializeToString(),
            profile_to(FAST).SerializeToString(),
        )
    )
    await older.close()
    return await open_engine(path, SCHEMA)


async def test_its_parameters_are_the_first_version_that_is_kept(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await upgraded(open_engine, tmp_path / "headquarters.db")
    posting = await open_parameters(engine, News())
    assert posting.current == KEPT
    assert [each.person for each in await posting.versions(0, 10)] == [""]
    made = await posting.put(Parameters(3, "USD"), Doer("alice", 5.0))
    assert made.parameters.version == 4
    again = await open_parameters(engine, News())
    assert again.version == made
    found = [(each.parameters.version, each.person) for each in await again.versions(0, 10)]
    assert found == [(4, "alice"), (3, "")]


async def test_another_currency_at_a_later_begin_changes_nothing(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await upgraded(open_engine, tmp_path / "headquarters.db")
    await begin_parameters(engine, "EUR")
    assert (await open_parameters(engine, News())).current.currency == "USD"


async def test_its_one_profile_is_the_default_whatever_it_was_called(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await upgraded(open_engine, tmp_path / "headquarters.db")
    profiles = await open_profiles(engine, News())
    assert profiles.default == OfflineProfile("Default", timeout_s=1.5)
    assert [use.offline_profile.name for use in await profiles.uses()] == ["Default"]
    assert await profiles.find("") == profiles.default


async def test_what_it_had_is_distributed_like_a_change(
    open_engine: Opener, tmp_path: Path
) -> None:
    engine = await upgraded(open_engine, tmp_path / "headquarters.db")
    rows = await engine.read(
        lambda session: session.all(
            "SELECT table_name, key FROM change WHERE table_name IN"
            " ('parameters', 'offline_profile') ORDER BY table_name"
        )
    )
    assert rows == [("offline_profile", "Default"), ("parameters", "Posting")]
