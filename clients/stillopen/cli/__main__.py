"""The `stillopen` command.

A command imports what it needs and no other does: most of the time that a small one takes is that.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

import typer


@dataclass(frozen=True, slots=True)
class _Where:
    """Where a command is: the module, the name in it, and whether it is a group of commands."""

    module: str
    name: str = "app"
    group: bool = True


def _alone(module: str, name: str) -> _Where:
    return _Where(module, name, group=False)


COMMANDS: dict[str, _Where] = {
    "sign-in": _alone("people", "sign_in"),
    "sign-out": _alone("people", "sign_out"),
    "who": _alone("people", "who"),
    "role": _Where("people", "roles"),
    "headquarters": _Where("begin"),
    "serve": _Where("serve"),
    "import": _Where("imports"),
    "export": _Where("exports"),
    "remove": _alone("removals", "remove"),
    "status": _alone("status", "status"),
    "wait": _alone("wait", "wait"),
    "journal": _Where("journal"),
    "card": _Where("card"),
    "lane": _Where("lane"),
    "quarantine": _Where("quarantine"),
    "group": _Where("group"),
    "store": _Where("store"),
    "register": _Where("install", "register"),
    "channel": _Where("install", "channel"),
    "parameters": _Where("parameters"),
    "profile": _Where("profile"),
    "period": _Where("period"),
    "schedule": _Where("schedule"),
    "replica": _Where("replica"),
    "package": _Where("package"),
    "compare": _alone("compare", "compare"),
    "session": _Where("session"),
    "audit": _Where("audit"),
    "returns": _Where("returns"),
    "demo": _alone("demo", "demo"),
}
"""Every command; help shows those that stand alone first, then the groups, each in this order."""


def made_of(names: Iterable[str]) -> typer.Typer:
    """The command with some of its commands."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        help="Stillopen: the network goes down, the shop is still open.",
    )
    app.callback()(lambda: None)  # one command alone would lose its name
    for name in names:
        where = COMMANDS[name]
        found: object = getattr(import_module(f"stillopen.cli.{where.module}"), where.name)
        if where.group:
            app.add_typer(cast("typer.Typer", found), name=name)
        else:
            app.command(name)(cast("Callable[..., None]", found))
    return app


def main() -> None:
    """Runs the command."""
    asked = [name for name in sys.argv[1:2] if name in COMMANDS]
    made_of(asked or COMMANDS)(prog_name="stillopen")


if __name__ == "__main__":
    main()
