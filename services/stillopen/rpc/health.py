"""Asking a server whether it is well."""

import grpc.aio
from grpc_health.v1 import health_pb2

from stillopen.core.errors import StillopenError
from stillopen.rpc.status import error_of


async def health_error(channel: grpc.aio.Channel, timeout_s: float) -> StillopenError | None:
    """Nothing when the server answers that it serves; else why it is not reached."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    try:
        await check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        return error_of(error)
    return None
