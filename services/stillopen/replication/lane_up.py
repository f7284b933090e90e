"""One lane on its way up a stream, pure: what of it is to be sent next."""

from dataclasses import dataclass, replace

from stillopen.core.journal import Entry, Head


@dataclass(slots=True)
class LaneUp:
    """A lane as the client knows it, and how far it was sent on this stream."""

    claim: Head
    """The lane as it is now."""
    next: int
    """The first entry that was not sent."""
    due: int = 0
    """Through which entry it may be sent now."""
    home: int = 0
    """Through which entry headquarters has it, as the server said on this stream."""
    said: Head | None = None
    """The lane as it was last claimed on this stream."""
    gap: int = 0
    """The first entry that was not there when those behind it were sent."""
    tail: bool = False
    """Whether entries may be there behind a gap, beyond the last that the claim names."""

    @property
    def worth_saying(self) -> bool:
        """Whether a heartbeat names the lane."""
        return self.home < self.claim.length or self.claim != self.said or self.claim.heard

    @property
    def wanted(self) -> bool:
        """Whether something of it is to be read now."""
        if self.next <= min(self.due, self.claim.last):
            return True
        return self.tail and self.due >= self.claim.last

    def begin(self, stored_through: int) -> None:
        """The server has it through there."""
        self.next = max(stored_through + 1, self.claim.first)
        self.look_behind()

    def grow(self, head: Head) -> None:
        """Takes what is known of it now."""
        known = self.claim
        # Read before something that was read later: what was heard stays heard.
        newer = head if head.length >= known.length and head.last >= known.last else known
        self.tail = self.tail or (newer.claimed > newer.last and newer.length > known.length)
        self.claim = replace(newer, heard=head.heard or known.heard)
        if 0 < self.gap <= self.claim.last:  # what was missing came
            self.next, self.gap = min(self.next, self.gap), 0

    def look_behind(self) -> None:
        """Something came: it may lie behind a gap."""
        self.tail = self.tail or self.claim.claimed > self.claim.last

    def go_back(self, sequence: int) -> None:
        """The server asks for this one again."""
        self.next = max(self.claim.first, min(self.next, sequence))
        self.tail = self.tail or sequence > self.claim.last

    def say(self) -> Head:
        """What a heartbeat claims of it; who was heard is said once."""
        said = self.claim
        self.said = self.claim = quiet(said)
        return said

    def sent(self, entries: list[Entry]) -> None:
        """These went up, which begin at the next or behind it."""
        places = range(self.next, entries[-1].sequence + 1)
        missing = next(
            (n for n, each in zip(places, entries, strict=False) if n != each.sequence), 0
        )
        self.gap = self.gap or (missing if missing > self.claim.last else 0)
        self.next = entries[-1].sequence + 1
        self.tail = self.tail or self.next <= self.claim.claimed  # more than a batch may be there

    def nothing_there(self) -> None:
        """Nothing could be read behind what was sent."""
        self.next = max(self.next, self.claim.last + 1)


def quiet(head: Head) -> Head:
    """The same, now that it was said who was heard."""
    return replace(head, heard=False)
