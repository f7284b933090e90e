"""How commands speak: tables and colours on a terminal, JSON when asked, errors in one line."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import NoReturn, TypeVar

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from stillopen.core.errors import Reason, Refused, StillopenError, Unreachable

T = TypeVar("T")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

EXIT_REFUSED = 1
EXIT_MISUSE = 2
EXIT_UNREACHABLE = 3

Json = Mapping[str, object] | Sequence[object] | str | int | float | bool | None


def run(work: Coroutine[object, object, T]) -> T:
    """Runs a command's work; an error that a user can mend ends it with one line."""
    try:
        return asyncio.run(work)
    except StillopenError as error:
        fail(error)
    except (OSError, sqlite3.Error) as error:
        name = getattr(error, "filename", None)
        why = getattr(error, "strerror", None) or error
        err.print(f"[red]error[/] {f'{name}: ' if name else ''}{why}", soft_wrap=True)
        raise typer.Exit(EXIT_MISUSE) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(error: StillopenError) -> NoReturn:
    """Says what was wrong on standard error and exits: 1 refused, 2 misuse, 3 unreachable."""
    err.print(f"[red]error[/] [bold]{error.reason}[/] {error.message}", soft_wrap=True)
    if error.reason is Reason.CALLER_UNKNOWN:
        hint = "[bold]stillopen sign-in NAME[/], with the same --headquarters ADDRESS"
        err.print(f"sign in first: {hint}", soft_wrap=True)
    if isinstance(error, Refused):
        raise typer.Exit(EXIT_REFUSED)
    raise typer.Exit(EXIT_UNREACHABLE if isinstance(error, Unreachable) else EXIT_MISUSE)


def show_json(value: Json) -> None:
    """Prints one JSON object, alone on standard output."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def as_json(message: Message) -> dict[str, object]:
    """A message as JSON with the contract's field names."""
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def time_text(moment: Timestamp) -> str:
    """A moment as people read it, UTC."""
    return moment.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")


def show_table(columns: Iterable[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Prints a table; columns that begin with > are numbers."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    out.print(table)
    if not table.row_count:
        out.print("[dim] none[/]")
