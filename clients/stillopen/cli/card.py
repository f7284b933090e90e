"""`stillopen card`: what is on a card and who holds it."""

from typing import Annotated

import typer

from stillopen.cli import terminal
from stillopen.cli.headquarters import Headquarters
from stillopen.core.errors import invalid
from stillopen.core.ids import new_lock_key
from stillopen.core.money import Money, parse_money
from stillopen.core.purpose import CardKind
from stillopen.rpc.machine import system_random
from stillopen.rpc.wire import money_from, money_to
from stillopen.v1 import realtime_pb2, types_pb2

app = typer.Typer(no_args_is_help=True, help="Gift cards and credit memos at headquarters.")


Number = Annotated[str, typer.Argument(help="The number on the card.")]
Address = Annotated[str, typer.Option("--headquarters", help="Address of headquarters.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with who and when.")]
Memo = Annotated[bool, typer.Option("--memo", help="The number is a credit memo's.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def balance(
    number: Number,
    memo: Memo = False,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """What is on a card, how much of it is free, and which register holds it.

    Example: stillopen card balance 6001000000000001
    """

    async def work() -> realtime_pb2.GetCardBalanceResponse:
        async with Headquarters(headquarters) as place:
            return await place.card(number, _kind(memo=memo))

    found = terminal.run(work())
    if json:
        terminal.show_json(terminal.as_json(found))
        return
    held = f", held by register {found.locked_by}" if found.locked_by else ""
    whole = found.free == found.balance
    free = "free" if whole else f"{money_from(found.free)} of it free"
    terminal.out.print(f"card ...{found.last_four}: {money_from(found.balance)}, {free}{held}")


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
            (terminal.time_text(e.time), e.kind.lower(), money_from(e.amount), e.transaction_id)
            for e in found.entries
        ],
    )
    blocked = ", blocked" if found.blocked else ""
    kind = "credit memo" if found.kind == types_pb2.CARD_KIND_CREDIT_MEMO else "gift card"
    state = "" if found.state == "OPEN" else f", {found.state.lower()}"
    terminal.out.print(f"{kind}, balance {money_from(found.balance)}{state}{blocked}")
    if found.actions:
        terminal.show_table(
            ["time", "done", "by", "because"],
            [
                (terminal.time_text(a.time), a.action.lower(), a.person, a.reason)
                for a in found.actions
            ],
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
    reason: Why,
    lock: Annotated[str, typer.Argument(help="The lock, as `card locks` shows it.")] = "",
    number: Annotated[str, typer.Option(help="Or the number on the card: all its locks.")] = "",
    memo: Memo = False,
    force: Annotated[bool, typer.Option("--force", help="End it although it blocks.")] = False,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """End what holds a card. A sale concluded under it may become an exception.

    Example: stillopen card unlock 0f1e... --reason "register stolen" --force
    """

    async def work() -> list[realtime_pb2.CardLock]:
        if bool(lock) == bool(number):
            raise invalid("lock", "name the lock, or with --number the card")
        async with Headquarters(headquarters) as place:
            if number:
                kind = _kind(memo=memo)
                return await place.end_locks_of(number, kind, reason, force=force)
            try:
                key = bytes.fromhex(lock)
            except ValueError:
                raise invalid("lock", "32 hexadecimal digits") from None
            return [await place.end_lock(key, reason, force=force)]

    found = terminal.run(work())
    if json:
        terminal.show_json([terminal.as_json(each) for each in found])
        return
    for ended in found:
        state = realtime_pb2.LockState.Name(ended.state).removeprefix("LOCK_STATE_").lower()
        terminal.out.print(f"the lock on card ...{ended.last_four} is {state}")


@app.command()
def adjust(
    number: Number,
    change: Annotated[str, typer.Argument(help="What is added, e.g. 5.00; -- -5.00 takes away.")],
    reason: Why,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Add to a card's ledger by hand, or take away what nobody holds.

    Example: stillopen card adjust 6001000000000001 5.00 --reason "goodwill"
    """
    name = new_lock_key(system_random()).hex()

    async def work() -> Money:
        async with Headquarters(headquarters) as place:
            currency = (await place.parameters()).currency
            money = parse_money(change, currency, "change")
            return await place.adjust(number, money, reason, name)

    left = terminal.run(work())
    if json:
        terminal.show_json({"balance": terminal.as_json(money_to(left))})
        return
    terminal.out.print(f"the card has {left}")


@app.command()
def block(
    number: Number,
    reason: Why,
    lift: Annotated[bool, typer.Option("--lift", help="Lift a block.")] = False,
    headquarters: Address = "127.0.0.1:7400",
    json: Json = False,
) -> None:
    """Block a card, so that it is not locked again; what was locked before goes on.

    Example: stillopen card block 6001000000000001 --reason "reported stolen"
    """

    async def work() -> None:
        async with Headquarters(headquarters) as place:
            await place.block(number, reason, blocked=not lift)

    terminal.run(work())
    if json:
        terminal.show_json({"blocked": not lift})
        return
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
        [">number", "what", "why", ">amount", ">missing", "register", "sale"],
        [
            (
                each.exception_id,
                _purpose(each.operation.purpose),
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
    json: Json = False,
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
    became = "written off" if write_off else "applied"
    if json:
        terminal.show_json({"exception": exception, "resolution": became})
        return
    terminal.out.print(f"exception {exception} is {became}")


def _kind(*, memo: bool) -> CardKind:
    return CardKind.CREDIT_MEMO if memo else CardKind.GIFT_CARD


def _purpose(number: types_pb2.CardPurpose.ValueType) -> str:
    name = types_pb2.CardPurpose.Name(number).removeprefix("CARD_PURPOSE_")
    return name.lower().replace("_", "-")
