"""Who is signed in to which headquarters: a file each, mode 0600, for the commands that follow.

The folder is the user's own; STILLOPEN_HOME names another.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import typer

from stillopen.cli.security import security_of
from stillopen.core.errors import Misuse, Reason
from stillopen.rpc.identity import Caller, CallerKind
from stillopen.rpc.security import Security
from stillopen.storage.identity_file import write_private

HOME = "STILLOPEN_HOME"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in at one headquarters."""

    staff_id: str
    token: str
    expires_wall_s: float
    tls: str = ""
    """The folder of certificates that the sign-in used; empty for none."""
    plaintext: bool = False
    """Whether it was allowed to go beyond this machine unencrypted."""

    @property
    def caller(self) -> Caller:
        """What calls carry."""
        return Caller(CallerKind.PERSON, self.staff_id, self.token)

    @property
    def security(self) -> Security:
        """How headquarters is spoken to."""
        return security_of(Path(self.tls) if self.tls else None, plaintext=self.plaintext)


def read_session(address: str) -> SignedIn | None:
    """The sign-in that is kept for a headquarters; Misuse when its file cannot be read."""
    path = _file(address)
    try:
        return SignedIn(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise Misuse(
            Reason.NOT_INSTALLED, f"{path} cannot be read; delete it and sign in again"
        ) from None


def keep_session(address: str, signed_in: SignedIn) -> Path:
    """Keeps a sign-in for the commands that follow; where."""
    path = _file(address)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, json.dumps(asdict(signed_in), indent=1).encode() + b"\n")
    return path


def forget_session(address: str) -> None:
    """Keeps it no more."""
    _file(address).unlink(missing_ok=True)


def _file(address: str) -> Path:
    folder = Path(os.environ.get(HOME) or typer.get_app_dir("stillopen"))
    return folder / "sessions" / f"{quote(address, safe='')}.json"
