"""Packages that were refused, cut or lost: what headquarters says of them, and makes again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.distributing import Office, open_office

from stillopen.core.errors import Reason, Refused
from stillopen.headquarters.distribution_replicas import replicas
from stillopen.replication.ports import Cursor, Package
from stillopen.storage.package_file import digest_of
from stillopen.v1 import headquarters_pb2

APPLIED = headquarters_pb2.DOWNLOAD_STATE_APPLIED
APPLY_FAILED = headquarters_pb2.DOWNLOAD_STATE_APPLY_FAILED


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Headquarters with a store."""
    async with await open_office(tmp_path) as begun:
        await begun.store("S1")
        yield begun


async def listed(office: Office) -> tuple[object, int, int, str]:
    """How the channel of the store stands, as people see it."""
    [found] = await office.engine.read(
        lambda session: list(replicas(session, ("", ""), "", office.distribution.heard.sending))
    )
    return found.state, found.sequence, found.behind, found.message


async def first(office: Office) -> Package:
    """The package that a new replica gets."""
    package = await office.distribution.newest("S1", Cursor())
    assert package is not None
    return package


def is_whole(office: Office, package: Package) -> bool:
    """Whether a package's file is what it was."""
    path = office.shelf.path(package.name)
    return path.is_file() and digest_of(path) == package.cursor.digest


async def test_a_channel_that_refused_a_delta_is_listed_so_until_it_has_the_snapshot(
    office: Office,
) -> None:
    channel = await office.replica("S1")
    await channel.catch_up()
    await office.product("APPLE")
    await office.run()
    delta = await office.distribution.newest("S1", channel.replica.at)
    assert delta is not None
    assert delta.base is not None
    await office.distribution.refused("S1", delta.cursor, "a row is there already")
    said = (APPLY_FAILED, 1, 1, "package 2: a row is there already")
    assert await listed(office) == said
    nowhere = Cursor(delta.cursor.generation, delta.cursor.sequence)
    snapshot = await office.distribution.newest("S1", nowhere)
    assert snapshot is not None
    assert await listed(office) == said
    assert await office.distribution.newest("S1", channel.replica.at) is not None
    assert await listed(office) == said
    await channel.take(snapshot)
    await channel.catch_up()
    assert await listed(office) == (APPLIED, 2, 0, "")


@pytest.mark.parametrize("left", [0, 10, -1])
async def test_a_package_that_lost_its_end_is_made_again(office: Office, left: int) -> None:
    package = await first(office)
    path = office.shelf.path(package.name)
    path.write_bytes(path.read_bytes()[:left])
    assert is_whole(office, await first(office))


@pytest.mark.parametrize("kept", [0, 10, -1])
async def test_a_package_that_loses_its_end_while_it_is_sent_is_made_again(
    office: Office, kept: int
) -> None:
    package = await first(office)
    path = office.shelf.path(package.name)
    assert len(await office.distribution.block(package, 0, package.size + 9)) == package.size
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Refused) as caught:
        await office.distribution.block(package, 0, package.size + 9)
    assert caught.value.reason is Reason.NAME_UNKNOWN
    [(left,)] = await office.engine.read(
        lambda session: session.all("SELECT count(*) FROM kept_package")
    )
    assert (left, path.exists()) == (0, False)
    assert is_whole(office, await first(office))


async def test_an_export_is_looked_at_before_it_goes_to_a_store_without_a_line(
    office: Office,
) -> None:
    package = await office.distribution.export("S1")
    path = office.shelf.path(package.name)
    sound = path.read_bytes()
    path.write_bytes(sound[:99] + bytes([sound[99] ^ 1]) + sound[100:])
    again = await office.distribution.export("S1")
    assert is_whole(office, again)
    office.shelf.path(again.name).unlink()
    assert is_whole(office, await office.distribution.export("S1"))
