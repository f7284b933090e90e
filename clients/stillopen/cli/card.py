"""`stillopen card`: what is on a card and who holds it."""

from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import invalid
from stillopen.rpc.wire import money_from
from stillopen.v1 import realtime_pb2

app = typer.Typer(no_args_is_help=True, help="Gift cards at headquarters.")


Number = Annotated[str, typer.Argument(help="The number on the card.")]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with who and when.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def balance(number: Number, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """What is on a card, how much of it is free, and which register holds it.

    Example: stillopen card balance 6001000000000001
    """

    async def work() -> realtime_pb2.GetCardBalanceResponse:
        async with Headquarters(headquarters) as place:
            return await place.card(number)

    found = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(found))
        return
    held = f"held by register {found.locked_by}" if found.locked_by else "free"
    terminal.out.print(f"card ...{found.last_four}: {money_from(found.balance)}, {held}")


@app.command()
def history(number: Number, headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """A card's ledger, and what people did to it.

    Example: stillopen card history 6001000000000001
    """

    async def work() -> realtime_pb2.ListCardEntriesResponse:
        async with Headquarters(headquarters) as place:
            return await place.ledger(number=number)

    found = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(found))
        return
    terminal.show_table(
        ["time", "what", ">amount", "sale"],
        [
            (_time(e.time), e.kind.lower(), money_from(e.amount), e.transaction_id)
            for e in found.entries
        ],
    )
    blocked = ", blocked" if found.blocked else ""
    terminal.out.print(f"balance {money_from(found.balance)}{blocked}")
    if found.actions:
        terminal.show_table(
            ["time", "done", "by", "because"],
            [(_time(a.time), a.action.lower(), a.person, a.reason) for a in found.actions],
        )


@app.command()
def locks(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Open locks: which register holds which card, for which sale, for how much longer.

    Example: stillopen card locks
    """

    async def work() -> list[realtime_pb2.OpenLock]:
        async with Headquarters(headquarters) as place:
            return await place.locks()

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        ["lock", "card", "register", "sale", ">blocks for"],
        [
            (
                each.lock.lock_key.hex(),
                f"...{each.lock.last_four}",
                each.register_id,
                each.transaction_id,
                f"{each.lock.blocks_for.ToSeconds()} s",
            )
            for each in found
        ],
    )


@app.command()
def unlock(
    lock: Annotated[str, typer.Argument(help="The lock, as `card locks` shows it.")],
    reason: Why,
    force: Annotated[bool, typer.Option("--force", help="End it although it blocks.")] = False,
    headquarters: Address = "127.0.0.1:7400",
) -> None:
    """End a register's lock. A sale concluded under it may become an exception.

    Example: stillopen card unlock 0f1e... --reason "register stolen" --force
    """

    async def work() -> realtime_pb2.CardLock:
        try:
            key = bytes.fromhex(lock)
        except ValueError:
            raise invalid("lock", "32 hexadecimal digits") from None
        async with Headquarters(headquarters) as place:
            return await place.end_lock(key, reason, force=force)

    ended = terminal.run(work())
    state = realtime_pb2.LockState.Name(ended.state).removeprefix("LOCK_STATE_").lower()
    terminal.out.print(f"the lock on card ...{ended.last_four} is {state}")


@app.command()
def block(
    number: Number,
    reason: Why,
    lift: Annotated[bool, typer.Option("--lift", help="Lift a block.")] = False,
    headquarters: Address = "127.0.0.1:7400",
) -> None:
    """Block a card, so that it is not locked again; what was locked before goes on.

    Example: stillopen card block 6001000000000001 --reason "reported stolen"
    """

    async def work() -> None:
        async with Headquarters(headquarters) as place:
            await place.block(number, reason, blocked=not lift)

    terminal.run(work())
    terminal.out.print("the card is free to use" if lift else "the card is blocked")


@app.command()
def exceptions(headquarters: Address = "127.0.0.1:7400", json: Json = False) -> None:
    """Card operations that came home and could not be paid.

    Example: stillopen card exceptions
    """

    async def work() -> list[realtime_pb2.CardException]:
        async with Headquarters(headquarters) as place:
            return await place.exceptions()

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    terminal.show_table(
        [">number", "why", ">amount", ">missing", "register", "sale"],
        [
            (
                each.exception_id,
                each.reason,
                money_from(each.operation.amount),
                money_from(each.shortfall),
                each.position.register_id,
                each.transaction_id,
            )
            for each in found
        ],
    )


@app.command()
def resolve(
    exception: Annotated[int, typer.Argument(help="Its number, as `card exceptions` shows it.")],
    reason: Why,
    write_off: Annotated[
        bool, typer.Option("--write-off/--apply", help="Take the loss, or take what is free.")
    ],
    headquarters: Address = "127.0.0.1:7400",
) -> None:
    """Resolve an exception, once.

    Example: stillopen card resolve 7 --apply --reason "customer paid the card up"
    """
    resolution = (
        realtime_pb2.EXCEPTION_RESOLUTION_WRITTEN_OFF
        if write_off
        else realtime_pb2.EXCEPTION_RESOLUTION_APPLIED
    )

    async def work() -> None:
        async with Headquarters(headquarters) as place:
            await place.resolve(exception, resolution, reason)

    terminal.run(work())
    terminal.out.print(f"exception {exception} is {'written off' if write_off else 'applied'}")


def _time(moment: Timestamp) -> str:
    return moment.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
