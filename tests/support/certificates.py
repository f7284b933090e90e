"""Certificates for tests: an authority, and what it signs for this machine."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stillopen.rpc.machine import SystemClock

DAY = dt.timedelta(days=1)
LOOPBACK = ipaddress.ip_address("127.0.0.1")


class Authority:
    """Signs certificates. Its own is written as ca.crt into each folder it is asked for."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        now = _now()
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def believed_in(self, folder: Path) -> Path:
        """Writes ca.crt: whoever has that folder believes this authority."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.crt").write_bytes(_pem(self._certificate))
        return folder

    def signs_for(
        self, folder: Path, host: str = "localhost", *, valid_days: tuple[int, int] = (-1, 30)
    ) -> Path:
        """Writes tls.crt and tls.key of that host, and ca.crt; localhost has its address too."""
        addresses = [LOOPBACK] if host == "localhost" else []
        self.believed_in(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        since, until = valid_days
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_named(host))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() + since * DAY)
            .not_valid_after(_now() + until * DAY)
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.DNSName(host), *(x509.IPAddress(each) for each in addresses)]
                ),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        (folder / "tls.crt").write_bytes(_pem(certificate))
        (folder / "tls.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return folder


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _now() -> dt.datetime:
    return dt.datetime.fromtimestamp(SystemClock().wall_s(), dt.UTC)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
