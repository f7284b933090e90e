"""Errors on the wire: one table from reasons to status codes, and the way back.

The code tells a stranger enough; the trailers `stillopen-reason` and `stillopen-field` the rest.
"""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeVar, cast

import grpc
import grpc.aio

from stillopen.core.errors import Misuse, Reason, Refused, StillopenError, Unreachable
from stillopen.rpc.context import Context
from stillopen.rpc.identity import Caller

Code = grpc.StatusCode
LOG = logging.getLogger("stillopen.rpc")
REASON_KEY = "stillopen-reason"
FIELD_KEY = "stillopen-field"

_REFUSED_CODES = {
    Reason.CARD_UNKNOWN: Code.NOT_FOUND,
    Reason.PRODUCT_UNKNOWN: Code.NOT_FOUND,
    Reason.SALE_UNKNOWN: Code.NOT_FOUND,
    Reason.LINE_UNKNOWN: Code.NOT_FOUND,
    Reason.SIGN_IN_FAILED: Code.PERMISSION_DENIED,
    Reason.VERSION_OLD: Code.ABORTED,
    Reason.STREAM_REPLACED: Code.ABORTED,
    Reason.STREAM_STALLED: Code.ABORTED,
    Reason.ENTRY_UNKNOWN: Code.NOT_FOUND,
    Reason.ALREADY_EXISTS: Code.ALREADY_EXISTS,
    Reason.DISK_FULL: Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_UNKNOWN: Code.RESOURCE_EXHAUSTED,
    Reason.CARD_EXISTS: Code.ALREADY_EXISTS,
    Reason.DISK_LOW: Code.RESOURCE_EXHAUSTED,
    Reason.LANE_UNKNOWN: Code.NOT_FOUND,
    Reason.LOCKED_OUT: Code.PERMISSION_DENIED,
    Reason.BLOCKED: Code.PERMISSION_DENIED,
    Reason.CODE_UNKNOWN: Code.NOT_FOUND,
    Reason.NAME_UNKNOWN: Code.NOT_FOUND,
    Reason.CUSTOMER_UNKNOWN: Code.NOT_FOUND,
}
_MISUSE_CODES = {
    Reason.INVALID_ARGUMENT: Code.INVALID_ARGUMENT,
    Reason.PARAMETERS_INVALID: Code.INVALID_ARGUMENT,
    Reason.KEY_REUSED: Code.INVALID_ARGUMENT,
    Reason.DIGEST_MISMATCH: Code.INVALID_ARGUMENT,
    Reason.CALLER_UNKNOWN: Code.UNAUTHENTICATED,
    Reason.NOT_ALLOWED: Code.PERMISSION_DENIED,
    Reason.REGISTER_IN_USE: Code.FAILED_PRECONDITION,
    Reason.DATABASE_DAMAGED: Code.DATA_LOSS,
    Reason.DATABASE_NEWER: Code.FAILED_PRECONDITION,
    Reason.PLAINTEXT_REFUSED: Code.FAILED_PRECONDITION,
    Reason.ADDRESS_TAKEN: Code.FAILED_PRECONDITION,
    Reason.NOT_SERVED: Code.UNIMPLEMENTED,
    Reason.INTERNAL: Code.INTERNAL,
    Reason.MESSAGE_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.TLS_INVALID: Code.FAILED_PRECONDITION,
    Reason.NOT_INSTALLED: Code.FAILED_PRECONDITION,
}
_UNREACHABLE_CODES = {
    Reason.UNREACHABLE: Code.UNAVAILABLE,
    Reason.TIMED_OUT: Code.DEADLINE_EXCEEDED,
}


def family_and_code(reason: Reason) -> tuple[type[StillopenError], Code]:
    """Which error a reason belongs to, and its status code."""
    if reason in _UNREACHABLE_CODES:
        return Unreachable, _UNREACHABLE_CODES[reason]
    if reason in _MISUSE_CODES:
        return Misuse, _MISUSE_CODES[reason]
    return Refused, _REFUSED_CODES.get(reason, Code.FAILED_PRECONDITION)


