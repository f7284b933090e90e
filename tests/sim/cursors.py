"""Cursors never go back: what a place has, it has, and what it was told, it was told.

A place that was put back, or lost what was never promised to stay, begins anew; nothing else is an
excuse. Rules of docs/design.md: a replica is a copy, not flushed, and stands nowhere when it is
damaged; a server's word replaces what was believed, downwards only when a server was restored.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.sim.losses import Fate, Loss
from tests.sim.record import Record
from tests.sim.words import Way, Word

from stillopen.v1 import register_pb2, sync_pb2

_SERVERS = {Fate.CHANNEL_RESTORED, Fate.HEADQUARTERS_RESTORED}


@dataclass(slots=True)
class _Height:
    """How high something stood, and who said so."""

    value: int
    stream: int
    time_s: float
    may_fall: bool = False
    """Whether a server was restored since: it may go back, once."""


@dataclass(slots=True)
class _Heights:
    """How high everything stood that a place speaks of."""

    found: dict[tuple[object, ...], _Height] = field(
        default_factory=dict[tuple[object, ...], _Height]
    )
    loosened: set[str] = field(default_factory=set[str])
    """What may go back once, also where it is first heard of later: it was believed before."""

    def say(self, value: int, word: Word, *what: object) -> str:
        """Notes a height; says what is wrong when it went back, and is empty when nothing is."""
        what = (word.place, *what)
        before = self.found.get(what)
        if before is not None and value < before.value and not before.may_fall:
            if word.stream < before.stream and word.way in {Way.UP, Way.DOWN}:
                return ""  # an older stream says what it had to say before
            wrong = f"{' '.join(map(str, what))} was {before.value} at {before.time_s:.3f} s"
            self.found[what] = _Height(value, word.stream, word.time_s)
            return f"{wrong} and {value} at {word.time_s:.3f} s"
        if before is None or value != before.value:
            may_fall = what[1] in self.loosened
            if before is not None:
                may_fall = before.may_fall and value > before.value
            self.found[what] = _Height(value, word.stream, word.time_s, may_fall=may_fall)
        return ""

    def forget(self, place: str, *kinds: str) -> None:
        """The place begins anew, with all it speaks of or with some of it."""
        for what in list(self.found):
            if what[0] == place and (not kinds or what[1] in kinds):
                del self.found[what]

    def loosen(self, *kinds: str) -> None:
        """What everybody says of this may go back, once."""
        self.loosened.update(kinds)
        for what, height in self.found.items():
            if what[1] in kinds:
                height.may_fall = True


def cursors_never_go_back(record: Record) -> Iterator[str]:
    """No cursor goes back: replicas, lanes, journal lines, versions that are shown."""
    heights = _Heights()
    losses = sorted(record.history.losses, key=lambda loss: loss.time_s)
    for word in record.words.said:
        while losses and losses[0].time_s <= word.time_s:
            _lose(heights, losses.pop(0))
        for wrong in _said(heights, word, is_spoiled=word.place in record.history.spoiled):
            if wrong:
                yield wrong


def _lose(heights: _Heights, loss: Loss) -> None:
    heights.forget(loss.place)
    if loss.fate in _SERVERS:
        # What it gives out may be older, and so may be what others say after it.
        heights.loosen(*_OF_COPIES, *_OF_HEADQUARTERS, *_OF_CHANNELS)


_OF_COPIES = ("replica", "parameters", "catalogue")
_OF_HEADQUARTERS = ("headquarters has", "to be deleted", "known", "line at headquarters")
_OF_CHANNELS = ("line at channel",)


def _said(heights: _Heights, word: Word, *, is_spoiled: bool) -> Iterator[str]:
    match word.way:
        case Way.UP:
            yield from _by_client(heights, word)
        case Way.DOWN:
            yield from _by_server(heights, word)
        case Way.STATUS:
            if not is_spoiled:
                yield from _in_status(heights, word)
        case Way.JOURNAL:
            yield from _in_journal(heights, word)
        case Way.POWER:
            heights.forget(word.place, *_OF_COPIES)


def _by_client(heights: _Heights, word: Word) -> Iterator[str]:
    """Where a client's replicas stand, and how long the lanes are that it answers for."""
    frame = sync_pb2.SyncRequest.FromString(word.body)
    kind = frame.WhichOneof("frame")
    if kind == "hello":
        yield from _stands(heights, word, [frame.hello.cursor])
        yield from _claims(heights, word, frame.hello.lanes)
    elif kind == "heartbeat":
        yield from _claims(heights, word, frame.heartbeat.lanes)
    elif kind == "package_applied":
        yield from _stands(heights, word, [frame.package_applied.cursor])
    elif kind == "packages_wanted":
        yield from _stands(heights, word, frame.packages_wanted.cursors)


def _stands(heights: _Heights, word: Word, cursors: Iterable[sync_pb2.Cursor]) -> Iterator[str]:
    """Within a generation a replica only goes on; a lost one stands nowhere, and begins anew."""
    for cursor in cursors:
        if cursor.generation == 0:
            heights.forget(word.place, "replica")
        else:
            yield heights.say(cursor.sequence, word, "replica", f"{cursor.generation:016x}")


def _claims(heights: _Heights, word: Word, lanes: Iterable[sync_pb2.LaneClaim]) -> Iterator[str]:
    """A lane is never claimed to be shorter than before, nor to begin earlier."""
    for lane in lanes:
        name = f"{lane.register_id}/{lane.epoch:016x}"
        yield heights.say(lane.head, word, "lane", name)
        yield heights.say(lane.first, word, "first entry", name)


def _by_server(heights: _Heights, word: Word) -> Iterator[str]:
    """What a server has of a lane it has; what it knows of headquarters only grows."""
    frame = sync_pb2.SyncResponse.FromString(word.body)
    is_welcome = frame.WhichOneof("frame") == "welcome"
    for lane in frame.welcome.lanes if is_welcome else frame.stored.lanes:
        name = f"{lane.register_id}/{lane.epoch:016x}"
        yield heights.say(lane.stored_through, word, "stored", name)
        yield heights.say(lane.headquarters_through, word, "headquarters has", name)
        yield heights.say(lane.purge_through, word, "to be deleted", name)
        yield heights.say(int(lane.headquarters_knows), word, "known", name)


def _in_status(heights: _Heights, word: Word) -> Iterator[str]:
    """A register shows no older parameters or master data than it did."""
    status = register_pb2.GetStatusResponse.FromString(word.body).status
    yield heights.say(status.parameters_version, word, "parameters")
    yield heights.say(status.catalogue_sequence, word, "catalogue")


def _in_journal(heights: _Heights, word: Word) -> Iterator[str]:
    """What was said to be at the channel, or at headquarters, is never said not to be."""
    page = register_pb2.ListJournalResponse.FromString(word.body)
    for line in page.lines:
        position = line.position
        name = f"{position.register_id}/{position.epoch:016x}/{position.sequence}"
        yield heights.say(int(line.at_channel), word, "line at channel", name)
        yield heights.say(int(line.at_headquarters), word, "line at headquarters", name)
