"""Who is on the other end: Basic and certificates per request, NTLM, Kerberos and CredSSP per connection."""

from __future__ import annotations

import base64
import binascii
import os
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spnego._ntlm_raw.crypto import ntowfv1
from spnego._ntlm_raw.messages import Authenticate

from .contexts import (
    KERBEROS_SEALED,
    SPNEGO_SEALED,
    Context,
    CredSspContext,
    KerberosContext,
    NtlmContext,
    Refused,
    is_kerberos,
)
from .sealing import NotSealed, sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.windows_dns.server import Server
    from lab.windows_dns.state import Account

# The library finds its accounts through the environment of the whole process; servers take turns.
_ENVIRONMENT = threading.Lock()


class UserFile:
    """The accounts of one server as the file that NTLM_USER_FILE names while this server authenticates somebody."""

    def __init__(self, accounts: Callable[[], list[Account]], hostname: Callable[[], str], domain: Callable[[], str]):
        self._accounts, self._hostname, self._domain = accounts, hostname, domain
        handle, name = tempfile.mkstemp(prefix="lab-ntlm-")
        os.close(handle)
        self._path = Path(name)

    def close(self) -> None:
        with suppress(FileNotFoundError):
            self._path.unlink()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        lines = [line for account in self._accounts() for line in self._lines(account)]
        with _ENVIRONMENT:
            self._path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            before = os.environ.get("NTLM_USER_FILE")
            os.environ["NTLM_USER_FILE"] = str(self._path)
            try:
                yield
            finally:
                if before is None:
                    del os.environ["NTLM_USER_FILE"]
                else:
                    os.environ["NTLM_USER_FILE"] = before

    def _lines(self, account: Account) -> Iterator[str]:
        """One line per form in which the client may write the name: a local account also as HOST\\user, one of the
        domain also as user@domain."""
        yield account.user + _hashes(account)
        domain, separator, name = account.user.partition("\\")
        if not account.domain_account:
            yield f"{self._hostname()}\\{account.user}" + _hashes(account)
        elif separator and domain.lower() == self._domain().partition(".")[0].lower():
            yield f"{name}@{self._domain()}" + _hashes(account)


def _hashes(account: Account) -> str:
    # smbpasswd format: hashes, because a password may contain the separator of the other format.
    return f":0:{'0' * 32}:{ntowfv1(account.password).hex().upper()}:[U]:LCT-0"


class Connection:
    """The state of one TCP connection. A new one knows nobody. `bindings` name the TLS channel, if it is one."""

    def __init__(self, server: Server, users: UserFile, bindings: bytes | None) -> None:
        self._server, self._users, self._bindings = server, users, bindings
        self._context: Context | None = None
        self.user: str | None = None

    def step(self, scheme: str, token: bytes) -> bytes | None:
        """One leg of a login; the token to send back. Raises Refused when the client is not who it says."""
        with self._users.in_force():
            if self._context is None or self._context.complete:
                self.user = None
                self._context = self._begin(scheme, token)
            try:
                answer = self._context.step(token)
            except Refused:
                self._context = None
                raise
            if self._context.complete:
                self.user = self._context.user
        return answer

    def _begin(self, scheme: str, token: bytes) -> Context:
        settings = self._server.settings
        bindings = None if settings.channel_bindings == "none" else self._bindings
        strict = settings.channel_bindings == "strict"
        if scheme == "credssp":
            return CredSspContext(self._knows)
        if settings.keytab is not None and is_kerberos(token):
            protocol = KERBEROS_SEALED if scheme == "kerberos" else SPNEGO_SEALED
            return KerberosContext(Path(settings.keytab), bindings, strict, protocol)
        if scheme == "kerberos" or not settings.auth_ntlm:
            raise Refused
        # The library refuses who names no channel at all, so it is told of the channel only where that is the rule.
        return NtlmContext(token, bindings if strict else None)

    def _knows(self, user: str, password: str) -> bool:
        account = self._server.account(user)
        return account is not None and self._server.accepts(account, password)

    def unseal(self, body: bytes) -> bytes:
        """The plain text of an encrypted body. Raises NotSealed."""
        if self._context is None or self.user is None:
            raise NotSealed
        return unsealed(body, self._context)

    def seal(self, plain: bytes) -> tuple[str, bytes]:
        """Content-Type and body."""
        assert self._context is not None
        return sealed(plain, self._context)


def basic_credentials(header: str) -> tuple[str, str] | None:
    """User and password of an `Authorization: Basic` header."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return None
    user, separator, password = decoded.partition(":")
    return (user, password) if separator else None


def ntlm_user(token: bytes) -> str | None:
    """Whom the last message of a bare NTLM login names; None for any other token."""
    if not token.startswith(b"NTLMSSP\0\3"):
        return None
    try:
        message = Authenticate.unpack(token)
    except (ValueError, struct.error):
        return None
    return f"{message.domain_name}\\{message.user_name}" if message.domain_name else message.user_name


def login_token(header: str) -> tuple[str, bytes] | None:
    """Scheme in lower case (`ntlm` counts as `negotiate`) and token of an `Authorization` header that carries one."""
    scheme, _, value = header.partition(" ")
    scheme = {"ntlm": "negotiate"}.get(scheme.lower(), scheme.lower())
    if scheme not in ("negotiate", "kerberos", "credssp") or not value.strip():
        return None
    try:
        return scheme, base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        return None
