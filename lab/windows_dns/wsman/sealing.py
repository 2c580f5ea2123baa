"""Bodies sealed inside HTTP (MS-WSMV 2.2.9.1): parts between a fixed boundary, each with its length in the clear."""

from __future__ import annotations

import re
import struct
from typing import Protocol

_BOUNDARY = b"--Encrypted Boundary"
_BINARY = b"\tContent-Type: application/octet-stream\r\n"
_PART = re.compile(
    re.escape(_BOUNDARY) + rb"\r\n\tContent-Type: ([^\r\n]+)\r\n\tOriginalContent: [^\r\n]*Length=(\d+)\r\n"
)


class NotSealed(Exception):
    """The body cannot be unsealed with the context of this connection."""


class Sealer(Protocol):
    """An established security context. `seal` returns the sealed bytes and how many of them stand for themselves (the
    signature); `unseal` gets both back and raises NotSealed. `protocol` is named in every part; messages longer than
    `longest` bytes are sealed in several parts."""

    protocol: str
    longest: int | None

    def seal(self, plain: bytes) -> tuple[int, bytes]: ...

    def unseal(self, length: int, sealed: bytes) -> bytes: ...


def unsealed(body: bytes, sealer: Sealer) -> bytes:
    """The plain text. Raises NotSealed."""
    end = body.rfind(_BOUNDARY + b"--")
    heads = list(_PART.finditer(body))
    if end < 0 or not heads:
        raise NotSealed
    plain = b""
    for head, until in zip(heads, [each.start() for each in heads[1:]] + [end], strict=True):
        content = body[head.end() : until].removeprefix(_BOUNDARY + b"\r\n" + _BINARY)
        if head[1].decode() != sealer.protocol or len(content) < 4:
            raise NotSealed
        [length] = struct.unpack("<i", content[:4])
        part = sealer.unseal(length, content[4:])
        if len(part) != int(head[2]):
            raise NotSealed
        plain += part
    return plain


def sealed(plain: bytes, sealer: Sealer) -> tuple[str, bytes]:
    """Content-Type and body."""
    size = sealer.longest or max(len(plain), 1)
    parts = [plain[at : at + size] for at in range(0, len(plain), size)] or [b""]
    kind = "multipart/encrypted" if len(parts) == 1 else "multipart/x-multi-encrypted"
    body = b"".join(_part(part, sealer) for part in parts) + _BOUNDARY + b"--\r\n"
    return f'{kind};protocol="{sealer.protocol}";boundary="Encrypted Boundary"', body


def _part(plain: bytes, sealer: Sealer) -> bytes:
    length, content = sealer.seal(plain)
    head = (
        f"\tContent-Type: {sealer.protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(plain)}\r\n"
    )
    return _BOUNDARY + b"\r\n" + head.encode() + _BOUNDARY + b"\r\n" + _BINARY + struct.pack("<i", length) + content
