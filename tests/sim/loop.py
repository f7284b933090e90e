"""An asyncio loop on virtual time: nothing waits, the same program takes the same steps.

When no task can go on, time jumps to the next timer; when there is none, `Deadlock` says who waits
where. Three things that differ from one process to the next are made equal: tasks hash by their
number, so that the sets inside asyncio have one order; work meant for threads is done at once;
garbage is collected after a number of steps, so that forgotten generators end at the same step.
"""

import asyncio
import gc
import math
import selectors
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context
from pathlib import Path
from types import FrameType
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STEPS_AT_ONE_MOMENT_MAX = 200_000
_STEPS_BETWEEN_COLLECTIONS = 10_000
_ASYNCIO = Path(asyncio.__file__).parent


class Deadlock(RuntimeError):
    """Nothing can happen any more, and the program has not ended."""


class Livelock(RuntimeError):
    """Tasks are busy, and time stands still."""


class OutOfTime(RuntimeError):
    """The simulation took more virtual time than it was given."""


class _NumberedTask(asyncio.Task[T]):
    """A task that is found in sets by its number instead of its address in memory."""

    def __init__(
        self,
        coroutine: Coroutine[object, None, T] | Generator[asyncio.Future[object] | None, None, T],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
        number: int,
    ) -> None:
        self.number = number
        super().__init__(coroutine, loop=loop, name=f"task-{number}", context=context)

    def __hash__(self) -> int:
        return self.number


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: whoever asks it to wait finds that the time has passed."""

    def __init__(self, limit_s: float) -> None:
        super().__init__()
        self.now_s = 0.0
        self.limit_s = limit_s
        self.report: Callable[[], str] = str
        self._steps = 0
        self._steps_at_this_moment = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Moves time by `timeout`."""
        self._steps += 1
        if self._steps % _STEPS_BETWEEN_COLLECTIONS == 0:
            gc.collect(1)
        if timeout is None:
            raise Deadlock(f"nothing can happen after {self.now_s:.6f} s; waiting:{self.report()}")
        if timeout > 0:
            self._jump(timeout)
        else:
            self._steps_at_this_moment += 1
            if self._steps_at_this_moment > STEPS_AT_ONE_MOMENT_MAX:
                raise Livelock(f"time stands still at {self.now_s:.6f} s; tasks:{self.report()}")
        return []

    def _jump(self, seconds: float) -> None:
        self._steps_at_this_moment = 0
        if self.now_s + seconds > self.limit_s:
            raise OutOfTime(f"more than {self.limit_s} s of virtual time; waiting:{self.report()}")
        self.now_s += seconds


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `run` makes and closes one."""

    def __init__(self, selector: _JumpingSelector) -> None:
        self._virtual = selector
        self._tasks_made = 0
        super().__init__(selector)
        # The default is lost in rounding after half a year, and timers would never be due.
        self._clock_resolution = 1e-7
        selector.report = self._waiting
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual.now_s

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Does the work of a thread at once, on this one."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits the future gets it
            future.set_exception(error)
        return future

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[object, None, T] | Generator[asyncio.Future[object] | None, None, T],
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._tasks_made += 1
        return _NumberedTask(coroutine, loop, context, self._tasks_made)

    def _waiting(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=hash)
        return "".join(f"\n  {_described(task)}" for task in tasks) or " no task"


def run(main: Coroutine[object, None, T], *, limit_s: float = 1e6) -> T:
    """Runs `main` on a loop of its own, then cancels what it left behind and closes the loop."""
    selector = _JumpingSelector(limit_s)
    with (
        _collected_by_steps(),
        asyncio.Runner(loop_factory=lambda: VirtualLoop(selector)) as runner,
    ):
        try:
            return runner.run(main)
        finally:
            selector.limit_s = math.inf


@contextmanager
def _collected_by_steps() -> Generator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()  # what was imported is not looked at again
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _described(task: asyncio.Task[object]) -> str:
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", "a coroutine")
    return f"{task.get_name()} {name}{_place(coroutine)}"


def _place(awaited: object) -> str:
    """The innermost line outside asyncio at which the coroutine stands."""
    place = ""
    while awaited is not None:
        frame = _first(awaited, "cr_frame", "gi_frame", "ag_frame")
        if isinstance(frame, FrameType):
            path = Path(frame.f_code.co_filename)
            if not path.is_relative_to(_ASYNCIO):
                place = f" at {path.name}:{frame.f_lineno} in {frame.f_code.co_name}"
        awaited = _first(awaited, "cr_await", "gi_yieldfrom", "ag_await")
    return place


def _first(holder: object, *names: str) -> object:
    found: list[object] = [getattr(holder, name, None) for name in names]
    return next((value for value in found if value is not None), None)
