"""How two places speak: TLS from files, or plaintext that stays on this machine.

Secrets travel with every call, so beyond loopback calls are encrypted, unless somebody
says otherwise.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from stillopen.core.errors import Misuse, Reason


@dataclass(frozen=True, slots=True)
class Security:
    """The files of one place; all in PEM."""

    certificate: Path | None = None
    """Its own certificate, with those that lead to an authority after it."""
    private_key: Path | None = None
    """The key of that certificate."""
    authorities: Path | None = None
    """Whose certificates are believed; the system's when TLS is on without it."""
    tls: bool = False
    """Whether to connect with TLS; files say so too."""
    mutual: bool = False
    """Whether those who connect here must show a certificate of the authorities."""
    plaintext_beyond_loopback: bool = False

    @property
    def connects_with_tls(self) -> bool:
        """Whether connections from here are encrypted."""
        return self.tls or self.authorities is not None

    @property
    def serves_with_tls(self) -> bool:
        """Whether what listens here is encrypted."""
        return self.certificate is not None


PLAINTEXT = Security()
"""No files: loopback only."""


def channel_credentials(security: Security) -> grpc.ChannelCredentials:
    """What a connection shows and believes; Misuse TLS_INVALID for files that do not fit."""
    authorities = _authorities(security)
    certificate, key = _pair(security) if security.certificate else (None, None)
    return grpc.ssl_channel_credentials(authorities, key, certificate)


def server_credentials(security: Security) -> grpc.ServerCredentials:
    """What a server shows and asks for; Misuse TLS_INVALID for files that do not fit."""
    certificate, key = _pair(security)
    authorities = _authorities(security)
    if security.mutual and authorities is None:
        raise _invalid("certificates are asked for, so the folder of --tls needs ca.crt")
    return grpc.ssl_server_credentials(
        [(key, certificate)], authorities if security.mutual else None, security.mutual
    )


def _pair(security: Security) -> tuple[bytes, bytes]:
    if security.certificate is None or security.private_key is None:
        raise _invalid("a certificate needs its private key, and a private key its certificate")
    certificate, key = _read(security.certificate), _read(security.private_key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            security.certificate, security.private_key, password=""
        )
    except (ssl.SSLError, OSError, ValueError) as error:
        raise _invalid(
            f"{security.certificate} and {security.private_key} are no certificate and its key"
            f" ({error})"
        ) from None
    return certificate, key


def _authorities(security: Security) -> bytes | None:
    if security.authorities is None:
        return None
    data = _read(security.authorities)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(security.authorities)
    except (ssl.SSLError, OSError) as error:
        raise _invalid(f"{security.authorities} holds no certificates ({error})") from None
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _invalid(f"{path} cannot be read: {error.strerror}") from None


def _invalid(message: str) -> Misuse:
    return Misuse(Reason.TLS_INVALID, message)
