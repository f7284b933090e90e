"""Errors keep their family, reason and field across the wire."""

import re

import grpc
import grpc.aio
import pytest
from tests.support.repository import PROTOS

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.rpc.channel import open_channel
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.server import listen
from stillopen.rpc.status import FIELD_KEY, REASON_KEY, answers, call, error_of, family_and_code
from stillopen.v1 import error_reason_pb2, realtime_pb2, realtime_pb2_grpc

Code = grpc.StatusCode
PREFIX = "ERROR_REASON_"
CALLER = Caller(CallerKind.REGISTER, "R1")
SILENCE = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}
UNEXPLAINED = {*SILENCE, Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN}


def rpc_error(
    code: grpc.StatusCode, *trailers: tuple[str, str], details: str = "why"
) -> grpc.aio.AioRpcError:
    """What a call raises when it ended so."""
    metadata = grpc.aio.Metadata(*trailers)
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details)


def documented_codes() -> dict[str, set[str]]:
    """The status codes that the comment of each reason names."""
    text = (PROTOS / "error_reason.proto").read_text()
    comments = re.findall(rf"((?:^ *//.*\n)+) *{PREFIX}(\w+) = \d+;", text, re.MULTILINE)
    names = {code.name for code in Code}
    return {reason: names & set(re.findall(r"\b[A-Z_]+\b", words)) for words, reason in comments}


def test_the_contract_and_the_code_know_the_same_reasons() -> None:
    in_contract = {
        name.removeprefix(PREFIX)
        for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118
    }
    assert in_contract - {"UNSPECIFIED"} == {str(reason) for reason in Reason}
    assert all(reason.name == reason.value for reason in Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_the_contract_names_the_status_code_of_each_reason(reason: Reason) -> None:
    _, code = family_and_code(reason)
    assert documented_codes()[reason] == {code.name}


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_comes_back_as_it_was_raised(reason: Reason) -> None:
    family, code = family_and_code(reason)
    assert family in {Refused, Misuse, Unreachable}
    error = error_of(rpc_error(code, (REASON_KEY, reason), (FIELD_KEY, "amount")))
    assert type(error) is family
    assert (error.reason, error.message, error.field) == (reason, "why", "amount")


@pytest.mark.parametrize("reason", list(Reason))
def test_only_two_reasons_say_that_nobody_answered(reason: Reason) -> None:
    family, code = family_and_code(reason)
    assert (family is Unreachable) is (reason in {Reason.UNREACHABLE, Reason.TIMED_OUT})
    assert (family is Unreachable) is (code in SILENCE)
    assert code is not Code.OK


def test_a_refused_card_never_moves_a_register_offline() -> None:
    family, code = family_and_code(Reason.HEADQUARTERS_UNREACHABLE)
    assert (family, code) == (Refused, Code.FAILED_PRECONDITION)


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_without_a_reason_the_code_decides(code: grpc.StatusCode) -> None:
    error = error_of(rpc_error(code))
    assert isinstance(error, Unreachable) is (code in UNEXPLAINED)
    assert error.message == "why"
    assert error_of(rpc_error(code, details="")).message == code.name


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_a_reason_of_a_later_version_is_judged_by_its_code(code: grpc.StatusCode) -> None:
    """Somebody did answer: only the two codes that say otherwise move a register offline."""
    error = error_of(rpc_error(code, (REASON_KEY, "SOMETHING_NEW")))
    assert isinstance(error, Unreachable) is (code in SILENCE)


class Refusing(realtime_pb2_grpc.RealtimeServiceServicer):
    """Raises the reason that the number names."""

    @answers
    async def GetCardBalance(  # noqa: N802 - the contract's name
        self, request: realtime_pb2.GetCardBalanceRequest, context: Context
    ) -> realtime_pb2.GetCardBalanceResponse:
        """Raises it, or something that is nobody's reason."""
        del context
        if request.number == "bug":
            raise ZeroDivisionError("the number was 4929")
        family, _ = family_and_code(Reason(request.number))
        raise family(Reason(request.number), "warum nicht: é", "number")


def add_refusing(server: grpc.aio.Server) -> None:
    """Serves it; its other methods are not asked."""
    servicer = Refusing()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
    realtime_pb2_grpc.add_RealtimeServiceServicer_to_server(servicer, server)


async def ask(address: str, number: str) -> StillopenError:
    """What the caller of the server at `address` gets."""
    channel = open_channel(address)
    stub = realtime_pb2_grpc.RealtimeServiceStub(channel)
    request = realtime_pb2.GetCardBalanceRequest(number=number)
    try:
        with pytest.raises(StillopenError) as raised:
            await call(stub.GetCardBalance, request, CALLER, 30.0)
        return raised.value
    finally:
        await channel.close()


async def test_every_reason_crosses_a_real_connection() -> None:
    serving = listen("127.0.0.1:0")
    await serving.start([], [add_refusing])
    for reason in Reason:
        error = await ask(serving.address, reason)
        family, _ = family_and_code(reason)
        assert type(error) is family
        assert (error.reason, error.message, error.field) == (reason, "warum nicht: é", "number")
    await serving.stop()


async def test_a_bug_of_the_server_is_named_and_not_explained() -> None:
    serving = listen("127.0.0.1:0")
    await serving.start([], [add_refusing])
    error = await ask(serving.address, "bug")
    assert isinstance(error, Misuse)
    assert error.reason is Reason.INTERNAL
    assert "4929" not in error.message
    await serving.stop()
