"""What many ask for at one moment: looked up once, and told to each."""

import asyncio

import pytest

from stillopen.core.errors import Reason, Refused
from stillopen.replication.shared import Shared


class Library:
    """Looks slowly, and counts."""

    def __init__(self) -> None:
        self.looked: list[str] = []
        self.may_answer = asyncio.Event()
        self.missing = False

    async def find(self, title: str) -> str:
        """The text of a book, in the edition of the moment."""
        self.looked.append(title)
        edition = len(self.looked)
        await self.may_answer.wait()
        if self.missing:
            raise Refused(Reason.NAME_UNKNOWN, "no such book")
        return f"{title}, edition {edition}"


async def asked(shared: Shared[str, str], *titles: str) -> list[asyncio.Task[str]]:
    """Readers who all wait."""
    readers = [asyncio.create_task(shared(title)) for title in titles]
    for _ in range(3):
        await asyncio.sleep(0)
    return readers


async def test_fifty_who_ask_the_same_at_once_cost_one_look() -> None:
    library = Library()
    readers = await asked(Shared(library.find), *["Emma"] * 50, "Persuasion")
    library.may_answer.set()
    found = await asyncio.gather(*readers)
    assert found == ["Emma, edition 1"] * 50 + ["Persuasion, edition 2"]
    assert library.looked == ["Emma", "Persuasion"]


async def test_nothing_is_kept_for_who_asks_later() -> None:
    library = Library()
    library.may_answer.set()
    shared = Shared(library.find)
    assert [await shared("Emma"), await shared("Emma")] == ["Emma, edition 1", "Emma, edition 2"]


async def test_who_asks_after_a_change_does_not_share_the_look_before_it() -> None:
    library = Library()
    shared = Shared(library.find)
    before = await asked(shared, "Emma")
    shared.anew()
    after = await asked(shared, "Emma", "Emma")
    library.may_answer.set()
    found = await asyncio.gather(*before, *after)
    assert found == ["Emma, edition 1", "Emma, edition 2", "Emma, edition 2"]


async def test_one_who_gives_up_leaves_the_answer_to_the_rest() -> None:
    library = Library()
    first, second = await asked(Shared(library.find), "Emma", "Emma")
    first.cancel()
    await asyncio.wait([first])
    library.may_answer.set()
    assert await second == "Emma, edition 1"
    assert library.looked == ["Emma"]


async def test_everybody_is_told_of_a_refusal_and_the_next_asks_anew() -> None:
    library = Library()
    shared = Shared(library.find)
    readers = await asked(shared, "Emma", "Emma")
    library.missing = True
    library.may_answer.set()
    for each in readers:
        with pytest.raises(Refused):
            await each
    library.missing = False
    assert await shared("Emma") == "Emma, edition 2"
