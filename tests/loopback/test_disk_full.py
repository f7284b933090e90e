"""A register whose disk is full: the open sale is completed, no other begins (H30)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.estate import Estate
from tests.support.estate_parts import eur
from tests.support.estate_till import Till

from stillopen.core.errors import Reason, Refused
from stillopen.storage.engine import Database, Engine, Work
from stillopen.storage.schema import Schema
from stillopen.storage.sqlite import open_sqlite
from stillopen.v1 import register_pb2, types_pb2

T = TypeVar("T")


class Disk:
    """A disk with room, a reserve on it, and databases that need room to be written."""

    def __init__(self) -> None:
        self.room = self.reserved = True

    def beside(self, path: Path) -> "Disk":
        """The reserve of a register on this disk."""
        del path
        return self

    def hold(self) -> bool:
        """Keeps the reserve while there is room for it."""
        self.reserved = self.reserved or self.room
        return self.reserved

    def give_up(self) -> bool:
        """The reserve becomes room."""
        there, self.reserved = self.reserved, False
        self.room = self.room or there
        return there

    async def open_engine(self, path: Path, schema: Schema, *, durable: bool = True) -> Engine:
        """A database on this disk."""
        return _OnDisk(await open_sqlite(path, schema, durable=durable), self)


class _OnDisk:
    def __init__(self, inner: Engine, disk: Disk) -> None:
        self._inner = inner
        self._disk = disk

    async def write(self, work: Work[T]) -> T:
        if not self._disk.room:
            raise Refused(Reason.DISK_FULL, "the disk is full; nothing was changed")
        return await self._inner.write(work)

    async def write_with(self, database: Database, work: Work[T]) -> T:
        if not self._disk.room:
            raise Refused(Reason.DISK_FULL, "the disk is full; nothing was changed")
        return await self._inner.write_with(database, work)

    async def read(self, work: Work[T]) -> T:
        return await self._inner.read(work)

    async def close(self) -> None:
        await self._inner.close()


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[tuple[Disk, Till]]:
    """A till of a store, on a disk of its own."""
    disk = Disk()
    estate = Estate(tmp_path)
    estate.machine = replace(estate.machine, open_engine=disk.open_engine, reserve=disk.beside)
    async with estate:
        till = await estate.till("R1")
        await till.sign_in()
        yield disk, till


async def test_the_open_sale_is_completed_on_a_full_disk_and_no_other_begins(
    shop: tuple[Disk, Till],
) -> None:
    disk, till = shop
    sale = await till.rung_up()
    disk.room = False
    sale = await till.card(await till.line(sale), eur(100))
    sale = await till.complete(await till.cash(sale))
    assert sale.state == types_pb2.SALE_STATE_COMPLETED
    disk.room = False  # the reserve was used up
    with pytest.raises(Refused) as refused:
        await till.begin()
    assert refused.value.reason is Reason.DISK_LOW


async def test_a_begin_whose_answer_was_lost_is_answered_though_the_disk_is_full(
    shop: tuple[Disk, Till],
) -> None:
    disk, till = shop
    begun = await till.begin("b" * 32)
    disk.room = disk.reserved = False
    assert await till.begin("b" * 32) == begun


async def test_a_register_sells_again_once_there_is_room(shop: tuple[Disk, Till]) -> None:
    disk, till = shop
    disk.room = disk.reserved = False
    with pytest.raises(Refused) as refused:
        await till.begin()
    assert refused.value.reason is Reason.DISK_LOW
    disk.room = True
    assert (await till.sold()).state == types_pb2.SALE_STATE_COMPLETED


async def test_without_any_room_left_the_sale_stays_as_it_is(shop: tuple[Disk, Till]) -> None:
    disk, till = shop
    sale = await till.cash(await till.rung_up())
    disk.room = disk.reserved = False
    with pytest.raises(Refused) as refused:
        await till.complete(sale)
    assert refused.value.reason is Reason.DISK_FULL
    assert await till.sale(sale.transaction_id) == sale
    disk.room = True
    assert (await till.complete(sale)).state == types_pb2.SALE_STATE_COMPLETED


async def test_no_suspended_sale_is_recalled_on_a_full_disk_and_none_is_lost(
    shop: tuple[Disk, Till],
) -> None:
    disk, till = shop
    await till.switch(connect=False)
    cart = await till.suspend(await till.rung_up())
    disk.room = disk.reserved = False
    with pytest.raises(Refused) as refused:
        await till.recall(cart.transaction_id)
    assert refused.value.reason is Reason.DISK_LOW
    disk.room = True
    assert (await till.recall(cart.transaction_id)).recalled_from == cart.transaction_id


async def test_a_register_that_cannot_write_down_that_it_was_disconnected_stays_connected(
    shop: tuple[Disk, Till],
) -> None:
    disk, till = shop
    disk.room = disk.reserved = False
    with pytest.raises(Refused) as refused:
        await till.switch(connect=False)
    assert refused.value.reason is Reason.DISK_FULL
    assert (await till.status()).mode == register_pb2.CONNECTION_MODE_ONLINE
    disk.room = True
    assert (await till.switch(connect=False)).mode == register_pb2.CONNECTION_MODE_OFFLINE_MANUAL
