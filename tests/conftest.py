"""Where tests keep their files."""

import os
from pathlib import Path

from tests.support.nursery import begin_nursery

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has it; its folders are the tests' own
_ENOUGH_BYTES = 2 << 30


def _memory_has_room() -> bool:
    if not os.access(_IN_MEMORY, os.W_OK):
        return False
    found = os.statvfs(_IN_MEMORY)
    return found.f_bavail * found.f_frsize >= _ENOUGH_BYTES


# What is flushed, and when, is counted by tests/storage/test_durability.py; no other test has to
# wait for a disk.
if _memory_has_room():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))


def pytest_sessionstart() -> None:
    """The nursery imports what it needs while tests run that need no process and no time."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        begin_nursery()
