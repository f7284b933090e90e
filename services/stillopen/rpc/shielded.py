"""Work that runs to its end, whatever becomes of whoever asked for it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

from stillopen.core.errors import StillopenError

LOG = logging.getLogger("stillopen.rpc")
T = TypeVar("T")


async def to_its_end(work: Coroutine[object, object, T] | asyncio.Task[T]) -> T:
    """The result of `work`, which goes on when its caller gives up.

    A refusal that nobody waits for is no error of the program; anything else is logged.
    """
    task = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_note)
        raise


def _note(task: asyncio.Task[T]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None and not isinstance(error, StillopenError):
        LOG.error("work that nobody waited for failed", exc_info=error)
