"""Kerberos tickets of one account: got once, kept in this process's memory, renewed in time."""

import contextlib
import copy
import secrets
import threading
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
    """Logs one account in, for several threads. Blocks.

    `monotonic` tells seconds. The library would leave every ticket that it gets by itself in memory for ever, and ask
    for a new one each time; so there is one cache here, by name. New tickets come into a new one, because another
    thread may be about to log in with the old ones, whose cache is kept that long.
    """

    def __init__(self, settings: WindowsDnsSettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._caches: list[str] = []  # the newest last
        self._good_until: float | None = None  # None: there are none, or they did not help

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
        with self._lock:
            self._good_until = None

    def close(self) -> None:
        """Leave no ticket in memory. Never raises."""
        with self._lock:
            self._good_until = None
            self._destroy(keep=0)

    def _destroy(self, keep: int) -> None:
        """All but the newest caches."""
        gone = self._caches[: len(self._caches) - keep]
        if not gone:
            return
        import krb5

        self._caches = self._caches[len(gone) :]
        for cache in gone:
            with contextlib.suppress(krb5.Krb5Error):
                context = krb5.init_context()
                krb5.cc_destroy(context, krb5.cc_resolve(context, cache.encode()))

    def _credential(self) -> "spnego.Credential":
        import spnego

        user, settings = self._settings.kerberos_user or None, self._settings
        if settings.ticket_cache_file is not None:
            _check_file("ticket_cache_file", settings.ticket_cache_file)
            return spnego.KerberosCCache(ccache=f"FILE:{settings.ticket_cache_file}", principal=user)
        if settings.password is None and settings.keytab_file is None:
            return spnego.CredentialCache(username=user)
        with self._lock:  # two threads that need a ticket at the same time need one
            if self._good_until is None or self._monotonic() > self._good_until:
                self._get()
            return spnego.KerberosCCache(ccache=self._caches[-1], principal=user)

    def _get(self) -> None:
        import krb5

        context = krb5.init_context()
        first = self._first_ticket(context)
        name = f"MEMORY:k8snet-{secrets.token_hex(8)}"
        cache = krb5.cc_resolve(context, name.encode())
        krb5.cc_initialize(context, cache, first.client)
        krb5.cc_store_cred(context, cache, first)
        self._caches.append(name)
        self._destroy(keep=2)
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
