"""What goes over the wire: calls of a sale that is online, frames of a package and of a batch."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.processes.counting import Points
from tests.support import package_streams
from tests.support.estate import Estate
from tests.support.estate_parts import until
from tests.support.package_streams import Goods, Line, Replicas

from stillopen.replication.frames import BLOCK_BYTES, WHOLE_BYTES
from stillopen.replication.ports import Cursor, Flow

SALES = 100


@pytest.fixture
def points(tmp_path: Path) -> Points:
    """They count, and end no process."""
    return Points("", tmp_path / "never", armed=False)


def passed(points: Points, *kinds: str) -> Counter[str]:
    """What was counted of some kinds."""
    return Counter({n: c for n, c in points.seen.items() if n.partition(":")[0] in kinds})


async def test_an_online_sale_with_a_card_costs_these_calls(tmp_path: Path, points: Points) -> None:
    estate = Estate(tmp_path)
    estate.machine = replace(estate.machine, open_channel=points.open_channel)
    async with estate:
        till = await estate.till()
        points.seen.clear()
        sale = await till.begin()
        for _ in range(3):
            sale = await till.line(sale)
        sale = await till.card(sale)
        await till.complete(sale)
        assert passed(points, "call") == {
            "call:GetProduct": 3,
            "call:LockCard": 2,  # to the channel, and from there to headquarters
            "call:RenewLocks": 2,
        }


async def test_an_online_sale_for_cash_asks_for_its_products_alone(
    tmp_path: Path, points: Points
) -> None:
    estate = Estate(tmp_path)
    estate.machine = replace(estate.machine, open_channel=points.open_channel)
    async with estate:
        till = await estate.till()
        points.seen.clear()
        sale = await till.line(await till.begin())
        await till.complete(await till.cash(sale))
        assert passed(points, "call") == {"call:GetProduct": 1}


async def test_a_small_package_is_one_frame(
    tmp_path: Path, points: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_streams, "open_channel", points.open_channel)
    goods, replicas = Goods(), Replicas(tmp_path / "shelf", Cursor())
    end = goods.put(3, 1, bytes(WHOLE_BYTES))
    async with Line(replicas, goods, 1.0).up():
        await replicas.until(lambda: replicas.standing == [end])
    assert passed(points, "received") == {"received:welcome": 1, "received:package_begin": 1}
    assert points.seen["sent:package_taken"] == 0


@pytest.mark.parametrize(
    ("size", "bytes_per_s_max"),
    [(1, 1_024), (BLOCK_BYTES, 0), (5 * BLOCK_BYTES + 3, 0), (40 * BLOCK_BYTES, 0)],
)
async def test_a_package_is_a_frame_for_each_block_and_two_more(
    tmp_path: Path,
    points: Points,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    bytes_per_s_max: int,
) -> None:
    monkeypatch.setattr(package_streams, "open_channel", points.open_channel)
    goods, replicas = Goods(), Replicas(tmp_path / "shelf", Cursor())
    goods.flowing = Flow(bytes_per_s_max=bytes_per_s_max)
    end = goods.put(3, 1, bytes(size))
    blocks = -(-size // BLOCK_BYTES)
    async with Line(replicas, goods, 1.0).up():
        await replicas.until(lambda: replicas.standing == [end])
    assert passed(points, "received") == {
        "received:welcome": 1,
        "received:package_begin": 1,
        "received:package_block": blocks,
        "received:package_end": 1,
    }
    assert points.seen["sent:package_taken"] <= blocks


async def test_a_hundred_sales_go_up_in_one_frame(
    tmp_path: Path, points: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_streams, "open_channel", points.open_channel)
    line = Line(Replicas(tmp_path / "shelf", Cursor()), Goods(), 1.0)
    for _ in range(SALES):
        line.journal.add(b"a sale of a few lines" * 20)

    async def answered() -> bool:
        return points.seen["received:stored"] > 0

    async with line.up():
        await line.arrived.until(lambda: line.arrived.through == SALES)
        await until(answered)
    assert points.seen["sent:entries"] == 1
    # That the lane moved may be told before the batch is answered.
    assert points.seen["received:stored"] <= 2
