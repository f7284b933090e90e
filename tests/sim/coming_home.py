"""P1 and P2: every receipt and every entry of every journal is at headquarters, once.

What only a lost disk held may be missing; then headquarters says that something is. A sale that two
disks had open (an image was put back, or cloned) may end twice: one end counts, and the other is in
quarantine, where a person finds it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tests.sim.losses import ALARMS, ON_ANY_DAY, Fate, Key, LaneKey, Losses, Written
from tests.sim.record import Record

from stillopen.v1 import headquarters_pb2, types_pb2

FINAL = {"COMPLETED": types_pb2.SALE_STATE_COMPLETED, "VOIDED": types_pb2.SALE_STATE_VOIDED}
_ALARM = "LANE_ALARM_KIND_"
_End = tuple[str, int]
"""A sale, and how it ended."""


def p1_nothing_printed_is_lost(record: Record) -> Iterator[str]:
    """Every receipt that was handed out is at headquarters, the same in every line.

    One that only a lost disk held is not, and headquarters knows that something is missing.
    """
    losses = Losses(record.history.losses)
    home = {each.sale.transaction_id: each for each in record.answers.transactions}
    repeats = {place_of(each.entry.position): each for each in record.answers.quarantined}
    gone = losses.gone
    for place, printed in record.history.printed.items():
        name = printed.transaction_id
        found, repeat = home.get(name), repeats.get(place)
        if found is not None and place_of(found.position) == place:
            if found.sale != on_paper(printed):
                yield f"sale {name} at headquarters is not what was printed"
        elif repeat is not None and found is not None and losses.repeats(place[0]):
            if repeat.record.sale != on_paper(printed):
                yield f"sale {name} in quarantine is not what was printed"
        elif place in gone:
            yield from _untold(record, losses, place, printed)
        elif found is None:
            yield f"receipt {printed.receipt.receipt_number} of sale {name} is not at headquarters"
        else:
            yield f"sale {name} is not where its receipt says"


def p2_exactly_once(record: Record) -> Iterator[str]:
    """Every entry of every journal is at headquarters once, and nothing else is."""
    losses = Losses(record.history.losses)
    written = _written(record, losses)
    yield from _lanes(record, losses, written)
    yield from _sales(record, losses, written)
    yield from _alarms(record, losses, written)


def place_of(position: types_pb2.JournalPosition) -> Key:
    """Where an entry stands."""
    return position.register_id, position.epoch, position.sequence


def on_paper(printed: types_pb2.Sale) -> types_pb2.Sale:
    """A sale as its journal entry has it: without its receipt, and without numbers of memos."""
    copy = types_pb2.Sale()
    copy.CopyFrom(printed)
    copy.ClearField("receipt")
    for tender in copy.tenders:  # numbers are on paper only
        if tender.card.new_memo.number:
            tender.card.new_memo.ClearField("number")
    return copy


def _untold(record: Record, losses: Losses, place: Key, printed: types_pb2.Sale) -> Iterator[str]:
    """H20: the head that was claimed is known, so that what is missing is."""
    answer = record.answers.completeness
    lanes = {(lane.register_id, lane.epoch): lane for lane in answer.lanes}
    if losses.claimed.get(place[:2], 0) < place[2]:
        return  # nobody had heard of it
    lane = lanes.get(place[:2])
    misses = lane is not None and lane.claimed_head >= place[2] and lane.stored < lane.claimed_head
    if lane is None or not misses or (answer.complete and not lane.declared_lost):
        number = printed.receipt.receipt_number
        yield f"receipt {number} went with its disk, and headquarters does not say so"


def _written(record: Record, losses: Losses) -> dict[Key, Written]:
    """Every entry of every journal, those of lost disks too."""
    lines = (line for lines in record.answers.journals.values() for line in lines)
    last = {place_of(x.position): Written(x.kind, x.transaction_id) for x in lines}
    return losses.written | last


def _lanes(record: Record, losses: Losses, written: Mapping[Key, Written]) -> Iterator[str]:
    answer = record.answers.completeness
    repeats = Counter(place_of(x.entry.position)[:2] for x in record.answers.quarantined)
    may, must = Counter(key[:2] for key in written), Counter[LaneKey]()
    must.update(key[:2] for key in written.keys() - losses.gone)
    for lane in answer.lanes:
        key = (lane.register_id, lane.epoch)
        name = f"lane {lane.register_id}/{lane.epoch:016x}"
        if not must[key] <= lane.stored <= may[key]:
            few, many = must.pop(key, 0), may[key]
            yield f"{name} has {lane.stored} entries, its journals have {few} to {many}"
        must.pop(key, None)
        if lane.applied + repeats[key] != lane.stored or lane.quarantined != repeats[key]:
            yield f"{name} is not worked off: {_brief(lane)}"
        if lane.conflicts or lane.damaged:
            yield f"{name} has entries that are wrong: {_brief(lane)}"
        misses = lane.claimed_head != lane.stored or lane.claimed_head != lane.stored_through
        if misses and not (may[key] and key in losses.lanes and lane.declared_lost):
            yield f"{name} is not complete: {_brief(lane)}"
    yield from (f"headquarters knows nothing of lane {key}" for key in sorted(must))
    if not answer.complete and not repeats:
        yield "headquarters is not complete"


def _sales(record: Record, losses: Losses, written: Mapping[Key, Written]) -> Iterator[str]:
    """Each final sale is home under its key, or another end of it is, and this one beside it."""
    home: dict[Key, _End] = {}
    for each in record.answers.transactions:
        home[place_of(each.position)] = (each.sale.transaction_id, each.sale.state)
    times = Counter(each.sale.transaction_id for each in record.answers.transactions)
    yield from (f"sale {name} is at headquarters {n} times" for name, n in times.items() if n > 1)
    ends = {key: (x.transaction_id, FINAL[x.kind]) for key, x in written.items() if x.kind in FINAL}
    yield from _ended_twice(losses, ends)
    beside: set[Key] = set()
    for kept in record.answers.quarantined:
        key = place_of(kept.entry.position)
        beside.add(key)
        end = (kept.record.sale.transaction_id, kept.record.sale.state)
        is_repeat = ends.get(key) == end and end[0] in times and _may_end_twice(losses, end[0], key)
        if not is_repeat or kept.entry.state != headquarters_pb2.QUARANTINE_STATE_QUARANTINED:
            yield f"entry {key} is in quarantine: {kept.entry.reason}"
    for key in sorted(ends.keys() - losses.gone - beside):
        if home.get(key) != ends[key]:
            yield f"sale {ends[key][0]} did not come home"
    for key in sorted(home):
        if ends.get(key) != home[key]:
            yield f"sale {home[key][0]} came from nowhere"


def _ended_twice(losses: Losses, ends: Mapping[Key, _End]) -> Iterator[str]:
    by_name: dict[str, list[Key]] = defaultdict(list)
    for key, (name, _) in ends.items():
        by_name[name].append(key)
    for name, keys in by_name.items():
        if len(keys) > 1 and not all(_may_end_twice(losses, name, key) for key in keys):
            yield f"sale {name} is {len(keys)} times in journals"


def _may_end_twice(losses: Losses, name: str, key: Key) -> bool:
    """Whether the sale stood on an image of its register that was put back, or cloned."""
    return losses.repeats(key[0]) and name in losses.sales


def _alarms(record: Record, losses: Losses, written: Mapping[Key, Written]) -> Iterator[str]:
    """Alarms of lanes are those that calamities make, each of them; docs/design.md, Lanes."""
    answer = record.answers.completeness
    raised: set[tuple[LaneKey, str]] = set()
    for alarm in (*(a for lane in answer.lanes for a in lane.alarms), *answer.other_alarms):
        kind = types_pb2.LaneAlarmKind.Name(alarm.kind).removeprefix(_ALARM)
        raised.add(((alarm.register_id, alarm.epoch), kind))
        may = {each for fate in losses.fates(alarm.register_id) for each in ALARMS.get(fate, ())}
        if kind not in may | ON_ANY_DAY:
            yield f"lane {alarm.register_id}/{alarm.epoch:016x} is said to be {kind}"
    if not losses:
        return
    parents = {lane: after for x in record.history.losses for lane, after in x.parents.items()}
    parents |= record.history.parents
    sure = written.keys() - losses.gone
    known = {lane: after for lane, after in parents.items() if (*lane, 1) in sure}
    yield from _no_alarm(record, known, raised)
    yield from _no_word_of_less(losses, raised)


def _no_alarm(
    record: Record,
    known: Mapping[LaneKey, tuple[int, int]],
    raised: set[tuple[LaneKey, str]],
) -> Iterator[str]:
    """Two lanes after one entry are CLONED, two after none REPLACED; one that outgrew its child
    RESTORED.
    """
    heads = {(x.register_id, x.epoch): x.claimed_head for x in record.answers.completeness.lanes}
    siblings: dict[tuple[str, int, int], list[LaneKey]] = defaultdict(list)
    for lane, (epoch, sequence) in known.items():
        siblings[lane[0], epoch, sequence].append(lane)
        before = (lane[0], epoch)
        if epoch and heads.get(before, 0) > sequence and (before, "RESTORED") not in raised:
            yield f"lane {before} outgrew {lane}, and headquarters does not say RESTORED"
    for (register, epoch, _), lanes in siblings.items():
        kind = "CLONED" if epoch else "REPLACED"
        if len(lanes) > 1 and not any((lane, kind) in raised for lane in lanes):
            yield f"{register} has lanes {lanes} beside each other, and nobody says {kind}"


def _no_word_of_less(losses: Losses, raised: set[tuple[LaneKey, str]]) -> Iterator[str]:
    """A register that claims less of a lane than it did is said to be LOST, by its channel."""
    if losses.of(Fate.CHANNEL_RESTORED):
        return  # it forgot how much that was
    for loss in losses.of(Fate.RESTORED):
        if losses.went_again(loss):
            continue  # perhaps before it said a word
        for lane, head in loss.claimed.items():
            if 0 < loss.left.get(lane, 0) < head and (lane, "LOST") not in raised:
                yield f"lane {lane} went back from {head}, and headquarters does not say LOST"


def _brief(message: object) -> str:
    return " ".join(str(message).split())
