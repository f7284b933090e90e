"""Hears what is asked of the cards where they are, and writes it down."""

import asyncio

from google.protobuf.message import Message
from tests.sim.card_calls import NEVER, CardCall, CardCalls, Run
from tests.sim.exchange import Exchange
from tests.sim.frames import Status

_SERVICE = "/stillopen.v1.RealtimeService/"


class CardEar:
    """An `Ear` of the network for the card service at one address."""

    def __init__(self, address: str, heard: CardCalls) -> None:
        self._address = address
        self._heard = heard
        self._number = 0
        self._open: dict[int, CardCall] = {}

    def opened(self, address: str) -> None:
        """A server process begins."""
        if address == self._address:
            self._heard.runs.append(Run(_now_s()))

    def asked(self, exchange: Exchange, request: object) -> None:
        """A call is about to be worked on."""
        method = exchange.terms.method
        if exchange.target != self._address or not method.startswith(_SERVICE):
            return
        if not isinstance(request, Message):
            return  # its caller gave up before it was read
        said = dict(exchange.terms.metadata)
        run = self._heard.runs[-1]
        self._number += 1
        call = CardCall(
            method.removeprefix(_SERVICE),
            str(said.get("stillopen-for") or said.get("stillopen-caller") or ""),
            request,
            len(self._heard.runs) - 1,
            self._number,
            _now_s(),
        )
        run.heard_s = min(run.heard_s, call.asked_s)
        self._heard.calls.append(call)
        self._open[exchange.serial] = call

    def answered(self, exchange: Exchange, status: Status) -> None:
        """Its answer leaves the server."""
        call = self._open.pop(exchange.serial, None)
        if call is None:
            return
        self._number += 1
        call.answered, call.answered_s, call.answer = self._number, _now_s(), status.body
        if status.body is None:
            call.refused = str(dict(status.trailers).get("stillopen-reason", "UNKNOWN"))

    def ended(self, address: str) -> None:
        """The process is no more."""
        runs = self._heard.runs
        if address == self._address and runs and runs[-1].ended == NEVER:
            self._number += 1
            runs[-1].ended, runs[-1].ended_s = self._number, _now_s()
            self._open.clear()

    def lost_power(self, machine: str) -> None:
        """What was answered was durable: nothing to be noted."""


def _now_s() -> float:
    return asyncio.get_running_loop().time()
