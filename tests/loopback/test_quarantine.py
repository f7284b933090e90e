"""Entries that are at headquarters and in no effect, for people: seen with reasons, retried."""

from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from tests.support import callers
from tests.support.desk import Desk
from tests.support.estate import Estate
from tests.support.estate_messages import LANE, R1, ask, damaged
from tests.support.estate_parts import ME, until
from tests.support.estate_stream import Stream
from tests.support.poison import lane_of, long_after_all_years, no_message, sold, unknown_kind
from tests.support.working_off import Upgraded, reading

from stillopen.cli.quarantine_text import as_json, show_one
from stillopen.core.errors import Reason, StillopenError
from stillopen.core.journal import Entry, Head, Lane, append
from stillopen.rpc.wire import position_to
from stillopen.v1 import headquarters_pb2, types_pb2

ELSEWHERE = callers.channel("S2")
OTHER = Lane("R2", 0xB)
STATE = headquarters_pb2.QuarantineState


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Upgraded:
    """The version that runs."""
    return reading(monkeypatch)


@pytest.fixture
def desk(estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A command line at headquarters."""
    return Desk(estate, tmp_path / "home", monkeypatch)


async def bring(estate: Estate, *batches: list[Entry]) -> None:
    """The channel of a store without registers brings entries."""
    lanes = {entry.lane for batch in batches for entry in batch}
    async with Stream(estate.upper_streams, ELSEWHERE) as stream:
        stream.hello(*(Head(lane, 1, 0) for lane in lanes))
        await stream.welcome()
        for batch in batches:
            await stream.stored(stream.send(*batch))


async def listed(estate: Estate, register: str = "") -> list[headquarters_pb2.QuarantinedEntry]:
    """Everything that is in no effect."""
    return [each async for each in estate.people.quarantine(register)]


async def brought(estate: Estate) -> tuple[Entry, Entry]:
    """Good and poison in two lanes: two in quarantine, one damaged, one in conflict.

    Returns the intact one that came damaged, and the one in conflict.
    """
    payloads = [sold(1).SerializeToString(), unknown_kind(2), no_message(3)]
    first = lane_of(LANE, payloads)
    second = lane_of(OTHER, [sold(11).SerializeToString(), sold(12).SerializeToString()])
    twice = append(OTHER, 1, bytes(32), sold(13).SerializeToString())
    hurt = damaged(second[1])
    await bring(estate, first, [second[0], hurt], [hurt], [hurt], [twice])

    async def settled() -> bool:
        lanes = (await estate.people.completeness()).lanes
        return sum(lane.applied for lane in lanes) == 2 and len(await listed(estate)) == 4

    await until(settled)
    return second[1], twice


async def refused(asking: object, reason: Reason) -> None:
    """What is asked is refused for that reason."""
    with pytest.raises(StillopenError) as caught:
        await asking  # type: ignore[misc]
    assert caught.value.reason is reason, caught.value


async def test_what_is_in_no_effect_is_listed_by_place_with_its_reason(estate: Estate) -> None:
    await brought(estate)
    found = [
        (
            each.position.register_id,
            each.position.sequence,
            STATE.Name(each.state)[17:],
            each.reason,
        )
        for each in await listed(estate)
    ]
    unread = "this version cannot read it: "
    assert found == [
        ("R1", 2, "QUARANTINED", f"{unread}a kind of record this version does not know"),
        ("R1", 3, "QUARANTINED", f"{unread}not a journal record"),
        ("R2", 1, "CONFLICT", "another entry has its place in the journal"),
        ("R2", 2, "DAMAGED", "its bytes do not fit their digest"),
    ]
    [known, *_] = await listed(estate, "R1")
    assert (known.receipt_number, known.size) == ("no 2", len(unknown_kind(2)))
    now_s = estate.clock.wall_s()
    assert all(abs(each.since_time.seconds - now_s) < 60 for each in await listed(estate))
    assert [each.position.register_id for each in await listed(estate, "R2")] == ["R2", "R2"]
    assert await listed(estate, "R9") == []


async def test_the_list_comes_in_pages(estate: Estate) -> None:
    await brought(estate)
    request = headquarters_pb2.ListQuarantineRequest(page_size=1)
    found: list[tuple[str, int]] = []
    while True:
        page = await ask(estate.people_stub.ListQuarantine, request, ME)
        found += [(each.position.register_id, each.position.sequence) for each in page.entries]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == [("R1", 2), ("R1", 3), ("R2", 1), ("R2", 2)]
    for token in ("?", "0.R1", f"{'f' * 16}{'0' * 20}.R1", f"{'F' * 16}{'1' * 20}zz.R1"):
        request.page_token = token
        await refused(ask(estate.people_stub.ListQuarantine, request, ME), Reason.INVALID_ARGUMENT)


async def test_one_is_shown_as_it_came_and_as_far_as_it_can_be_read(estate: Estate) -> None:
    whole, twice = await brought(estate)
    found = await estate.people.quarantined(position_to(LANE, 2))
    assert found.came.payload == unknown_kind(2)
    assert found.record.receipt_number == "no 2"
    assert not (await estate.people.quarantined(position_to(LANE, 3))).HasField("record")
    hurt = await estate.people.quarantined(position_to(OTHER, 2))
    assert (hurt.came.payload, hurt.came.digest) == (damaged(whole).payload, whole.digest)
    conflict = await estate.people.quarantined(position_to(OTHER, 1), twice.digest)
    assert conflict.came.payload == twice.payload
    first = append(OTHER, 1, bytes(32), sold(11).SerializeToString())
    assert conflict.first_digest == first.digest
    for position, digest in (
        (position_to(LANE, 1), b""),
        (position_to(LANE, 9), b""),
        (position_to(OTHER, 1), first.digest),
    ):
        await refused(estate.people.quarantined(position, digest), Reason.ENTRY_UNKNOWN)
    for register, epoch, sequence in (("", 1, 1), ("R1", 0, 1), ("R1", 1, 0), ("R1", 1, 2**63)):
        place = types_pb2.JournalPosition(register_id=register, epoch=epoch, sequence=sequence)
        await refused(estate.people.quarantined(place), Reason.INVALID_ARGUMENT)


async def test_after_the_upgrade_a_person_has_them_applied_and_that_is_audited(
    estate: Estate, reader: Upgraded
) -> None:
    await brought(estate)
    people = estate.people
    vain = await people.retry_quarantine("to see", position=position_to(LANE, 2))
    assert (vain.tried, vain.applied, vain.waiting) == (1, 0, 0)
    assert [each.position.sequence for each in vain.left] == [2]
    reader.newer = True
    result = await people.retry_quarantine("headquarters knows it now", "R1")
    assert (result.tried, result.applied, result.waiting) == (2, 1, 0)
    assert [each.position.sequence for each in result.left] == [3]
    assert len(await estate.sales_home()) == 3
    said = [(each.subject, each.detail) for each in await people.audit("", 2)]
    assert said == [
        ("R1", "2 entries: headquarters knows it now"),
        (f"R1/{LANE.epoch:016x}/2", "1 entries: to see"),
    ]


async def test_what_is_not_in_quarantine_is_not_tried_again(estate: Estate) -> None:
    await brought(estate)
    people = estate.people
    before = await listed(estate)
    for position in (position_to(LANE, 1), position_to(OTHER, 1), position_to(OTHER, 2)):
        await refused(people.retry_quarantine("why not", position=position), Reason.ENTRY_UNKNOWN)
    await refused(people.retry_quarantine(""), Reason.INVALID_ARGUMENT)
    elsewhere = people.retry_quarantine("x", "R2", position_to(LANE, 2))
    await refused(elsewhere, Reason.INVALID_ARGUMENT)
    none = await people.retry_quarantine("nothing is there", "R9")
    assert (none.tried, list(none.left)) == (0, [])
    assert await listed(estate) == before


async def test_only_who_is_in_charge_of_journals_tries_again(estate: Estate) -> None:
    await brought(estate)
    request = headquarters_pb2.RetryQuarantineRequest(reason="mine")
    await refused(ask(estate.people_stub.RetryQuarantine, request, R1), Reason.NOT_ALLOWED)


async def test_intact_bytes_take_a_damaged_entry_off_the_list(estate: Estate) -> None:
    whole, _ = await brought(estate)
    await bring(estate, [whole])

    async def gone() -> bool:
        return [each.position.sequence for each in await listed(estate, "R2")] == [1]

    await until(gone)


async def test_the_commands_say_what_is_wrong_what_it_means_and_what_to_do(
    estate: Estate, desk: Desk, reader: Upgraded, tmp_path: Path
) -> None:
    await brought(estate)
    _, said = await desk.says("lane", "list")
    assert "stillopen quarantine list" in said
    _, said = await desk.says("lane", "show", "R2", "0000")
    assert "in no effect: 1 damaged, 1 in conflict" in said
    _, said = await desk.says("quarantine", "list")
    for words in (
        "in quarantine: it is kept",
        "damaged: its bytes",
        "in conflict: another",
        "no 2",
    ):
        assert words in said
    file = tmp_path / "entry.bin"
    place = ("R1", f"{LANE.epoch:016x}"[:12], "2")
    code, said = await desk.says("quarantine", "show", *place, "--bytes", str(file))
    assert (code, file.read_bytes()) == (0, unknown_kind(2)), said
    assert "upgrade headquarters" in " ".join(said.split())
    reader.newer = True
    _, said = await desk.says("quarantine", "retry", "R1", "--reason", "upgraded")
    assert "2 tried: 1 in effect now, 1 in quarantine still" in said


async def test_a_register_that_nobody_knows_is_no_complete_one(estate: Estate, desk: Desk) -> None:
    await brought(estate)
    for command in ("lane", "quarantine"):
        code, said = await desk.says(command, "list", "r1")
        assert (code, "NAME_UNKNOWN" in said) == (1, True)
    _, said = await desk.says("quarantine", "list", "R9")
    assert said.startswith("nothing: ")


async def test_a_time_beyond_all_years_is_shown_as_far_as_it_can_be(estate: Estate) -> None:
    await bring(estate, lane_of(LANE, [long_after_all_years(1)]))

    async def there() -> bool:
        return bool(await listed(estate))

    await until(there)
    found = await estate.people.quarantined(position_to(LANE, 1))
    said = as_json(found)
    assert "record" not in said
    assert said["entry"] == MessageToDict(
        found.entry, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    show_one(found)
