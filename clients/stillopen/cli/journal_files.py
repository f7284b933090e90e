"""Journals as files: what a store has that headquarters lacks, and headquarters' word on it.

A file is made of messages of the contract (`storage/parts_file.py` says how they stand in it). A
journal is parts of ImportJournalRequest; an answer is one of them that names the store, and one
ImportJournalResponse.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from stillopen.core.errors import Misuse, Reason, invalid
from stillopen.core.journal import Lane
from stillopen.replication.frames import BATCH_ENTRIES_MAX
from stillopen.storage.parts_file import read_parts, writing_parts
from stillopen.v1 import headquarters_pb2

M = TypeVar("M", bound=Message)

JOURNAL, ANSWER = "journal 1", "answer 1"
"""What the two kinds of file say of themselves."""

Part = headquarters_pb2.ImportJournalRequest
Answer = headquarters_pb2.ImportJournalResponse


@dataclass(slots=True)
class LaneInFile:
    """A lane of a file: how long it is said to be, and how much of it is there."""

    claimed: int = 0
    entries: int = 0


@dataclass(slots=True)
class InFile:
    """What a journal file holds."""

    store_id: str = ""
    lanes: dict[Lane, LaneInFile] = field(default_factory=dict[Lane, LaneInFile])
    entries: int = 0

    def note(self, part: Part) -> None:
        """Counts a part."""
        self.store_id = self.store_id or part.store_id
        for claim in part.lanes:
            lane = self._lane(claim.register_id, claim.epoch)
            lane.claimed = max(lane.claimed, claim.head, claim.claimed_head)
        for entry in part.entries:
            lane = self._lane(entry.register_id, entry.epoch)
            lane.claimed = max(lane.claimed, entry.sequence)
            lane.entries += 1
        self.entries += len(part.entries)

    def _lane(self, register_id: str, epoch: int) -> LaneInFile:
        return self.lanes.setdefault(Lane(register_id, epoch), LaneInFile())


def read_journal(file: Path) -> Iterator[Part]:
    """The parts of a journal file, none of which is more than headquarters takes; Misuse."""
    store_id = ""
    for number, data in enumerate(read_parts(file, JOURNAL)):
        part = _decoded(Part(), data)
        store_id = store_id or part.store_id
        if not number and not store_id:
            raise invalid("file", f"{file} does not say of which store it is")
        if len(part.entries) > BATCH_ENTRIES_MAX:
            raise invalid("file", f"a part of {file} has more than {BATCH_ENTRIES_MAX} entries")
        yield part
    if not store_id:
        raise invalid("file", f"{file} is empty")


def look_through(file: Path) -> InFile:
    """Reads a whole journal file; Misuse when any of it is not right."""
    found = InFile()
    for part in read_journal(file):
        found.note(part)
    return found


def answer_path(file: Path) -> Path:
    """Where headquarters' word on a journal file goes."""
    return file.with_name(file.name + ".answer")


def write_answer(file: Path, store_id: str, answer: Answer) -> Path:
    """Puts headquarters' word beside the journal file; an earlier one is replaced."""
    path = answer_path(file)
    with writing_parts(path, ANSWER, replace=True) as parts:
        parts.add(Part(store_id=store_id).SerializeToString())
        parts.add(answer.SerializeToString())
    return path


def read_answer(file: Path) -> tuple[str, Answer]:
    """Whose answer it is, and headquarters' word; Misuse when it is something else."""
    parts = list(read_parts(file, ANSWER))
    if len(parts) != 2:  # noqa: PLR2004 - the store, and the word
        raise invalid("file", f"{file} is no answer of headquarters")
    return _decoded(Part(), parts[0]).store_id, _decoded(Answer(), parts[1])


def _decoded(message: M, data: bytes) -> M:
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise Misuse(Reason.DIGEST_MISMATCH, "the file holds something else", "file") from None
    return message
