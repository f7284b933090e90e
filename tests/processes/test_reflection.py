"""Every service is listed, described and called with no files, by a client that is not ours."""

import asyncio
import json
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tests.support.shop import open_shop

from stillopen.cli.estate import CHANNEL, HEADQUARTERS, Estate
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.storage.identity_file import read_identity

BUF = Path(sys.executable).parent / "buf"
TIMEOUT_S = 60.0

PERSON, REGISTER, STORE = CallerKind.PERSON, CallerKind.REGISTER, CallerKind.CHANNEL

CALLS: list[tuple[str, str, CallerKind, dict[str, object], str]] = [
    (HEADQUARTERS, "HeadquartersService/GetParameters", PERSON, {}, "parameters"),
    (
        HEADQUARTERS,
        "RealtimeService/GetCardBalance",
        PERSON,
        {"number": "6001000000000001"},
        "free",
    ),
    (CHANNEL, "ChannelDataService/GetProduct", REGISTER, {"code": "P011"}, "product"),
    (CHANNEL, "RealtimeService/GetCardBalance", REGISTER, {"number": "6001000000000001"}, "free"),
    ("R1", "RegisterService/GetStatus", PERSON, {}, "status"),
    (CHANNEL, "SyncService/Sync", REGISTER, {"hello": {"protocol_version": 1}}, "welcome"),
    (HEADQUARTERS, "SyncService/Sync", STORE, {"hello": {"protocol_version": 1}}, "welcome"),
]


def said(estate: Estate, kind: CallerKind) -> list[str]:
    """The headers by which a caller is known: who it is, and its secret."""
    if kind is CallerKind.PERSON:
        metadata = estate.person.metadata()
    else:
        folder = estate.folder / ("R1" if kind is CallerKind.REGISTER else CHANNEL)
        found = read_identity(folder, kind)
        assert found is not None
        metadata = Caller(kind, found.name, found.secret).metadata()
    return [part for key, value in metadata for part in ("-H", f"{key}: {value}")]


async def buf_curl(*arguments: str) -> tuple[int, str, str]:
    """Runs `buf curl` and returns its exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        BUF,
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    return process.returncode or 0, out.decode(), err.decode()


async def listed(estate: Estate, place: str) -> set[str]:
    """The methods a place says it serves."""
    code, out, err = await buf_curl("--list-methods", f"http://{estate.address(place)}")
    assert code == 0, err
    return set(out.split())


async def test_every_service_is_listed_described_and_called(tmp_path: Path) -> None:
    async with open_shop(tmp_path, "R1") as estate:
        for place, method, caller, request, answer in CALLS:
            assert f"stillopen.v1.{method}" in await listed(estate, place)
            code, out, err = await buf_curl(
                *(*said(estate, caller), "-d", json.dumps(request)),
                f"http://{estate.address(place)}/stillopen.v1.{method}",
            )
            assert code == 0, err
            assert answer in json.loads(out.replace("}\n{", "}\n\0{").split("\0")[0])
            described, text, err = await buf_curl(
                "--list-methods", f"http://{estate.address(place)}"
            )
            assert described == 0, err
            assert "grpc.health.v1.Health/Check" in text


async def test_a_refusal_reaches_a_stranger_as_code_and_words(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as estate:
        code, _, err = await buf_curl(
            *(*said(estate, PERSON), "-d", '{"number": "4111111111111111"}'),
            f"http://{estate.address(HEADQUARTERS)}/stillopen.v1.RealtimeService/GetCardBalance",
        )
    assert code != 0
    assert json.loads(err)["code"] == "not_found"
    assert "4111" not in err


@pytest.mark.parametrize("place", [HEADQUARTERS, CHANNEL])
async def test_a_call_that_does_not_say_who_calls_is_refused(tmp_path: Path, place: str) -> None:
    async with open_shop(tmp_path) as estate:
        code, _, err = await buf_curl(
            *("-d", '{"number": "6001000000000001"}'),
            f"http://{estate.address(place)}/stillopen.v1.RealtimeService/GetCardBalance",
        )
    assert code != 0
    assert json.loads(err)["code"] == "unauthenticated"


def described(address: str, service: str) -> dict[str, list[str]]:
    """Every method of a service and the fields of what it takes, learned from the server alone."""
    with grpc.insecure_channel(address) as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        methods = pool.FindServiceByName(f"stillopen.v1.{service}").methods
        return {m.name: [field.name for field in m.input_type.fields] for m in methods}


async def test_every_service_describes_its_messages(tmp_path: Path) -> None:
    async with open_shop(tmp_path, "R1") as estate:
        for place, method, *_ in CALLS:
            service, name = method.split("/")
            told = await asyncio.to_thread(described, estate.address(place), service)
            assert name in told
        told = await asyncio.to_thread(described, estate.address("R1"), "RegisterService")
    assert told["Complete"] == ["transaction_id", "version"]
    assert "card_number" in told["AddTender"]
