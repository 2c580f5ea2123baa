"""Who is on the other end: Basic per request, NTLM per connection, and the sealing that NTLM brings along."""

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

import spnego
from spnego._ntlm_raw.crypto import ntowfv1
from spnego.exceptions import SpnegoError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.windows_dns.state import Account

_SIGNATURE = 16
_BOUNDARY = b"--Encrypted Boundary"
SEALED = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
# The library finds its accounts through the environment of the whole process; servers take turns.
_ENVIRONMENT = threading.Lock()


class NotSealed(Exception):
    """The body cannot be unsealed with the context of this connection."""


class UserFile:
    """The accounts of one server as the file that NTLM_USER_FILE names while this server authenticates somebody."""

    def __init__(self, accounts: Callable[[], list[Account]], hostname: Callable[[], str]) -> None:
        self._accounts, self._hostname = accounts, hostname
        handle, name = tempfile.mkstemp(prefix="lab-ntlm-")
        os.close(handle)
        self._path = Path(name)

    def close(self) -> None:
        with suppress(FileNotFoundError):
            self._path.unlink()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        lines = [line for account in self._accounts() for line in _lines(account, self._hostname())]
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


def _lines(account: Account, hostname: str) -> list[str]:
    """One line per form in which the client may write the name: a local account also as HOST\\user."""
    # smbpasswd format: hashes, because a password may contain the separator of the other format.
    rest = f":0:{'0' * 32}:{ntowfv1(account.password).hex().upper()}:[U]:LCT-0"
    names = [account.user] if account.domain_account else [account.user, f"{hostname}\\{account.user}"]
    return [name + rest for name in names]


class Connection:
    """The state of one TCP connection. A new one knows nobody."""

    def __init__(self, users: UserFile) -> None:
        self._users = users
        self._context: spnego.ContextProxy | None = None
        self.user: str | None = None

    def step(self, token: bytes) -> bytes | None:
        """One leg of the handshake; the token to send back. Raises SpnegoError when the client is not who it says."""
        with self._users.in_force():
            if self._context is None or self._context.complete:
                self.user = None
                protocol = "ntlm" if token.startswith(b"NTLMSSP\0") else "negotiate"
                options = spnego.NegotiateOptions.use_ntlm
                self._context = spnego.server(protocol=protocol, options=options)
            try:
                answer = self._context.step(token)
            except SpnegoError:
                self._context = None
                raise
            if self._context.complete:
                self.user = self._context.client_principal
        return answer

    def unseal(self, body: bytes) -> bytes:
        """The plain text of an encrypted body. Raises NotSealed."""
        marker = b"\tContent-Type: application/octet-stream\r\n"
        start, end = body.find(marker), body.rfind(_BOUNDARY + b"--")
        if start < 0 or end < 0 or self._context is None or self.user is None:
            raise NotSealed
        sealed = body[start + len(marker) : end]
        if len(sealed) < 4 + _SIGNATURE or struct.unpack("<i", sealed[:4])[0] != _SIGNATURE:
            raise NotSealed
        try:
            return self._context.unwrap(sealed[4:]).data
        except SpnegoError:
            raise NotSealed from None

    def seal(self, plain: bytes) -> bytes:
        assert self._context is not None
        sealed = self._context.wrap(plain).data
        head = (
            "\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(plain)}\r\n"
        )
        return (
            _BOUNDARY + b"\r\n" + head.encode() + _BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n"
            + struct.pack("<i", _SIGNATURE) + sealed + _BOUNDARY + b"--\r\n"
        )  # fmt: skip


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


def negotiate_token(header: str) -> bytes | None:
    """The token of an `Authorization: Negotiate` (or NTLM) header."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() not in ("negotiate", "ntlm") or not value.strip():
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        return None
