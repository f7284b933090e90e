"""Channels to other places: their options, and TLS or loopback.

Options from measurements: without `http2.ping_timeout_ms` a stopped peer is noticed after 61 s, and
with gRPC's default back-off a returned one is used seconds late.
"""

import ipaddress

import grpc.aio

from stillopen.core.errors import Misuse, Reason, invalid
from stillopen.rpc.security import PLAINTEXT, Security, channel_credentials

MESSAGE_BYTES_MAX = 4 * 2**20

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 1_000),
    ("grpc.http2.ping_timeout_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # For so long an attempt to connect may last: thousands at once are not accepted in a moment.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.enable_retries", 0),
)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[v6]:port"."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:  # noqa: PLR2004
        raise invalid("address", f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def is_loopback(address: str) -> bool:
    """Whether the address never leaves this machine."""
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_plaintext(address: str, *, allowed: bool) -> str:
    """Refuses plaintext beyond loopback unless it was asked for."""
    if not allowed and not is_loopback(address):
        raise Misuse(
            Reason.PLAINTEXT_REFUSED,
            f"{address} is beyond this machine and the connection would not be encrypted; give"
            " certificates, or allow it with --plaintext-beyond-loopback, only inside a network you"
            " trust",
        )
    return address


def open_channel(address: str, security: Security = PLAINTEXT) -> grpc.aio.Channel:
    """A channel to `address`; connects when it is first used. Misuse PLAINTEXT_REFUSED."""
    split_address(address)
    if security.connects_with_tls:
        credentials = channel_credentials(security)
        return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
    check_plaintext(address, allowed=security.plaintext_beyond_loopback)
    return grpc.aio.insecure_channel(address, options=_OPTIONS)  # noqa: TID251 - the one place
