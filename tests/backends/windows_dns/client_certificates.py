"""Client certificates as a company's authority issues them for WinRM: the user's principal name in the SAN."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

_PRINCIPAL = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path

    def settings(self) -> dict[str, object]:
        return {"certificate_file": self.certificate, "certificate_key_file": self.key, "user": "", "password": None}


class Authority:
    """Issues certificates into a folder. `now` is the middle of what is valid."""

    def __init__(self, folder: Path, name: str = "Office CA") -> None:
        self._folder, self._name, self._count = folder, name, 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name)
        self._certificate = (
            _builder(subject, subject, self._key.public_key(), datetime.now(UTC))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def thumbprint(self) -> str:
        return self._certificate.fingerprint(hashes.SHA1()).hex().upper()

    def issue(
        self, principal: str, *, age: timedelta = timedelta(), for_clients: bool = True, password: bytes = b""
    ) -> Identity:
        """Valid for two days, one of which is over; `age` makes it older."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = principal.encode()
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if for_clients else ExtendedKeyUsageOID.CODE_SIGNING
        certificate = (
            _builder(_named(principal), _named(self._name), key.public_key(), datetime.now(UTC) - age)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.OtherName(_PRINCIPAL, b"\x0c" + bytes([len(name)]) + name)]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        self._count += 1
        files = [self._folder / f"{self._name} {self._count}.{kind}" for kind in ("pem", "key")]
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        files[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        )
        return Identity(*files)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
