"""The three conversations that prove who somebody is and then seal messages: NTLM, Kerberos, CredSSP.

A context takes the client's tokens one after the other (`step`, which raises Refused) and, once `complete`, knows the
`user` in the form in which the client proved it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from .sealing import NotSealed, Sealer

SPNEGO_SEALED = "application/HTTP-SPNEGO-session-encrypted"
KERBEROS_SEALED = "application/HTTP-Kerberos-session-encrypted"
CREDSSP_SEALED = "application/HTTP-CredSSP-session-encrypted"
_SIGNATURE = 16  # bytes of an NTLM signature
_CREDSSP_PIECE = 16384  # bytes in a TLS record
# CredSSP versions below it hand the server's public key over in a way that a man in the middle can use
# (CVE-2018-0886); Windows refuses them since 2018.
_CREDSSP_SAFE = 5
_KERBEROS_OID = bytes.fromhex("06092a864886f712010202")


class Refused(Exception):
    """The client is not who it says. `token` tells it why, where the protocol has a place for that."""

    def __init__(self, token: bytes | None = None) -> None:
        super().__init__("refused")
        self.token = token


class Context(Sealer, Protocol):
    complete: bool
    user: str

    def step(self, token: bytes) -> bytes | None: ...


class NtlmContext:
    """NTLM, bare or inside SPNEGO. Without `bindings` any channel is as good as another."""

    protocol = SPNEGO_SEALED
    longest: int | None = None

    def __init__(self, token: bytes, bindings: bytes | None) -> None:
        bare = token.startswith(b"NTLMSSP\0")
        self._context = spnego.server(
            protocol="ntlm" if bare else "negotiate",
            options=spnego.NegotiateOptions.use_ntlm if bare else spnego.NegotiateOptions.use_negotiate,
            channel_bindings=None if bindings is None else GssChannelBindings(application_data=bindings),
        )
        self.complete, self.user = False, ""

    def step(self, token: bytes) -> bytes | None:
        try:
            answer = self._context.step(token)
        except (SpnegoError, ValueError):
            raise Refused from None
        if self._context.complete:
            self.complete, self.user = True, self._context.client_principal or ""
        return answer

    def seal(self, plain: bytes) -> tuple[int, bytes]:
        return _SIGNATURE, self._context.wrap(plain).data

    def unseal(self, length: int, sealed: bytes) -> bytes:
        if length != _SIGNATURE or len(sealed) < _SIGNATURE:
            raise NotSealed
        try:
            return self._context.unwrap(sealed).data
        except SpnegoError:
            raise NotSealed from None


class KerberosContext:
    """Kerberos, bare or inside SPNEGO, with the keys of a keytab. Whoever binds itself to another channel is refused;
    `strict` refuses also whoever binds itself to none."""

    longest: int | None = None

    def __init__(self, keytab: Path, bindings: bytes | None, strict: bool, protocol: str = SPNEGO_SEALED) -> None:
        import gssapi  # a C library, needed by this login only

        self._gssapi = gssapi
        self.protocol = protocol
        self._strict = strict and bindings is not None
        channel = None if bindings is None else gssapi.raw.ChannelBindings(application_data=bindings)
        try:
            keys = gssapi.Credentials(usage="accept", store={"keytab": f"FILE:{keytab}"})
        except gssapi.exceptions.GSSError:
            raise Refused from None
        self._context = gssapi.SecurityContext(creds=keys, usage="accept", channel_bindings=channel)
        self.complete, self.user = False, ""

    def step(self, token: bytes) -> bytes | None:
        answer: bytes | None = None
        try:
            answer = self._context.step(token)
            complete = self._context.complete  # where the library raises what it has put into an error token
        except self._gssapi.exceptions.GSSError:
            raise Refused(answer) from None
        if complete:
            bound = self._gssapi.RequirementFlag.channel_bound
            if self._strict and bound not in self._context.actual_flags:
                raise Refused
            self.complete, self.user = True, str(self._context.initiator_name).rstrip("\0")
        return answer

    def _buffers(self, *contents: tuple[str, bytes | None]) -> Any:
        kinds = self._gssapi.raw.IOVBufferType
        buffers = [
            self._gssapi.raw.IOVBuffer(getattr(kinds, kind), content is None, content) for kind, content in contents
        ]
        return self._gssapi.raw.IOV(*buffers, std_layout=False)

    def seal(self, plain: bytes) -> tuple[int, bytes]:
        buffers = self._buffers(("header", None), ("data", plain), ("padding", None))
        self._gssapi.raw.wrap_iov(self._context, buffers, confidential=True)
        header, content, padding = (each.value or b"" for each in buffers)
        return len(header), header + content + padding

    def unseal(self, length: int, sealed: bytes) -> bytes:
        if not 0 < length <= len(sealed):
            raise NotSealed
        buffers = self._buffers(("header", sealed[:length]), ("data", sealed[length:]), ("data", b""))
        try:
            self._gssapi.raw.unwrap_iov(self._context, buffers)
        except self._gssapi.exceptions.GSSError:
            raise NotSealed from None
        return buffers[1].value or b""


class CredSspContext:
    """TLS, inside it NTLM (bare or in SPNEGO), inside that the proof of the public key and then the credentials.

    `knows` says whether credentials that were delegated are really those of that user.
    """

    protocol = CREDSSP_SEALED
    longest: int | None = _CREDSSP_PIECE

    def __init__(self, knows: Callable[[str, str], bool]) -> None:
        self._context = spnego.server(
            protocol="credssp",
            credssp_negotiate_context=spnego.server(
                protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate
            ),
            credssp_min_protocol=_CREDSSP_SAFE,
        )
        self._knows = knows
        self.complete, self.user = False, ""
        self.version = 0

    def step(self, token: bytes) -> bytes | None:
        try:
            answer = self._context.step(token)
        except (SpnegoError, ValueError):
            raise Refused from None
        self.version = self._context.get_extra_info("protocol_version", 0)
        if self._context.get_extra_info("auth_stage") == "Authentication failure":
            raise Refused(answer)
        if self._context.complete:
            delegated = self._context.get_extra_info("client_credential")
            user = self._context.client_principal or ""
            name = f"{delegated.domain_name}\\{delegated.username}" if delegated.domain_name else delegated.username
            if name.lower() != user.lower() or not self._knows(name, delegated.password):
                raise Refused
            self.complete, self.user = True, user
        return answer

    def seal(self, plain: bytes) -> tuple[int, bytes]:
        wrapped = self._context.wrap_winrm(plain)
        return len(wrapped.header), wrapped.header + wrapped.data

    def unseal(self, length: int, sealed: bytes) -> bytes:
        # The length of the TLS record's trailer as the client reckons it; nobody needs it to read a record.
        if not 0 < length < len(sealed):
            raise NotSealed
        try:
            return self._context.unwrap(sealed).data
        except SpnegoError:
            raise NotSealed from None


def is_kerberos(token: bytes) -> bool:
    """Whether a first token offers Kerberos, bare or inside SPNEGO."""
    return _KERBEROS_OID in token[:200]