_WITHOUT_REASON: dict[Code, tuple[type[StillopenError], Reason]] = {
    Code.UNAVAILABLE: (Unreachable, Reason.UNREACHABLE),
    Code.DEADLINE_EXCEEDED: (Unreachable, Reason.TIMED_OUT),
    # gRPC itself answers so when thousands connect at once, or when a server dies in a call.
    Code.CANCELLED: (Unreachable, Reason.UNREACHABLE),
    Code.INTERNAL: (Unreachable, Reason.UNREACHABLE),
    Code.UNKNOWN: (Unreachable, Reason.UNREACHABLE),
    Code.RESOURCE_EXHAUSTED: (Misuse, Reason.MESSAGE_TOO_LARGE),
    Code.UNIMPLEMENTED: (Misuse, Reason.NOT_SERVED),
    Code.UNAUTHENTICATED: (Misuse, Reason.CALLER_UNKNOWN),
    Code.PERMISSION_DENIED: (Misuse, Reason.NOT_ALLOWED),
}


def error_of(error: grpc.aio.AioRpcError) -> StillopenError:
    """The error that the other end raised, or what the network made of the call."""
    trailers = {k: v for k, v in error.trailing_metadata() or () if isinstance(v, str)}
    message = error.details() or ""
    reason = trailers.get(REASON_KEY)
    if reason in set(Reason):
        family, _ = family_and_code(Reason(reason))
        return family(Reason(reason), message, trailers.get(FIELD_KEY, ""))
    if reason is not None and error.code() not in _UNREACHABLE_CODES.values():
        return Refused(Reason.OTHER, f"{reason}: {message}")  # newer software said no
    family, known = _WITHOUT_REASON.get(error.code(), (Misuse, Reason.INVALID_ARGUMENT))
    return family(known, message or error.code().name)


async def abort(context: Context, error: StillopenError) -> NoReturn:
    """Ends the call with the error; the caller gets it back as it was raised."""
    _, code = family_and_code(error.reason)
    trailers = ((REASON_KEY, str(error.reason)), (FIELD_KEY, error.field))
    await context.abort(code, error.message, trailers)
    raise AssertionError("abort raises")


Request = TypeVar("Request")
Response = TypeVar("Response")
Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])
StreamMethod = TypeVar("StreamMethod", bound=Callable[..., AsyncIterator[Any]])


def answers(method: Method) -> Method:
    """Turns what a servicer's method raises into the call's status."""

    @functools.wraps(method)
    async def answer(self: object, request: object, context: Context) -> Any:
        try:
            return await method(self, request, context)
        except Exception as error:  # noqa: BLE001 - the one place where errors become statuses
            await abort(context, _explained(error, method.__name__))

    return cast("Method", answer)


def streams(method: StreamMethod) -> StreamMethod:
    """The same for a method that answers with a stream."""

    @functools.wraps(method)
    async def stream(self: object, request: object, context: Context) -> AsyncIterator[Any]:
        try:
            async for response in method(self, request, context):
                yield response
        except Exception as error:  # noqa: BLE001 - the one place where errors become statuses
            await abort(context, _explained(error, method.__name__))

    return cast("StreamMethod", stream)


def _explained(error: Exception, method: str) -> StillopenError:
    if isinstance(error, StillopenError):
        return error
    if isinstance(error, grpc.aio.AbortError | grpc.aio.UsageError):
        raise error
    LOG.error("%s failed", method, exc_info=error)
    return Misuse(Reason.INTERNAL, "the server failed; its log says why")


async def call(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    caller: Caller,
    timeout_s: float,
) -> Response:
    """Calls within `timeout_s`; raises Refused, Unreachable or Misuse."""
    try:
        return await method(request, timeout=timeout_s, metadata=caller.metadata())
    except grpc.aio.AioRpcError as error:
        raise error_of(error) from error


async def send_all(
    method: grpc.aio.StreamUnaryMultiCallable[Request, Response],
    requests: AsyncIterator[Request],
    caller: Caller,
    timeout_s: float,
) -> Response:
    """Sends a stream of requests and returns the answer, as `call` does.

    What `requests` raises is raised here: gRPC would only say that the call was cancelled.
    """
    failure: list[Exception] = []

    async def watched() -> AsyncIterator[Request]:
        try:
            async for request in requests:
                yield request
        except Exception as error:
            failure.append(error)
            raise

    try:
        return await method(watched(), timeout=timeout_s, metadata=caller.metadata())
    except grpc.aio.AioRpcError as error:
        raise error_of(error) from error
    except asyncio.CancelledError:
        if failure:
            raise failure[0] from None
        raise
