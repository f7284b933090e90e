"""Packages by hand: out of headquarters into a file, and out of a file into a place."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.cli.install import installed_as
from stillopen.cli.machine import Machine
from stillopen.cli.package_files import LookedInto, look_into, named
from stillopen.cli.places import open_channel_data
from stillopen.core.errors import Reason, Refused, invalid
from stillopen.register.tables import SCHEMA as REGISTER_SCHEMA
from stillopen.replication.frames import BLOCK_BYTES, PACKAGE_BYTES_MAX
from stillopen.replication.ports import Arriving, PackageSink
from stillopen.replication.replica import open_replica
from stillopen.replication.scope import EVERYTHING
from stillopen.rpc.identity import CallerKind
from stillopen.storage.identity_file import Identity
from stillopen.storage.package_file import damaged
from stillopen.storage.shelf import Shelf
from stillopen.v1 import headquarters_pb2


@dataclass(frozen=True, slots=True)
class Taken:
    """What a place shows since a package was taken."""

    place: Identity
    looked: LookedInto


async def export_package(place: Headquarters, store_id: str, folder: Path) -> Path:
    """Writes the snapshot for a store into a folder, under its own name: whole, or not at all."""
    async with aclosing(place.export_package(store_id)) as responses:
        return await _fetch(responses, Shelf(folder))


async def _fetch(
    responses: AsyncGenerator[headquarters_pb2.ExportPackageResponse], shelf: Shelf
) -> Path:
    file = (await anext(responses, headquarters_pb2.ExportPackageResponse())).file
    said = named(file.name)
    if said is None or said.digest != file.digest or not 0 < file.size <= PACKAGE_BYTES_MAX:
        raise damaged("headquarters does not say what it is")
    coming = await shelf.receive(file.name, file.size)
    digest = hashlib.sha256()
    try:
        with Progress(console=terminal.err) as progress:
            bar = progress.add_task(f"Fetching {file.name[:20]}", total=file.size)
            async for response in responses:
                digest.update(response.data)
                await coming.write(response.data)
                progress.update(bar, advance=len(response.data))
        if digest.digest() != file.digest:
            raise damaged("what came does not have its digest")
        await coming.finish()
    except BaseException:
        coming.drop()
        raise
    return shelf.path(file.name)


async def import_package(file: Path, data: Path, machine: Machine) -> Taken:
    """Shows a snapshot in a place that does not run; refused, everything is as it was.

    Misuse REGISTER_IN_USE while the place runs.
    """
    place = installed_as(data)
    looked = look_into(file)
    _check_fits(file, looked, place)
    package = looked.package
    async with _opened(place, data, machine) as sink:
        coming = await sink.receive(package)
        try:
            await _copy(file, coming)
            await coming.finish()
        except BaseException:
            coming.drop()
            raise
        await sink.apply(package)
    return Taken(place, looked)


def _check_fits(file: Path, looked: LookedInto, place: Identity) -> None:
    if looked.package.base is not None:
        raise invalid("file", f"{file} is a delta; a place that has no line takes snapshots alone")
    if place.store_id not in looked.stores:
        raise Refused(
            Reason.NAME_UNKNOWN,
            f"{file} is for another channel group: it does not know store {place.store_id}",
        )
    if place.kind == CallerKind.CHANNEL and looked.package.cursor.scope != EVERYTHING:
        raise invalid(
            "file", f"{file} is not for a channel: tables are left out, or in another version"
        )


@asynccontextmanager
async def _opened(place: Identity, data: Path, machine: Machine) -> AsyncGenerator[PackageSink]:
    """Where a place's packages go, opened as when it runs."""
    shelf = Shelf(data / "packages", machine.off_loop)
    async with AsyncExitStack() as opened:
        if place.kind == CallerKind.REGISTER:
            engine = await machine.open_engine(data / "journal.db", REGISTER_SCHEMA)
            opened.push_async_callback(engine.close)
            own = await open_replica(
                data / "offline.db",
                shelf,
                machine.open_engine,
                place.store_id,
                place.name,
                warn=machine.warn,
            )
            opened.push_async_callback(own.close)
            yield own
            return
        _, lines = await open_channel_data(opened, machine, data, place.store_id)
        yield lines


async def _copy(file: Path, coming: Arriving) -> None:
    with file.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            await coming.write(block)
