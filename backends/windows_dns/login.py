"""What logins need beforehand, and what their failures mean."""

import ssl
from collections.abc import Mapping
from dataclasses import replace

from spnego.exceptions import SpnegoError

from backends.windows_dns.faults import Failure
from backends.windows_dns.settings import WindowsDnsSettings
from backends.windows_dns.tickets import MissingExtra
from bot.model.wording import marked, tr

CREDSSP_VERSION = 5
"""The lowest that is spoken: before it a man in the middle could use the delegated password (CVE-2018-0886)."""


def require_credssp() -> None:
    """Raises MissingExtra."""
    try:
        import requests_credssp  # noqa: F401
    except ImportError:
        raise MissingExtra("credssp") from None


def _no(text: str) -> Failure:
    return Failure(text, passing=False, refused=True)


def _not_now(text: str) -> Failure:
    return Failure(text, passing=True, refused=True)


_NO_PASSWORD = replace(_no(marked("Kerberos did not accept the password or key of `user`")), login=True)
_STALE = _no(
    marked(
        "the Kerberos ticket has expired; renew the cache (kinit), or give `password` "
        "or `keytab_file` so that k8snet gets tickets itself"
    )
)
_FOREIGN = _no(
    marked("the server cannot read our ticket; was its machine account reset, or its name given to another service?")
)
_NO_TICKET = _no(marked("there is no Kerberos ticket to log in with; run kinit, or give `password` or `keytab_file`"))
_SKEW = _no(marked("the clocks of this host and of the domain differ too much for Kerberos; synchronise them (NTP)"))
_NO_REALM = _no(marked("this host does not know the realm's Kerberos servers; name them in /etc/krb5.conf or in DNS"))
_SILENT = _not_now(
    marked("no Kerberos server (KDC) of the realm answers; is TCP and UDP 88 of the domain controllers open?")
)
_BASE = -1765328384  # error numbers of Kerberos begin here (krb5.h, ERROR_TABLE_BASE_krb5)

# By the number that the protocol or MIT's library gives it.
_KERBEROS: Mapping[int, Failure] = {
    1: _no(marked("the account's entry in the domain has expired")),
    6: _no(marked("the domain does not know `user`; write it as name@REALM")),
    7: _no(
        marked(
            "the domain has no service of that name; let `endpoint` name the server as the "
            "domain does (its full host name), or choose another `kerberos_service`"
        )
    ),
    14: _no(
        marked("the domain offers no encryption type that this host allows; see permitted_enctypes in /etc/krb5.conf")
    ),
    18: _no(marked("the account is disabled or locked out")),
    23: _no(marked("the account's password has expired")),
    24: _NO_PASSWORD,
    31: _FOREIGN,
    32: _STALE,
    33: _SKEW,  # the ticket is not valid yet
    37: _SKEW,
    41: _FOREIGN,
    44: _FOREIGN,
    45: _FOREIGN,
    141: _NO_TICKET,  # KRB5_CC_NOTFOUND
    144: _FOREIGN,
    154: _NO_REALM,
    156: _SILENT,
    181: _no(marked("`keytab_file` holds no key of `user`")),
    195: _NO_TICKET,  # KRB5_FCC_NOFILE
    220: _NO_REALM,
    224: _NO_REALM,
}
_UNREADABLE = 31
_CREDENTIALS_EXPIRED = 11 << 16  # GSS_S_CREDENTIALS_EXPIRED
_NO_CREDENTIALS = 7 << 16


def explain_login(error: Exception) -> Failure | None:
    """What a login came to grief over, if that is what the error is about. Texts of the libraries are not passed on."""
    if isinstance(error, MissingExtra):
        return _no(tr("that login needs a library that is not installed: pip install 'k8snet[{error}]'", error=error))
    if isinstance(error, UnusableCertificate):
        return _no(str(error))
    home = type(error).__module__.partition(".")[0]
    if home == "krb5":  # while getting the first ticket
        code = getattr(error, "err_code", 0)
        return _NO_PASSWORD if code - _BASE == _UNREADABLE else _explain_kerberos(code)
    cause = getattr(error, "base_error", None) if isinstance(error, SpnegoError) else None
    if cause is not None and type(cause).__module__.startswith("gssapi"):
        return _explain_gss(cause)
    if home == "requests_credssp":
        text = tr(
            "the server did not accept the login by CredSSP; check `user` and `password`, "
            "whether CredSSP is enabled on the server (Enable-WSManCredSSP -Role Server), "
            "and that it has the update of 2018 for CVE-2018-0886"
        )
        return Failure(text, passing=False, refused=True, login=True)
    return None


def _explain_gss(error: Exception) -> Failure:
    major, minor = getattr(error, "maj_code", 0), getattr(error, "min_code", 0)
    known = _KERBEROS.get(_signed(minor) - _BASE)
    if known is not None:
        return known
    if major & 0xFF0000 == _CREDENTIALS_EXPIRED:
        return _STALE
    if major & 0xFF0000 == _NO_CREDENTIALS:
        return _NO_TICKET
    return _explain_kerberos(_signed(minor))


def _explain_kerberos(code: int) -> Failure:
    return _KERBEROS.get(code - _BASE) or _not_now(
        tr("the login by Kerberos failed (error {code} of its library)", code=code)
    )


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


class UnusableCertificate(Exception):
    """The client certificate cannot be shown to anybody."""


def check_certificate(settings: WindowsDnsSettings) -> None:
    """Raises FileNotFoundError, or UnusableCertificate: `requests` would ask the terminal for the key's password."""
    assert settings.certificate_file is not None
    assert settings.certificate_key_file is not None
    for field in ("certificate_file", "certificate_key_file"):
        if not getattr(settings, field).is_file():
            raise FileNotFoundError(f"`{field}` {getattr(settings, field)}")

    def no_password() -> str:
        raise UnusableCertificate(tr("`certificate_key_file` is protected by a password; k8snet needs it without one"))

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            settings.certificate_file, settings.certificate_key_file, password=no_password
        )
    except (ssl.SSLError, OSError):
        raise UnusableCertificate(
            tr("`certificate_file` and `certificate_key_file` are no certificate and its key, both in PEM")
        ) from None


def certificate_refused(settings: WindowsDnsSettings) -> Failure:
    """The server has seen the client certificate, or missed one, and does not let us in."""
    return _no(
        tr(
            "the server did not accept the client certificate ({described}); is its "
            "authority trusted there, its user mapped to a local account "
            "(winrm/config/service/certmapping), and Certificate enabled "
            "(winrm/config/service/auth)?",
            described=_described(settings),
        )
    )


def _described(settings: WindowsDnsSettings) -> str:
    """Whose certificate it is and how long it is good for, from the file."""
    from cryptography import x509

    assert settings.certificate_file is not None
    try:
        certificate = x509.load_pem_x509_certificate(settings.certificate_file.read_bytes())
    except (OSError, ValueError):
        return tr("`certificate_file` cannot be read")
    names = tr(
        "{subject} of {issuer}",
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
    )
    shown = "".join(character for character in names[:200] if character.isprintable())
    return tr(
        "{shown}, valid until {not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        shown=shown,
        not_valid_after_utc=certificate.not_valid_after_utc,
    )
