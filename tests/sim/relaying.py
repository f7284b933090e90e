"""What channels make of their callers' time: a card call that is passed on gets less than it had.

So the channel always answers before its caller gives up, and losing headquarters never looks like
losing the channel (H13).
"""

from google.protobuf.message import Message
from tests.sim.exchange import Exchange
from tests.sim.frames import Status
from tests.sim.history import History
from tests.sim.world import store_address

SERVICE = "/stillopen.v1.RealtimeService/"
RESERVE_S = 0.2
"""Less than the relay keeps for itself at least."""


class Relays:
    """Compares each card call at headquarters with the one at the channel that passed it on.

    An `Ear` of the network.
    """

    def __init__(self, headquarters: str, history: History) -> None:
        self._headquarters = headquarters
        self._history = history
        self._callers_s: dict[tuple[str, str, bytes], float] = {}
        """By channel, method and request: how long the register that asks waits, at most."""

    def opened(self, address: str) -> None:
        """A server process begins."""

    def asked(self, exchange: Exchange, request: object) -> None:
        """A call is about to be worked on."""
        terms = exchange.terms
        if isinstance(request, Message) and terms.timeout_s and terms.method.startswith(SERVICE):
            is_passed_on = exchange.target == self._headquarters
            channel = store_address(exchange.source) if is_passed_on else exchange.target
            key = channel, terms.method, request.SerializeToString(deterministic=True)
            if not is_passed_on:
                self._callers_s[key] = max(self._callers_s.get(key, 0.0), terms.timeout_s)
            elif key in self._callers_s:
                self._compare(exchange.source, terms.timeout_s, self._callers_s[key])

    def answered(self, exchange: Exchange, status: Status) -> None:
        """Its answer leaves the server."""

    def ended(self, address: str) -> None:
        """The process is no more."""

    def lost_power(self, machine: str) -> None:
        """A machine stopped."""

    def _compare(self, channel: str, passed_on_s: float, caller_s: float) -> None:
        if passed_on_s > caller_s - RESERVE_S:
            self._history.surprises.append(
                f"{channel} gives headquarters {passed_on_s:.3f} s of the {caller_s:.3f} s for"
                " which its caller waits"
            )
