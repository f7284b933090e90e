"""Who calls is proved with every call, and nobody acts for another."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol, cast

import grpc.aio
import pytest
import zstandard
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tests.support import callers
from tests.support.estate import Estate
from tests.support.estate_messages import CHANNEL, R1, R2, ask, lock_of
from tests.support.estate_parts import GIFT, ME

from stillopen.core.errors import Reason, StillopenError
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.status import error_of
from stillopen.v1 import (
    channel_data_pb2,
    headquarters_pb2,
    realtime_pb2,
    sync_pb2,
)

TIMEOUT_S = 10.0
SERVICES = {
    each.full_name: each
    for each in (
        headquarters_pb2.DESCRIPTOR.services_by_name["HeadquartersService"],
        realtime_pb2.DESCRIPTOR.services_by_name["RealtimeService"],
        channel_data_pb2.DESCRIPTOR.services_by_name["ChannelDataService"],
        sync_pb2.DESCRIPTOR.services_by_name["SyncService"],
    )
}
NEED_NO_SECRET = {
    ("stillopen.v1.HeadquartersService", "SignIn"),
    ("stillopen.v1.HeadquartersService", "ActivateChannel"),
    ("stillopen.v1.ChannelDataService", "ActivateRegister"),
}
"""Where one is given out, against a password or a code."""
METHODS = [
    (name, method)
    for name, service in SERVICES.items()
    for method in service.methods
    if (name, method.name) not in NEED_NO_SECRET
]


class Stream(Protocol):
    """A call of any kind, begun."""

    def __aiter__(self) -> AsyncIterator[Message]: ...


@dataclass(frozen=True)
class Asked:
    """One call of any kind, with an empty request."""

    channel: grpc.aio.Channel
    service: str
    method: MethodDescriptor

    async def by(self, caller: Caller | None) -> StillopenError | None:
        """What comes of it: nothing, or the error."""
        metadata = caller.metadata() if caller else ()
        make = GetMessageClass(self.method.input_type)
        parse = GetMessageClass(self.method.output_type).FromString
        path = f"/{self.service}/{self.method.name}"

        async def requests() -> AsyncIterator[Message]:
            yield make()

        try:
            if self.method.server_streaming:
                both = self.channel.stream_stream(path, _bytes_of, parse)
                call = cast("Stream", both(requests(), timeout=TIMEOUT_S, metadata=metadata))
                async for _ in call:
                    break
            elif self.method.client_streaming:
                many = self.channel.stream_unary(path, _bytes_of, parse)
                await many(requests(), timeout=TIMEOUT_S, metadata=metadata)
            else:
                one = self.channel.unary_unary(path, _bytes_of, parse)
                await one(make(), timeout=TIMEOUT_S, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error_of(error)
        return None


def _bytes_of(message: Message) -> bytes:
    return message.SerializeToString()


def asked(estate: Estate, service: str, method: MethodDescriptor) -> Asked:
    """The call at the place that serves it; what both serve, at headquarters."""
    at_channel = service.endswith("ChannelDataService")
    return Asked(estate.to_channel if at_channel else estate.to_headquarters, service, method)


async def test_nothing_is_answered_to_whom_nobody_knows(estate: Estate) -> None:
    """Every operation of every service, with no caller, and with one whose secret is wrong."""
    strangers = [
        None,
        Caller(CallerKind.PERSON, "test"),
        replace(ME, secret=R1.secret),
        replace(R1, secret="f" * 64),
        replace(R1, secret=R2.secret),
        Caller(CallerKind.REGISTER, "R1"),
        replace(CHANNEL, secret=""),
        Caller(CallerKind.HEADQUARTERS, "headquarters"),
        replace(callers.HEADQUARTERS, secret=ME.secret),
    ]
    before = await estate.picture()
    answered = [
        (method.name, stranger, error)
        for service, method in METHODS
        for stranger in strangers
        if (error := await asked(estate, service, method).by(stranger)) is None
        or error.reason not in {Reason.CALLER_UNKNOWN, Reason.NOT_SERVED}
    ]
    assert answered == []
    assert await estate.picture() == before


async def test_a_register_is_refused_whatever_is_for_people(estate: Estate) -> None:
    answered = [
        (method.name, error)
        for service, method in METHODS
        if service.endswith("HeadquartersService")
        and (
            (error := await asked(estate, service, method).by(R1)) is None
            or error.reason is not Reason.NOT_ALLOWED
        )
    ]
    assert answered == []


@pytest.mark.parametrize(
    "person",
    [callers.register("R1"), callers.person("test")],
    ids=["a register", "a person with every permission"],
)
async def test_a_channel_speaks_for_nobody_but_its_managers(estate: Estate, person: Caller) -> None:
    """A manager's word is good for ending locks alone."""
    vouched = CHANNEL.acting_for(person)
    request = realtime_pb2.BlockCardRequest(number=GIFT, reason="no", blocked=True)
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(estate.cards.BlockCard, request, vouched)


async def test_a_register_speaks_for_nobody(estate: Estate) -> None:
    request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
    async with estate.refuses(Reason.NOT_ALLOWED):
        await ask(estate.people_stub.GetParameters, request, R1.acting_for(ME))


NOT_ITSELF = {
    "a wrong secret": replace(R1, secret="0" * 64),
    "another's secret": replace(R1, secret=R2.secret),
    "another's name": replace(R1, name="R7"),
    "no secret": replace(R1, secret=""),
}


@pytest.mark.parametrize("caller", NOT_ITSELF.values(), ids=NOT_ITSELF)
async def test_a_register_that_is_not_itself_locks_no_card(estate: Estate, caller: Caller) -> None:
    request = lock_of(1)
    for stub in (estate.cards, estate.relay):
        async with estate.refuses(Reason.CALLER_UNKNOWN):
            await ask(stub.LockCard, request, caller)


async def test_headers_of_others_are_nobodys_business(estate: Estate) -> None:
    """A proxy's binary header is no text and hides nothing."""
    request = headquarters_pb2.HeadquartersServiceGetParametersRequest()
    metadata: list[tuple[str, str | bytes]] = [*ME.metadata()]
    metadata.append(("grpc-trace-bin", b"\x00\xff\xfe"))
    answer = await estate.people_stub.GetParameters(request, timeout=TIMEOUT_S, metadata=metadata)
    assert answer.parameters.currency_code == "EUR"


async def test_a_secret_is_in_no_file_of_a_place(estate: Estate) -> None:
    await estate.till("R1")
    for place in ("headquarters", "channel"):
        for file in (estate.folder / place).rglob("*"):
            if not file.is_file():
                continue
            data = file.read_bytes()
            if file.suffix == ".zst":
                data = zstandard.ZstdDecompressor().decompress(data)
            for secret in (R1.secret, CHANNEL.secret, ME.secret):
                assert secret.encode() not in data, file
                assert bytes.fromhex(secret) not in data, file
