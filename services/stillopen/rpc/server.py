"""A gRPC server with health and reflection, bound to loopback unless told otherwise."""

from collections.abc import Callable, Sequence

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stillopen.core.errors import Misuse, Reason
from stillopen.rpc.channel import MESSAGE_BYTES_MAX, check_plaintext, split_address
from stillopen.rpc.security import PLAINTEXT, Security, server_credentials

STOP_GRACE_S = 1.0

_OPTIONS: tuple[tuple[str, int], ...] = (
    # By default a second server on a taken port starts silently and takes part of the calls.
    ("grpc.so_reuseport", 0),
    # By default a storm of 5,000 loses a third of its calls.
    ("grpc.server.max_pending_requests", 50_000),
    ("grpc.server.max_pending_requests_hard_limit", 50_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 250),
    ("grpc.http2.max_ping_strikes", 0),
    # A stopped client is noticed, so that its stream ends.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    # A peer that trickles its first bytes keeps a socket for so long, and not two minutes.
    ("grpc.server_handshake_timeout_ms", 30_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
)

Register = Callable[[grpc.aio.Server], None]
"""Adds a servicer to a server."""


class Listener:
    """A server that has its address and begins to serve with `start`."""

    def __init__(self, server: grpc.aio.Server, address: str) -> None:
        self.address = address
        self._server = server
        self._health = health.aio.HealthServicer()

    async def start(self, services: Sequence[str], registers: Sequence[Register]) -> None:
        """Serves what `registers` add; `services` are their full names, for reflection."""
        for register in registers:
            register(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for name in ("", *services):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection(
            (*services, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        await self._server.start()

    async def stop(self) -> None:
        """Says NOT_SERVING, finishes what is running within a second, and stops."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(STOP_GRACE_S)


def listen(address: str, security: Security = PLAINTEXT) -> Listener:
    """Takes `address`; port 0 takes a free one.

    Misuse ADDRESS_TAKEN, PLAINTEXT_REFUSED or TLS_INVALID.
    """
    host, _ = split_address(address)
    credentials = server_credentials(security) if security.serves_with_tls else None
    if credentials is None:
        check_plaintext(address, allowed=security.plaintext_beyond_loopback)
    server = grpc.aio.server(options=_OPTIONS)  # noqa: TID251 - the one place
    try:
        port = (
            server.add_insecure_port(address)
            if credentials is None
            else server.add_secure_port(address, credentials)
        )
    except RuntimeError:
        raise Misuse(Reason.ADDRESS_TAKEN, f"cannot listen on {address}: is it taken?") from None
    return Listener(server, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
