"""What goes over a line that leaves the machine: TLS from files, or nothing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.certificates import Authority

from stillopen.cli.security import security_of
from stillopen.core.errors import Misuse, Reason, StillopenError
from stillopen.rpc.channel import open_channel
from stillopen.rpc.health import health_error
from stillopen.rpc.security import PLAINTEXT, Security
from stillopen.rpc.server import Listener, listen

TIMEOUT_S = 5.0


@asynccontextmanager
async def serving(security: Security) -> AsyncGenerator[Listener]:
    """A server that says it is well, to whom may hear it."""
    listener = listen("127.0.0.1:0", security)
    await listener.start([], [])
    try:
        yield listener
    finally:
        await listener.stop()


async def heard(listener: Listener, security: Security) -> StillopenError | None:
    """Nothing when the server was reached; else why not."""
    port = listener.address.rpartition(":")[2]
    async with open_channel(f"localhost:{port}", security) as channel:
        return await health_error(channel, TIMEOUT_S)


async def test_a_place_with_certificates_is_reached_by_whom_believes_its_authority(
    tmp_path: Path,
) -> None:
    authority = Authority()
    server = security_of(authority.signs_for(tmp_path / "server"))
    believing = security_of(authority.believed_in(tmp_path / "client"))
    async with serving(server) as listener:
        assert await heard(listener, believing) is None


async def test_plaintext_does_not_get_through_where_certificates_are_served(
    tmp_path: Path,
) -> None:
    server = security_of(Authority().signs_for(tmp_path / "server"))
    async with serving(server) as listener:
        assert await heard(listener, PLAINTEXT) is not None


async def test_a_certificate_of_another_authority_is_not_believed(tmp_path: Path) -> None:
    server = security_of(Authority().signs_for(tmp_path / "server"))
    other = security_of(Authority("other").believed_in(tmp_path / "client"))
    async with serving(server) as listener:
        assert await heard(listener, other) is not None


async def test_a_certificate_of_another_host_is_not_believed(tmp_path: Path) -> None:
    authority = Authority()
    server = security_of(authority.signs_for(tmp_path / "server", "elsewhere.example"))
    believing = security_of(authority.believed_in(tmp_path / "client"))
    async with serving(server) as listener:
        assert await heard(listener, believing) is not None


@pytest.mark.parametrize("valid_days", [(-9, -2), (2, 9)], ids=["expired", "not valid yet"])
async def test_a_certificate_out_of_its_time_is_not_believed(
    tmp_path: Path, valid_days: tuple[int, int]
) -> None:
    authority = Authority()
    server = security_of(authority.signs_for(tmp_path / "server", valid_days=valid_days))
    believing = security_of(authority.believed_in(tmp_path / "client"))
    async with serving(server) as listener:
        assert await heard(listener, believing) is not None


async def test_who_must_show_a_certificate_is_refused_without_one(tmp_path: Path) -> None:
    authority = Authority()
    folder = authority.signs_for(tmp_path / "server")
    believing = security_of(authority.believed_in(tmp_path / "client"))
    showing = security_of(authority.signs_for(tmp_path / "shown"))
    stranger = authority.believed_in(Authority("other").signs_for(tmp_path / "stranger"))
    expired = security_of(authority.signs_for(tmp_path / "expired", valid_days=(-9, -2)))
    async with serving(security_of(folder, client_certificates=True)) as listener:
        assert await heard(listener, showing) is None
        assert await heard(listener, believing) is not None
        assert await heard(listener, security_of(stranger)) is not None
        assert await heard(listener, expired) is not None


def broken(folder: Path, how: str) -> Security:
    """Files that do not belong together."""
    match how:
        case "no key":
            (folder / "tls.key").unlink()
        case "another's key":
            other = Authority().signs_for(folder / "other")
            (folder / "tls.key").write_bytes((other / "tls.key").read_bytes())
        case "no certificate":
            (folder / "tls.crt").write_text("nothing of the kind")
        case "no authorities":
            (folder / "ca.crt").write_text("nothing of the kind")
        case _:
            (folder / "ca.crt").unlink()
    return security_of(folder, client_certificates=True)


@pytest.mark.parametrize(
    "how", ["no key", "another's key", "no certificate", "no authorities", "asked of whom"]
)
def test_files_that_do_not_fit_are_refused_before_anything_listens(
    tmp_path: Path, how: str
) -> None:
    security = broken(Authority().signs_for(tmp_path / "server"), how)
    with pytest.raises(Misuse) as refusal:
        listen("127.0.0.1:0", security)
    assert refusal.value.reason is Reason.TLS_INVALID


def test_a_folder_without_certificates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misuse) as refusal:
        security_of(tmp_path)
    assert refusal.value.reason is Reason.TLS_INVALID
