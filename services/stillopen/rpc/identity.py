"""Who calls: a name in the call's metadata, never in a message.

The name is what the caller says it is; servers bind to loopback by default, so that only processes
of this machine can say it.
"""

from dataclasses import dataclass
from enum import StrEnum

from stillopen.core.errors import Misuse, Reason
from stillopen.core.ids import check_id
from stillopen.rpc.context import Context

KEY = "stillopen-caller"


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

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries."""
        return ((KEY, f"{self.kind}:{self.name}"),)


def caller_of(context: Context, *kinds: CallerKind) -> Caller:
    """Who calls; refuses a call that does not say, and a caller of another kind than `kinds`."""
    text = dict(context.invocation_metadata() or ()).get(KEY, "")
    kind, _, name = (text.decode() if isinstance(text, bytes) else text).partition(":")
    if kind not in set(CallerKind) or not name:
        raise Misuse(Reason.CALLER_UNKNOWN, f"the call carries no valid {KEY}")
    caller = Caller(CallerKind(kind), check_id(name, KEY))
    if kinds and caller.kind not in kinds:
        raise Misuse(Reason.NOT_ALLOWED, f"not for a {caller.kind}")
    return caller
