"""Who a folder of files belongs to: written once at installation, read by its owner alone.

It holds the secret that headquarters gave out for it, so it is made with mode 0600, whole or not at
all.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from stillopen.core.errors import Misuse, Reason

NAME = "identity.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """A register or a channel, as it was installed."""

    kind: str
    """register or channel."""
    name: str
    """The register's id, or the store's for a channel."""
    store_id: str
    upper: str
    """host:port of whom it connects to."""
    secret: str


def read_identity(folder: Path, kind: str) -> Identity | None:
    """What was installed in the folder; nothing before. Misuse when it is not of that kind."""
    path = folder / NAME
    try:
        found = Identity(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Misuse(
            Reason.DATABASE_DAMAGED, f"{path} cannot be read ({error}); install it again"
        ) from None
    if found.kind != kind:
        raise Misuse(Reason.NOT_INSTALLED, f"{folder} belongs to a {found.kind}, not a {kind}")
    return found


def write_identity(folder: Path, identity: Identity) -> None:
    """Keeps it, durable and whole; an earlier one is replaced."""
    write_private(folder / NAME, json.dumps(asdict(identity), indent=1).encode() + b"\n")


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that its owner alone may read: old or new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
