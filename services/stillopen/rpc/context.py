"""A servicer's context: its type, in one place because it is generic, and what it tells."""

from typing import Any, TypeAlias

import grpc.aio

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


def peer_host(context: Context) -> str:
    """The machine that the call came from, without its port; as the network says."""
    return context.peer().rpartition(":")[0]
