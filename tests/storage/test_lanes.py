"""Lanes as a server keeps them: alarms in any order of arrival, holes, what a restore lost."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from tests.support.lanes import FIRST, SECOND, THIRD, alarms, claims, entries, opened
from tests.support.notes import Opener

from stillopen.core.journal import Entry
from stillopen.replication.inbox import Inbox

BEFORE = entries(FIRST, 4)
CHILD = entries(SECOND, 2, after=(FIRST, 4))
EARLY_CHILD = entries(SECOND, 2, after=(FIRST, 2))
TWIN = entries(THIRD, 2, after=(FIRST, 4))
ANEW = entries(THIRD, 2)


async def receive(inbox: Inbox, batches: tuple[list[Entry], ...]) -> set[tuple[int, str]]:
    """Takes batches, each twice, and returns the alarms."""
    for batch in (*batches, *batches):
        await inbox.receive(batch, [])
    return await alarms(inbox)


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=str)
async def test_a_register_that_is_started_again_is_no_alarm(
    open_engine: Opener, tmp_path: Path, order: tuple[int, ...]
) -> None:
    inbox = await opened(open_engine, tmp_path)
    batches = (BEFORE, CHILD)
    assert await receive(inbox, tuple(batches[n] for n in order)) == set()


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_two_lanes_that_name_one_parent_are_cloned(
    open_engine: Opener, tmp_path: Path, order: tuple[int, ...]
) -> None:
    inbox = await opened(open_engine, tmp_path)
    batches = (BEFORE, CHILD, TWIN)
    [(epoch, kind)] = await receive(inbox, tuple(batches[n] for n in order))
    newest = [n for n in order if n][-1]
    assert (epoch, kind) == (batches[newest][0].lane.epoch, "CLONED")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_a_lane_that_goes_on_beyond_its_child_is_restored_whichever_comes_first(
    open_engine: Opener, tmp_path: Path, order: tuple[int, ...]
) -> None:
    inbox = await opened(open_engine, tmp_path)
    batches = (BEFORE[:2], BEFORE[2:], EARLY_CHILD)
    found = await receive(inbox, tuple(batches[n] for n in order))
    assert found == {(FIRST.epoch, "RESTORED")}


async def test_a_claim_alone_shows_that_a_lane_goes_on(open_engine: Opener, tmp_path: Path) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.receive(BEFORE[:2], [])
    assert await receive(inbox, (EARLY_CHILD,)) == set()
    await inbox.claim([claims(FIRST, 2, claimed=3)])
    assert await alarms(inbox) == {(FIRST.epoch, "RESTORED")}


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=str)
async def test_a_journal_that_was_begun_anew_is_replaced(
    open_engine: Opener, tmp_path: Path, order: tuple[int, ...]
) -> None:
    inbox = await opened(open_engine, tmp_path)
    batches = (BEFORE, ANEW)
    newest = batches[order[-1]][0].lane.epoch
    found = await receive(inbox, tuple(batches[n] for n in order))
    assert found == {(newest, "REPLACED")}


async def test_registers_have_nothing_to_do_with_each_other(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    others = entries(replace(FIRST, register_id="R2"), 2)
    assert await receive(inbox, (BEFORE, others)) == set()


async def test_a_damaged_first_entry_says_nothing_until_it_comes_well(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.receive(BEFORE, [])
    await inbox.receive([], [ANEW[0]])
    assert await alarms(inbox) == set()
    assert await receive(inbox, (ANEW,)) == {(THIRD.epoch, "REPLACED")}


async def test_a_first_entry_that_cannot_be_read_is_taken_without_an_alarm(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.receive(BEFORE, [])
    [stored] = await inbox.receive([replace(ANEW[0], payload=b"\xff\xff")], [])
    assert stored.through == 1
    assert await alarms(inbox) == set()


async def test_a_second_copy_under_one_key_is_an_alarm(open_engine: Opener, tmp_path: Path) -> None:
    inbox = await opened(open_engine, tmp_path)
    assert await receive(inbox, (BEFORE,)) == set()
    other = replace(BEFORE[1], digest=bytes(32))
    assert await receive(inbox, ([other],)) == {(FIRST.epoch, "CONFLICT")}


async def test_a_register_that_claims_less_than_before_is_told_on(
    open_engine: Opener, tmp_path: Path
) -> None:
    channel = await opened(open_engine, tmp_path, last=False)
    headquarters = await opened(open_engine, tmp_path)
    await channel.claim([claims(FIRST, 4)])
    await channel.moved()
    assert await alarms(channel) == set()
    await channel.claim([claims(FIRST, 3), claims(SECOND, 0)])
    [head, _] = await channel.moved()
    assert (head.alarms, head.claimed, head.heard) == (("LOST",), 4, True)
    await headquarters.claim([head])
    assert await alarms(headquarters) == {(FIRST.epoch, "LOST")}


async def test_a_claim_that_a_link_kept_back_is_no_lost_tail(
    open_engine: Opener, tmp_path: Path
) -> None:
    """A register that lost its tail was started again, and names a lane that nobody knows."""
    channel = await opened(open_engine, tmp_path, last=False)
    await channel.claim([claims(FIRST, 2), claims(SECOND, 1)])
    await channel.claim([claims(FIRST, 1)])
    await channel.claim([claims(FIRST, 2), claims(SECOND, 0)])
    assert await alarms(channel) == set()


async def test_a_channel_that_has_less_than_another_did_is_no_lost_tail(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.claim([claims(FIRST, 4)])
    await inbox.claim([claims(FIRST, 2)])
    assert await alarms(inbox) == set()


async def test_a_lane_goes_on_behind_a_hole_and_the_hole_is_passed_on(
    open_engine: Opener, tmp_path: Path
) -> None:
    channel = await opened(open_engine, tmp_path, last=False)
    headquarters = await opened(open_engine, tmp_path)
    await channel.receive(BEFORE[:1], [])
    await headquarters.receive(BEFORE[:1], [])
    [stored] = await channel.claim([claims(FIRST, 4, first=3)])
    assert stored.through == 2
    [stored] = await channel.receive(BEFORE[2:], [])
    assert stored.through == 4
    [head] = await channel.heads()
    assert (head.first, head.last, head.missing) == (1, 4, ((2, 2),))
    await headquarters.claim([head])
    assert await channel.read(FIRST, 1, 10, 10**6) == BEFORE[2:]
    [stored] = await headquarters.receive(BEFORE[2:], [])
    assert stored.headquarters_through == 4


async def test_what_lay_in_a_hole_is_taken_when_it_comes_after_all(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.claim([claims(FIRST, 4, first=3)])
    for batch in (BEFORE[2:], BEFORE[:2]):
        [stored] = await inbox.receive(batch, [])
        assert stored.through == 4
    assert [entry.sequence for entry in await inbox.read(FIRST, 0, 10, 10**6)] == [1, 2, 3, 4]


async def test_headquarters_waits_until_it_has_what_it_had_also_after_a_start(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.receive(BEFORE[:2], [])
    await inbox.claim([claims(FIRST, 4, believed=4)])
    assert inbox.recovering == [(FIRST, 2, 4)]
    await inbox.engine.close()
    inbox = await opened(open_engine, tmp_path)
    assert inbox.recovering == [(FIRST, 2, 4)]
    await inbox.receive(BEFORE[2:3], [])
    assert inbox.recovering == [(FIRST, 3, 4)]
    await inbox.receive(BEFORE[3:], [])
    assert inbox.recovering == []


async def test_a_lane_that_headquarters_forgot_altogether_is_waited_for(
    open_engine: Opener, tmp_path: Path
) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.claim([claims(FIRST, 4, believed=3)])
    assert inbox.recovering == [(FIRST, 0, 4)]


async def test_a_channel_waits_for_nothing_and_passes_on_what_its_register_believes(
    open_engine: Opener, tmp_path: Path
) -> None:
    channel = await opened(open_engine, tmp_path, last=False)
    await channel.receive(BEFORE[:2], [])
    await channel.claim([claims(FIRST, 4, believed=4)])
    assert channel.recovering == []
    [head] = await channel.heads()
    assert (head.last, head.believed, head.claimed) == (2, 4, 4)


async def test_a_channel_tells_of_what_is_unfinished_and_of_whom_it_heard(
    open_engine: Opener, tmp_path: Path
) -> None:
    channel = await opened(open_engine, tmp_path, last=False)
    await channel.claim([claims(FIRST, 2), claims(SECOND, 2)])
    [first, second] = await channel.receive([*BEFORE[:2], *CHILD], [])
    assert {head.lane for head in await channel.moved()} == {FIRST, SECOND}
    await channel.remember([replace(first, headquarters_through=2)])
    assert [(head.lane, head.heard) for head in await channel.moved()] == [(SECOND, False)]
    await channel.remember([replace(second, headquarters_through=2)])
    assert await channel.moved() == []
    await channel.claim([claims(FIRST, 2)])
    assert [(head.lane, head.heard) for head in await channel.moved()] == [(FIRST, True)]
    assert await channel.moved() == []


async def test_a_channel_greets_with_what_headquarters_has_not_held_for_long_enough(
    open_engine: Opener, tmp_path: Path
) -> None:
    channel = await opened(open_engine, tmp_path, last=False)
    await channel.claim([claims(THIRD, 0)])
    [first, second] = await channel.receive([*BEFORE, *CHILD], [])
    assert {head.lane for head in await channel.heads()} == {FIRST, SECOND, THIRD}
    await channel.remember([replace(first, headquarters_through=4, purge_through=4)])
    await channel.remember([replace(second, headquarters_through=2, purge_through=1)])
    assert [head.lane for head in await channel.heads()] == [SECOND]
    await channel.claim([claims(FIRST, 4)])
    assert [head.lane for head in await channel.heads()] == [SECOND, FIRST]


async def test_the_word_of_headquarters_counts_downwards_too(
    open_engine: Opener, tmp_path: Path
) -> None:
    channel = await opened(open_engine, tmp_path, last=False)
    [stored] = await channel.receive(BEFORE, [])
    for home in (4, 1):
        await channel.remember([replace(stored, headquarters_through=home, purge_through=home - 1)])
        [told] = await channel.stored([FIRST])
        assert (told.headquarters_through, told.purge_through) == (home, home - 1)
        [head] = await channel.heads()
        assert head.believed == home


async def test_only_lanes_that_changed_are_looked_at(open_engine: Opener, tmp_path: Path) -> None:
    inbox = await opened(open_engine, tmp_path)
    await inbox.receive([*BEFORE, *CHILD], [])
    known = inbox.news.version
    assert inbox.changed(known) == []
    await inbox.receive(TWIN, [])
    assert inbox.changed(known) == [THIRD]
    await inbox.receive(BEFORE, [])
    assert inbox.changed(known) == [FIRST, THIRD]
