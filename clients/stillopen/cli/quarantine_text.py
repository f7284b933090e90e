"""What people are told of an entry that is in no effect: what that means, and what to do."""

from dataclasses import dataclass

from google.protobuf.json_format import SerializeToJsonError
from rich.markup import escape

from stillopen.cli import terminal
from stillopen.core.lanes import epoch_text
from stillopen.rpc.wire import money_from
from stillopen.v1 import headquarters_pb2, types_pb2

SHORT = 8


@dataclass(frozen=True, slots=True)
class Meaning:
    """A state for people."""

    name: str
    means: str
    next: str


QUARANTINE = Meaning(
    "in quarantine",
    "it is kept, and could not be applied",
    "Where this version cannot read it, upgrade headquarters: a new version tries it by itself when"
    " it starts. Where something else was wrong, mend that, then: stillopen quarantine retry. The"
    " same transaction under another key stays here: look at both, and do nothing if they are one"
    " sale.",
)
DAMAGED = Meaning(
    "damaged",
    "its bytes changed on the way, or on the register's disk",
    "It is applied by itself when intact bytes come: let the register connect once more, or bring"
    " its journal by file (stillopen journal export). If there are none, the receipt on paper is"
    " what is left of the sale.",
)
CONFLICT = Meaning(
    "in conflict",
    "another entry has its place in the journal, and that one counts",
    "One register ran twice, from two copies of one disk. Stop one of the two; compare both entries"
    " (stillopen quarantine show); a sale of its own has to be put right by hand. Then: stillopen"
    " lane acknowledge.",
)
UNKNOWN = Meaning("in no effect", "headquarters is newer than this command", "Upgrade it.")

MEANINGS = {
    headquarters_pb2.QUARANTINE_STATE_QUARANTINED: QUARANTINE,
    headquarters_pb2.QUARANTINE_STATE_DAMAGED: DAMAGED,
    headquarters_pb2.QUARANTINE_STATE_CONFLICT: CONFLICT,
}


def meaning(entry: headquarters_pb2.QuarantinedEntry) -> Meaning:
    """What its state means."""
    return MEANINGS.get(entry.state, UNKNOWN)


def show_entries(entries: list[headquarters_pb2.QuarantinedEntry]) -> None:
    """Prints a table of them."""
    terminal.show_table(
        ["register", "lane", ">entry", "is", "since (UTC)", "receipt", "why"],
        [
            (
                escape(each.position.register_id),
                epoch_text(each.position.epoch)[:SHORT],
                each.position.sequence,
                meaning(each).name,
                terminal.time_text(each.since_time) if each.HasField("since_time") else "",
                escape(each.receipt_number or each.transaction_id),
                escape(each.reason),
            )
            for each in entries
        ],
    )


def show_meanings(entries: list[headquarters_pb2.QuarantinedEntry]) -> None:
    """Prints what their states mean and what to do, each once."""
    for said in dict.fromkeys(map(meaning, entries)):
        terminal.out.print(f"[bold]{said.name}[/]: {said.means}. {said.next}")


def show_one(found: headquarters_pb2.GetQuarantinedResponse) -> None:
    """Prints one entry in full."""
    entry = found.entry
    place = entry.position
    said = meaning(entry)
    rows = [
        ("entry", f"{place.sequence} of register {place.register_id}"),
        ("lane", epoch_text(place.epoch)),
        ("is", f"{said.name}: {said.means}"),
        ("why", entry.reason),
        ("since (UTC)", terminal.time_text(entry.since_time) if entry.since_time.seconds else ""),
        ("sale", entry.transaction_id),
        ("receipt", entry.receipt_number),
        ("says", _says(found.record) if found.HasField("record") else "nothing that can be read"),
        ("bytes", str(entry.size)),
        ("digest", entry.digest.hex()),
        ("first digest", found.first_digest.hex()),
    ]
    terminal.show_table(["", ""], [(name, escape(text)) for name, text in rows if text])
    terminal.out.print(f"[bold]what to do[/]: {said.next}")


def as_json(found: headquarters_pb2.GetQuarantinedResponse) -> dict[str, object]:
    """One entry as JSON; what it says is left out where JSON cannot say it."""
    try:
        return terminal.as_json(found)
    except (SerializeToJsonError, ValueError, OverflowError):  # a time beyond all years, say
        less = headquarters_pb2.GetQuarantinedResponse()
        less.CopyFrom(found)
        less.ClearField("record")
        return terminal.as_json(less)


def _says(record: types_pb2.JournalRecord) -> str:
    match record.WhichOneof("record"):
        case "sale":
            total = money_from(record.sale.total)
            return f"a sale by {record.sale.staff_id} for {total}, {len(record.sale.lines)} lines"
        case "unlock":
            return f"that a card was given up, of sale {record.unlock.transaction_id}"
        case _:
            return "something that this command is too old for"
