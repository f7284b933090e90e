"""The options by which a command is told how to speak: a folder of certificates, or plaintext.

The files have the names that certificate tools give them: tls.crt and tls.key are the place's own,
ca.crt holds the authorities it believes.
"""

from pathlib import Path
from typing import Annotated

import typer

from stillopen.core.errors import Misuse, Reason
from stillopen.rpc.security import Security

Tls = Annotated[
    Path | None,
    typer.Option(
        "--tls",
        help="Folder with tls.crt and tls.key of this place, ca.crt of whom it believes.",
    ),
]
ClientCertificates = Annotated[
    bool,
    typer.Option(
        "--client-certificates", help="With --tls: who connects must show a certificate of ca.crt."
    ),
]
Plaintext = Annotated[
    bool,
    typer.Option(
        "--plaintext-beyond-loopback",
        help="Allow unencrypted connections beyond this machine. Only inside a network you trust.",
    ),
]


def security_of(
    tls: Path | None, *, client_certificates: bool = False, plaintext: bool = False
) -> Security:
    """What the options come to; Misuse TLS_INVALID for a folder without certificates."""
    if tls is None:
        if client_certificates:
            raise Misuse(Reason.TLS_INVALID, "--client-certificates needs --tls FOLDER")
        return Security(plaintext_beyond_loopback=plaintext)
    certificate, key, authorities = (tls / name for name in ("tls.crt", "tls.key", "ca.crt"))
    if not certificate.exists() and not authorities.exists():
        raise Misuse(Reason.TLS_INVALID, f"{tls} holds neither tls.crt nor ca.crt")
    return Security(
        certificate=certificate if certificate.exists() else None,
        private_key=key if key.exists() else None,
        authorities=authorities if authorities.exists() else None,
        tls=True,
        mutual=client_certificates,
        plaintext_beyond_loopback=plaintext,
    )
