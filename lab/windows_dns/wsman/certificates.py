"""Client certificates: who somebody is by the entries of `winrm/config/service/certmapping`."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from lab.windows_dns.state import CertificateMapping

# What a client says instead of credentials: look at the certificate of the TLS connection.
HEADER = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_PRINCIPAL = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def mapped_user(der: bytes, authorities: Iterable[str], mappings: Iterable[CertificateMapping]) -> str | None:
    """The local account of a certificate that TLS has verified already; None when no entry is about it.

    Windows looks for an entry with the thumbprint of an authority in the chain and a pattern that fits the user
    principal name; a certificate that may not authenticate clients has no chance.
    """
    certificate = x509.load_der_x509_certificate(der)
    if not _for_clients(certificate):
        return None
    names = list(_principals(certificate))
    chain = set(_chain(certificate, [x509.load_pem_x509_certificate(each.encode()) for each in authorities]))
    for mapping in mappings:
        issued = mapping.issuer.replace(" ", "").lower() in chain
        named = any(fnmatch.fnmatchcase(name.lower(), mapping.subject.lower()) for name in names)
        if mapping.enabled and issued and named:
            return mapping.user
    return None


def _for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage.value


def _principals(certificate: x509.Certificate) -> Iterator[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return
    for other in names.value.get_values_for_type(x509.OtherName):
        # A UTF8String in DER: tag 12, one byte of length for names as short as these.
        if other.type_id == _PRINCIPAL and other.value[:1] == b"\x0c" and other.value[1] == len(other.value) - 2 < 128:
            yield other.value[2:].decode("utf-8", "replace")


def _chain(certificate: x509.Certificate, authorities: list[x509.Certificate]) -> Iterator[str]:
    """Thumbprints of the authorities that stand above a certificate."""
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        yield authority.fingerprint(hashes.SHA1()).hex()
        if authority.issuer != authority.subject:
            yield from _chain(authority, authorities)
