"""Kerberos tickets of one account: got once, kept in this process's memory, renewed in time."""

import contextlib
import copy
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backends.windows_dns.settings import WindowsDnsSettings

if TYPE_CHECKING:
    import krb5
    import spnego
    from requests.auth import AuthBase

SPARE_S = 600
"""Tickets with less time left than this are renewed before they are used: far more than any call takes."""


class MissingExtra(Exception):
    """An optional library is not installed; the argument is the name of the extra."""


class Tickets:
    """Logs one account in. Blocks, and belongs to one thread at a time.

    `monotonic` tells seconds. The library would leave every ticket that it gets by itself in memory for ever, and ask
    for a new one each time; so there is one cache here, by name.
    """

    def __init__(self, settings: WindowsDnsSettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._cache = f"MEMORY:k8snet-{secrets.token_hex(8)}"
        self._good_until: float | None = None  # None: nothing is cached

    def login(self, *, seals: bool) -> "AuthBase":
        """A handler for `requests` that logs in with a ticket and, if `seals`, agrees on keys for messages.

        Raises MissingExtra, FileNotFoundError for a file that is not there, or what the library raises.
        """
        try:
            import gssapi  # noqa: F401
            import krb5  # noqa: F401

            from backends.windows_dns.kerberos_session import KerberosSession
        except ImportError:
            raise MissingExtra("kerberos") from None
        return KerberosSession(self._credential(), self._settings.kerberos_service, seals)

    def forget(self) -> None:
        """Begin with new tickets next time: the old ones did not help. Never raises."""
        if self._good_until is None:
            return
        import krb5

        self._good_until = None
        with contextlib.suppress(krb5.Krb5Error):
            context = krb5.init_context()
            krb5.cc_destroy(context, krb5.cc_resolve(context, self._cache.encode()))

    def _credential(self) -> "spnego.Credential":
        import spnego

        user, settings = self._settings.kerberos_user or None, self._settings
        if settings.ticket_cache_file is not None:
            _check_file("ticket_cache_file", settings.ticket_cache_file)
            return spnego.KerberosCCache(ccache=f"FILE:{settings.ticket_cache_file}", principal=user)
        if settings.password is None and settings.keytab_file is None:
            return spnego.CredentialCache(username=user)
        if self._good_until is None or self._monotonic() > self._good_until:
            self._get()
        return spnego.KerberosCCache(ccache=self._cache, principal=user)

    def _get(self) -> None:
        import krb5

        context = krb5.init_context()
        first = self._first_ticket(context)
        cache = krb5.cc_resolve(context, self._cache.encode())
        krb5.cc_initialize(context, cache, first.client)  # empties it, service tickets included
        krb5.cc_store_cred(context, cache, first)
        life = first.times.endtime - (first.times.starttime or first.times.authtime)
        self._good_until = self._monotonic() + life - SPARE_S

    def _first_ticket(self, context: "krb5.Context") -> "krb5.Creds":
        import krb5

        user = self._settings.kerberos_user.encode()
        options = krb5.get_init_creds_opt_alloc(context)
        krb5.get_init_creds_opt_set_canonicalize(options, True)
        if self._settings.keytab_file is None:
            assert self._settings.password is not None
            secret = self._settings.password.get_secret_value().encode()
            return krb5.get_init_creds_password(context, krb5.parse_name_flags(context, user), options, password=secret)
        _check_file("keytab_file", self._settings.keytab_file)
        keytab = krb5.kt_resolve(context, f"FILE:{self._settings.keytab_file}".encode())
        if user:
            principal = krb5.parse_name_flags(context, user)
        else:
            entry = next(iter(keytab))
            principal = copy.copy(entry.principal)  # which does not outlive its entry
        return krb5.get_init_creds_keytab(context, principal, options, keytab=keytab)


def _check_file(field: str, path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"`{field}` {path}")
