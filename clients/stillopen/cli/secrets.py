"""Passwords and codes from people: typed without an echo, or read from standard input."""

import sys

import typer

from stillopen.core.errors import invalid
from stillopen.core.products import check_password


def ask_password(prompt: str = "Password", *, from_stdin: bool = False) -> str:
    """A password that exists; the first line of standard input when asked so."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise invalid("password", "nobody can be asked here; use --password-stdin")
    return str(typer.prompt(prompt, hide_input=True, err=True))


def ask_new_password(*, from_stdin: bool = False) -> str:
    """A new password, typed twice."""
    if from_stdin or not sys.stdin.isatty():
        return check_password(ask_password(from_stdin=from_stdin))
    return check_password(
        str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
    )
