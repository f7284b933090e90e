"""Where we connect to and listen: loopback unless told otherwise, and never twice."""

from collections.abc import Sequence

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from stillopen.core.errors import Misuse, Reason
from stillopen.rpc.channel import check_plaintext, is_loopback, open_channel, split_address
from stillopen.rpc.security import Security
from stillopen.rpc.server import Listener, listen

NEAR = ["127.0.0.1:1", "127.8.9.10:65535", "localhost:0", "[::1]:50051", "::1:50051"]
FAR = [
    "0.0.0.0:1",
    "[::]:1",
    "192.168.1.5:1",
    "hq.example.com:50051",
    "127.0.0.1.example.com:1",
    "localhost.example.com:1",
    "dns:///localhost:1",
    "unix:/tmp/socket:1",
    "128.0.0.1:1",
]


async def serving(address: str = "127.0.0.1:0", services: Sequence[str] = ()) -> Listener:
    """A server that says it serves those, and nothing else."""
    server = listen(address)
    await server.start(services, [])
    return server


async def is_serving(channel: grpc.aio.Channel, service: str) -> bool:
    """What the server's health says."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer = await check(health_pb2.HealthCheckRequest(service=service), timeout=30)
    return answer.status == health_pb2.HealthCheckResponse.SERVING


async def reflected_services(channel: grpc.aio.Channel) -> set[str]:
    """What a tool without our files finds."""
    reflect = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    names: set[str] = set()
    async for response in reflect(iter(requests), timeout=30):
        names |= {service.name for service in response.list_services_response.service}
    return names


@pytest.mark.parametrize("address", NEAR)
def test_loopback_is_this_machine(address: str) -> None:
    assert is_loopback(address)
    assert check_plaintext(address, allowed=False) == address


@pytest.mark.parametrize("address", FAR)
def test_everything_else_is_beyond_it(address: str) -> None:
    assert not is_loopback(address)
    with pytest.raises(Misuse) as refusal:
        check_plaintext(address, allowed=False)
    assert refusal.value.reason is Reason.PLAINTEXT_REFUSED
    assert check_plaintext(address, allowed=True) == address


@pytest.mark.parametrize("address", ["", "localhost", ":1", "localhost:", "a:b", "a:65536", "a:-1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Misuse) as refusal:
        split_address(address)
    assert refusal.value.field == "address"


@pytest.mark.parametrize("address", FAR)
async def test_no_channel_leaves_the_machine_in_plaintext_unasked(address: str) -> None:
    with pytest.raises(Misuse) as refusal:
        open_channel(address)
    assert refusal.value.reason is Reason.PLAINTEXT_REFUSED
    channel = open_channel("192.168.1.5:1", Security(plaintext_beyond_loopback=True))
    await channel.close()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
async def test_no_server_listens_beyond_the_machine_unasked(address: str) -> None:
    with pytest.raises(Misuse) as refusal:
        listen(address)
    assert refusal.value.reason is Reason.PLAINTEXT_REFUSED


async def test_a_taken_port_is_noticed_and_the_first_server_goes_on() -> None:
    first = await serving()
    with pytest.raises(Misuse) as refusal:
        listen(first.address)
    assert refusal.value.reason is Reason.ADDRESS_TAKEN
    channel = open_channel(first.address)
    assert await is_serving(channel, "")
    await channel.close()
    await first.stop()


async def test_a_stopped_server_gives_its_port_back() -> None:
    first = await serving()
    await first.stop()
    second = await serving(first.address)
    assert second.address == first.address
    await second.stop()


async def test_a_server_says_what_it_serves() -> None:
    server = await serving(services=["stillopen.v1.RealtimeService"])
    channel = open_channel(server.address)
    assert await is_serving(channel, "stillopen.v1.RealtimeService")
    names = await reflected_services(channel)
    assert {"stillopen.v1.RealtimeService", "grpc.health.v1.Health"} <= names
    await channel.close()
    await server.stop()
