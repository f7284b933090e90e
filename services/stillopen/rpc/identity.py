"""Who calls: a name and a secret in the call's metadata, never in a message.

A register and a channel have a secret from their activation, a person a token from a sign-in,
headquarters a key of its own. A place that passes a call on for another says so in a third field;
headquarters may for anybody, a channel for its managers alone.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from stillopen.core.errors import Misuse, Reason, Refused
from stillopen.core.ids import check_id
from stillopen.core.permissions import NOTHING, Permission, Permissions, require
from stillopen.rpc.context import Context

KEY = "stillopen-caller"
SECRET_KEY = "stillopen-secret"  # noqa: S105 - a name
FOR_KEY = "stillopen-for"
SECRET_LENGTH_MAX = 200
VOUCHED_BY_CHANNELS: Permissions = frozenset({Permission.UNLOCK_CARD})
"""What a manager may do at headquarters on the word of a store's channel."""


class CallerKind(StrEnum):
    """What calls."""

    REGISTER = "register"
    CHANNEL = "channel"
    HEADQUARTERS = "headquarters"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Caller:
    """A register, a channel, headquarters itself, or a person at a command line."""

    kind: CallerKind
    name: str
    secret: str = field(default="", compare=False, repr=False)
    permissions: Permissions = field(default=NOTHING, compare=False)
    """What a person may do, once somebody looked."""
    retired: bool = field(default=False, compare=False)
    """Whether it is a register that may only deliver."""
    passes_on: "Caller | None" = field(default=None, compare=False)
    """For whom it calls."""

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries."""
        found = [(KEY, f"{self.kind}:{self.name}")]
        if self.secret:
            found.append((SECRET_KEY, self.secret))
        if self.passes_on is not None:
            found.append((FOR_KEY, f"{self.passes_on.kind}:{self.passes_on.name}"))
        return tuple(found)

    def acting_for(self, other: "Caller") -> "Caller":
        """The same, calling for another."""
        return replace(self, passes_on=other)


class Known(Protocol):
    """Who is known here, from memory."""

    def check(self, said: Caller) -> Caller:
        """The caller as it is known; Misuse CALLER_UNKNOWN when the secret is not its own."""
        ...


class House:
    """Where headquarters alone calls: RealtimeService as a process of its own."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def check(self, said: Caller) -> Caller:
        """Headquarters, by the key that both have."""
        same = hmac.compare_digest(said.secret.encode(), self._secret.encode())
        if said.kind is not CallerKind.HEADQUARTERS or not same:
            raise unknown_caller(said)
        return said


class Gate:
    """What every call goes through: who is it, and may it do this."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def caller(self, context: Context, *kinds: CallerKind, retired: bool = False) -> Caller:
        """Who calls; Misuse for one not known or of another kind than `kinds`.

        Refused RETIRED for a retired register, unless `retired` lets it in.
        """
        return self.check(said_caller(context), *kinds, retired=retired)

    def check(self, said: Caller, *kinds: CallerKind, retired: bool = False) -> Caller:
        """The same for one whose word was read before: it may have changed since who is known."""
        caller = self._known.check(said)
        if said.passes_on is not None:
            caller = _vouched(caller, said.passes_on)
        if kinds and caller.kind not in kinds:
            raise Misuse(Reason.NOT_ALLOWED, f"not for a {caller.kind}")
        if caller.retired and not retired:
            raise Refused(Reason.RETIRED, f"register {caller.name} was retired: it only delivers")
        return caller

    def person(self, context: Context, permission: Permission, *also: CallerKind) -> Caller:
        """Headquarters itself, one of `also`, or a person whose role allows it."""
        caller = self.caller(context, CallerKind.PERSON, CallerKind.HEADQUARTERS, *also)
        if caller.kind is CallerKind.PERSON:
            require(caller.permissions, permission, caller.name)
        return caller


def said_caller(context: Context) -> Caller:
    """Who the call says it comes from; nobody has looked yet."""
    said = {
        key: value
        for key, value in context.invocation_metadata() or ()
        if key in (KEY, SECRET_KEY, FOR_KEY) and isinstance(value, str)
    }
    caller = _parse(said.get(KEY, ""), KEY)
    passes_on = _parse(said[FOR_KEY], FOR_KEY) if FOR_KEY in said else None
    return replace(caller, secret=said.get(SECRET_KEY, "")[:SECRET_LENGTH_MAX], passes_on=passes_on)


def _parse(text: str, key: str) -> Caller:
    kind, _, name = text.partition(":")
    if kind not in set(CallerKind) or not name:
        raise Misuse(Reason.CALLER_UNKNOWN, f"the call carries no valid {key}")
    return Caller(CallerKind(kind), check_id(name, key))


def _vouched(voucher: Caller, other: Caller) -> Caller:
    if voucher.kind is CallerKind.HEADQUARTERS:
        return replace(other, permissions=frozenset(Permission))
    if voucher.kind is CallerKind.CHANNEL and other.kind is CallerKind.PERSON:
        return replace(other, permissions=VOUCHED_BY_CHANNELS)
    raise Misuse(Reason.NOT_ALLOWED, f"a {voucher.kind} does not speak for a {other.kind}")


def digest_of(secret: str) -> bytes:
    """What is kept of a secret; nothing of it can be told from that."""
    return hashlib.sha256(secret.encode()).digest()


def unknown_caller(said: Caller) -> Misuse:
    """The one answer for an unknown name and for a wrong secret."""
    return Misuse(
        Reason.CALLER_UNKNOWN,
        f"{said.kind} {said.name} is not known here, or its secret is not the one it was given",
    )
