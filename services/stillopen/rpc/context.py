"""The type of a servicer's context, in one place because it is generic and invariant."""

from typing import Any, TypeAlias

import grpc.aio

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
