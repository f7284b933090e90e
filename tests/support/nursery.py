"""Where the tests' processes come from: forked from one that has imported what they need.

A process of a test is what it would be had it been started anew, but for the second that Python
takes to import everything; the pages of the documentation and the demo are run with processes that
are started anew. One nursery serves a test process, for as long as that lives.

`python -m tests.support.nursery` is the nursery itself: it reads what to run from its standard
input, a socket, and forks.
"""

import asyncio
import atexit
import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from io import BufferedWriter, FileIO
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import IO

from tests.support.repository import ROOT

from stillopen.cli import terminal
from stillopen.cli.__main__ import COMMANDS, made_of

MODULES = ("stillopen.cli.places", "tests.processes.launcher")
"""What takes long to import, beside every command."""

COMMAND = Path(sys.executable).parent / "stillopen"
MESSAGE_BYTES_MAX = 1 << 16
PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
Stream = int | IO[bytes]
_ONE_AT_A_TIME = Lock()


class Process:
    """A process of the nursery, used as one of asyncio."""

    def __init__(self, pid: int, ended: int, streams: Sequence[int]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended, self._streams = ended, streams
        self.stdin: BufferedWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._transports: list[asyncio.ReadTransport] = []
        self._end: asyncio.Task[int] | None = None

    async def open(self) -> None:
        """Connects its streams to the loop that runs."""
        stdin, stdout, stderr = self._streams
        if stdin >= 0:
            self.stdin = os.fdopen(stdin, "wb")
        self.stdout = await self._reader(stdout) if stdout >= 0 else None
        self.stderr = await self._reader(stderr) if stderr >= 0 else None
        self._end = asyncio.create_task(self._until_ended(await self._reader(self._ended)))

    async def wait(self) -> int:
        """Its exit code, once it has ended; negative for a signal."""
        assert self._end is not None
        return await asyncio.shield(self._end)

    async def communicate(self, typed: bytes = b"") -> tuple[bytes, bytes]:
        """Types something, and returns what it said until its end."""
        if self.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self.stdin:
                self.stdin.write(typed)
        out, err = await asyncio.gather(_rest(self.stdout), _rest(self.stderr))
        await self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    async def _until_ended(self, ended: asyncio.StreamReader) -> int:
        said = await ended.read()
        self.returncode = int(said or b"-9")  # the nursery went, and it with it
        for transport in self._transports:
            transport.close()
        return self.returncode

    async def _reader(self, descriptor: int) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), FileIO(descriptor)
        )
        self._transports.append(transport)
        return reader


async def spawn(
    *command: str | Path,
    stdin: Stream = DEVNULL,
    stdout: Stream = DEVNULL,
    stderr: Stream = DEVNULL,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Process:
    """Runs `python -m module arguments` or `stillopen arguments` in a process of the nursery."""
    words = [str(each) for each in command]
    words = words[2:] if words[:2] == [sys.executable, "-m"] else ["stillopen.cli", *words[1:]]
    ours: list[int] = []
    theirs: list[int] = []
    for number, stream in enumerate((stdin, stdout, stderr)):
        if stream == PIPE:
            ends = os.pipe()
            ours.append(ends[1] if number == 0 else ends[0])
            theirs.append(ends[0] if number == 0 else ends[1])
        else:
            ours.append(-1)
            theirs.append(_opened(stream, theirs))
    ended, ends_there = os.pipe()
    request = json.dumps([words, str(cwd), dict(env if env is not None else os.environ)])
    try:
        # The first of them waits until the nursery has imported everything; the loop goes on.
        pid = await asyncio.to_thread(_forked, request.encode(), [*theirs, ends_there])
    finally:
        for each in {*theirs, ends_there}:
            os.close(each)
    process = Process(pid, ended, ours)
    await process.open()
    return process


def _opened(stream: Stream, before: Sequence[int]) -> int:
    if stream == subprocess.STDOUT:
        return os.dup(before[-1])
    if stream == DEVNULL:
        return os.open(os.devnull, os.O_RDWR)
    return os.dup(stream if isinstance(stream, int) else stream.fileno())


async def _rest(reader: asyncio.StreamReader | None) -> bytes:
    return await reader.read() if reader is not None else b""


def _forked(request: bytes, descriptors: list[int]) -> int:
    with _ONE_AT_A_TIME:
        nursery = begin_nursery()
        socket.send_fds(nursery, [request], descriptors)
        return int(nursery.recv(32))


@cache
def begin_nursery() -> socket.socket:
    """Begins the nursery of this test process, which ends with it; its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"], cwd=ROOT, stdin=theirs.fileno()
        )
    atexit.register(nursery.wait)
    atexit.register(ours.close)
    return ours


class Nursery:
    """The process itself: forks what it is asked to, and says how each child ended."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._children: dict[int, int] = {}
        self._woken, wakes = os.pipe()
        for end in (self._woken, wakes):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, _woken)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)

    def run(self) -> None:
        """Runs until nobody asks any more; then its children end too."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._asked, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._woken in ready:
                    self._reap()
                if self._asked.fileno() in ready and not self._fork():
                    break
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _fork(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._asked, MESSAGE_BYTES_MAX, 4)
        if not message:
            return False
        words, folder, environment = json.loads(message)
        pid = os.fork()
        if not pid:
            _become(words, folder, environment, descriptors[:3])
        self._children[pid] = descriptors[3]
        for each in descriptors[:3]:
            os.close(each)
        self._asked.send(str(pid).encode())
        return True

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._woken, 4096):
                pass
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            ended = self._children.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(ended, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(ended)


def _woken(number: int, frame: FrameType | None) -> None:
    """A child has ended; the wakeup pipe says so to the loop."""


def _become(words: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Is the process that was asked for, to its end."""
    code: object = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 1_024)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - to its end
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(  # noqa: SIM115
            2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["stillopen", *words[1:]]
        if width := environment.get("COLUMNS"):
            terminal.out.width = terminal.err.width = int(width)
        for name in (words[0], f"{words[0]}.__main__"):
            sys.modules.pop(name, None)  # it is run now, not imported
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        if isinstance(code, str):
            print(code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        for file in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                file.flush()
        os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    for module in MODULES:
        import_module(module)
    made_of(COMMANDS)
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as asked:
        Nursery(asked).run()
