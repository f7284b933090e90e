"""Facts about a chain of memos that come home in any order, as after a restore of headquarters."""

from itertools import permutations
from pathlib import Path

import pytest

from stillopen.core.card_number import card_id, look_up_value, number_digest
from stillopen.core.errors import Reason, Refused
from stillopen.core.journal import Lane
from stillopen.core.money import Money
from stillopen.core.purpose import CardKind, NewMemo, Purpose
from stillopen.core.settle import Operation
from stillopen.realtime.settlement import exceptions, settle
from stillopen.realtime.store import CardRow, open_cards
from stillopen.realtime.tables import SCHEMA
from stillopen.rpc.machine import SystemClock
from stillopen.storage.sqlite import open_sqlite

KEY = b"k" * 32
NUMBERS = ("MEMO0001", "MEMO0002", "MEMO0003")


def redeem(number: int, minor: int, left: int) -> Operation:
    """The sale that redeems a memo of the chain and leaves the next."""
    memo = CardKind.CREDIT_MEMO
    new = None
    if left:
        following = NUMBERS[number + 1]
        new = NewMemo(number_digest(following), following[-4:], Money("EUR", left))
    name = card_id(look_up_value(KEY, NUMBERS[number]))
    key, sale = bytes([number + 1]) * 16, f"{number + 1:032x}"
    return Operation(sale, "T1", key, name, Money("EUR", minor), Purpose.REDEEM, memo, new)


CHAIN = (redeem(0, 30, 20), redeem(1, 5, 15), redeem(2, 15, 0))


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
async def test_a_memo_spent_before_its_making_came_home_is_paid_when_it_does(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    engine = await open_sqlite(tmp_path / "realtime.db", SCHEMA)
    store = await open_cards(engine, KEY, SystemClock())
    await store.create("backup", [CardRow(1, NUMBERS[0], Money("EUR", 50), CardKind.CREDIT_MEMO)])
    for number in order:
        await settle(store, Lane(f"R{number}", 1), 1, [CHAIN[number]])
    assert await exceptions(store, 0, 10, resolved=False) == []
    for memo in NUMBERS:
        with pytest.raises(Refused) as refusal:
            await store.card(memo, CardKind.CREDIT_MEMO)
        assert refusal.value.reason is Reason.CARD_USED
        _, ledger = await store.ledger(memo, "")
        assert sum(entry.amount.minor for entry in ledger) == 0
    await engine.close()
