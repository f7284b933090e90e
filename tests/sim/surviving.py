"""P8: an open sale is what was last answered, or what a write that was sent since makes of it.

Where the disk of a register went, went back or was cloned, its sales begin anew, each as that
register alone shows it from then on: two disks may have one sale, and each goes on by itself.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.sim.history import Event, Kind
from tests.sim.record import Record

from stillopen.v1 import types_pb2

SUSPENDED = types_pb2.SALE_STATE_SUSPENDED


def p8_an_open_sale_survives(record: Record) -> Iterator[str]:
    """A sale is what was last answered, or what a write that was sent since makes of it."""
    sales = _Sales()
    for event in record.history.events:
        if event.kind is Kind.PUT_BACK:
            sales.begin_anew(event.register)
        else:
            yield from sales.follow(event)
    for name, event in sales.late.items():
        yield f"sale {name}: the only write that saw version {event.version} came too late"


class _Sales:
    """What is known of every sale so far."""

    def __init__(self) -> None:
        self.late: dict[str, Event] = {}
        """Writes that were refused although nothing else had seen their version."""
        self._known: dict[str, types_pb2.Sale] = {}
        self._asked: Counter[tuple[str, int]] = Counter()
        self._seen_at: dict[str, set[str]] = defaultdict(set)
        self._anew: set[str] = set()
        """Sales that stood on a disk which went back."""
        self._stale: set[tuple[str, int]] = set()
        """Writes of who saw a sale before its disk went back."""
        self._sent: dict[tuple[str, str], int] = {}
        """The version that the last write of a register saw, by register and sale."""

    def begin_anew(self, register: str) -> None:
        """What the register showed may be older now, or gone."""
        names = {name for name, places in self._seen_at.items() if register in places}
        self._anew |= names
        self._stale |= {write for write in self._asked if write[0] in names}
        for name in names:
            self._known.pop(f"{name} at {register}", None)
            self.late.pop(f"{name} at {register}", None)
            self.late.pop(name, None)

    def follow(self, event: Event) -> Iterator[str]:
        """One more step of a sale."""
        name, sale = event.transaction_id, event.sale
        self._seen_at[name].add(event.register)
        if name in self._anew and event.method == "ListSuspended":
            return  # what another disk made of it
        key = f"{name} at {event.register}" if name in self._anew else name
        known = self._known.get(key)
        is_known = known is not None or name not in self._anew
        if event.kind is Kind.SENT:
            self._asked[name, event.version] += 1
            self._stale.discard((name, event.version))
            if not is_known:  # who has not looked since the disk went back saw what was there
                self._stale.add((name, event.version))
            self._sent[event.register, name] = event.version
        too_late = event.kind is Kind.REFUSED and event.method == "VERSION_OLD"
        is_stale = (name, event.version) in self._stale
        if sale is not None and self._is_of_before(event, known):
            self._known.pop(key, None)
            return
        # Another write that saw this version may have come twice; the only one may not fail.
        if too_late and is_known and not is_stale and self._asked[name, event.version] == 1:
            self.late[key] = event
        if sale is not None:
            if key in self.late and _gave_up_cards(known, sale):
                del self.late[key]  # nobody had touched it for half an hour
            if is_known:
                yield from _follows(known, sale, self._asked)
            self._known[key] = sale

    def _is_of_before(self, event: Event, known: types_pb2.Sale | None) -> bool:
        """Whether an answer may have been on its way when the disk went back, and tells of that."""
        name, sale = event.transaction_id, event.sale
        saw = self._sent.get((event.register, name), 0)
        if event.kind is not Kind.ANSWERED or sale is None or (name, saw) not in self._stale:
            return False
        return known is None or any(_follows(known, sale, self._asked))


def _without_numbers(sale: types_pb2.Sale) -> types_pb2.Sale:
    """The sale as it is shown while nobody is signed in: numbers of memos are money."""
    shown = types_pb2.Sale()
    shown.CopyFrom(sale)
    for tender in shown.tenders:
        if tender.card.new_memo.number:
            tender.card.new_memo.ClearField("number")
    return shown


def _follows(
    before: types_pb2.Sale | None, sale: types_pb2.Sale, asked: Counter[tuple[str, int]]
) -> Iterator[str]:
    name, version = sale.transaction_id, sale.version
    recalled = before is not None and _is_finished_recall(before)
    if before is None:
        # A recall that was answered late may have been finished by the register meanwhile.
        if version != 1 and not (version == 2 and sale.recalled_from):
            yield f"sale {name} began with version {version}"
    elif version == before.version:
        if sale != before and _without_numbers(sale) != _without_numbers(before):
            yield f"version {version} of sale {name} is not what it was"
    elif version != before.version + 1:
        yield f"sale {name} went from version {before.version} to {version}"
    elif not asked[name, before.version] and not (recalled and asked[name, 0]):
        yield f"sale {name} has version {version}, and nobody asked for it"
    elif not _grew(before, sale):
        yield f"sale {name} lost lines or payments with version {version}"


def _grew(before: types_pb2.Sale, after: types_pb2.Sale) -> bool:
    """Whether nothing that was on the sale is gone: lines and tenders are voided, never removed."""
    lines = [line.line_id for line in before.lines]
    tenders = [tender.line_id for tender in before.tenders]
    kept_lines = [line.line_id for line in after.lines][: len(lines)]
    kept_tenders = [tender.line_id for tender in after.tenders][: len(tenders)]
    return (lines, tenders) == (kept_lines, kept_tenders)


def _gave_up_cards(before: types_pb2.Sale | None, after: types_pb2.Sale) -> bool:
    """Whether the register ended a card's tender by itself, with the next version."""
    if before is None or after.version != before.version + 1:
        return False
    was = {tender.line_id for tender in before.tenders if not tender.voided}
    return any(t.voided and t.HasField("card") and t.line_id in was for t in after.tenders)


def _is_finished_recall(sale: types_pb2.Sale) -> bool:
    """Whether its register suspended it under the id that a recall had named."""
    return sale.version == 1 and sale.state == SUSPENDED and bool(sale.recalled_from)
