"""PSRP on the wire (MS-PSRP 2.2): fragments, messages, and the little of CLIXML that calls of functions need."""

from __future__ import annotations

import re
import struct
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from lab.windows_dns.powershell.errors import ErrorRecord, Unsupported

SESSION_CAPABILITY, INIT_RUNSPACEPOOL, CREATE_PIPELINE = 0x00010002, 0x00010004, 0x00021006
RUNSPACEPOOL_STATE, APPLICATION_PRIVATE_DATA = 0x00021005, 0x00021009
PIPELINE_OUTPUT, PIPELINE_STATE = 0x00041004, 0x00041006
OPENED, COMPLETED, FAILED = 2, 4, 5
TO_CLIENT = 1
PIECE = 32_000  # bytes of one fragment's content

_FRAGMENT = struct.Struct(">QQBI")
_HEADER = struct.Struct("<II16s16s")
_NAMESPACE = "{http://schemas.microsoft.com/powershell/2004/04}"
_NUMBERS = {"I16", "I32", "I64", "U32", "U64", "By"}


class Malformed(Exception):
    """Not PSRP."""


@dataclass(frozen=True)
class Message:
    kind: int
    content: str


@dataclass(frozen=True)
class Call:
    """One command of a pipeline. A script is one whose name is program text."""

    name: str
    script: bool
    arguments: Mapping[str, Any]


class Reassembly:
    """Messages from the fragments of one sender, in whatever pieces they come."""

    def __init__(self) -> None:
        self._parts: dict[int, list[bytes]] = {}

    def messages(self, data: bytes) -> list[Message]:
        """Raises Malformed."""
        found = []
        while data:
            try:
                identity, number, flags, length = _FRAGMENT.unpack_from(data)
            except struct.error:
                raise Malformed("a fragment without header") from None
            content, data = data[_FRAGMENT.size : _FRAGMENT.size + length], data[_FRAGMENT.size + length :]
            parts = self._parts.setdefault(identity, [])
            if number != len(parts) or len(content) != length:
                raise Malformed("a fragment out of order")
            parts.append(content)
            if flags & 2:
                found.append(_message(b"".join(self._parts.pop(identity))))
        return found


def _message(data: bytes) -> Message:
    if len(data) < _HEADER.size:
        raise Malformed("a message without header")
    _, kind, _, _ = _HEADER.unpack_from(data)
    return Message(kind, data[_HEADER.size :].decode("utf-8-sig"))


def packed(number: int, kind: int, pool: str, pipeline: str | None, content: str) -> bytes:
    """A message to the client, the `number`th of its sender, as fragments one after the other."""
    header = _HEADER.pack(TO_CLIENT, kind, uuid.UUID(pool).bytes_le, uuid.UUID(pipeline or "0" * 32).bytes_le)
    data = header + content.encode()
    pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
    out = b""
    for place, piece in enumerate(pieces):
        flags = (place == 0) | (place == len(pieces) - 1) << 1
        out += _FRAGMENT.pack(number, place, flags, len(piece)) + piece
    return out


def calls(content: str) -> list[Call]:
    """The commands of a CREATE_PIPELINE message. Raises Malformed, or Unsupported for more than one statement."""
    try:
        root = ET.fromstring(content)
    except ET.ParseError:
        raise Malformed("no XML") from None
    pipeline = value(root).get("PowerShell") or {}
    if pipeline.get("ExtraCmds"):
        raise Unsupported("several statements in one pipeline")
    return [
        Call(
            each["Cmd"],
            bool(each["IsScript"]),
            {(argument["N"] or "").removeprefix("-").rstrip(":"): argument["V"] for argument in each["Args"] or []},
        )
        for each in pipeline.get("Cmds") or []
    ]


def value(element: ET.Element) -> Any:
    """A serialized object: text, number, truth, None, list, or a mapping of its properties."""
    tag = element.tag.removeprefix(_NAMESPACE)
    match tag:
        case "Obj":
            return _object(element)
        case "Nil":
            return None
        case "B":
            return element.text == "true"
        case "LST" | "IE":
            return [value(item) for item in element]
        case "S" | "G" | "Version" | "SCT" | "XD" | "URI":
            return _unescaped(element.text or "")
        case _ if tag in _NUMBERS:
            return int(element.text or "0")
    raise Unsupported(f"a serialized <{tag}>")


def _object(element: ET.Element) -> Any:
    properties: dict[str, Any] = {}
    for part in element:
        match part.tag.removeprefix(_NAMESPACE):
            case "LST" | "IE":
                return value(part)
            case "MS" | "Props":
                for each in part:
                    if each.tag.removeprefix(_NAMESPACE) not in ("Ref", "DCT"):
                        properties[each.get("N", "")] = value(each)
            case "I32":  # the number behind an enumeration
                return value(part)
    return properties


def _unescaped(text: str) -> str:
    units = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)
    # What lies beyond 16 bits may come as two escapes.
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _escaped(text: str) -> str:
    marked = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return escape(re.sub(r"[\x00-\x1f]", lambda match: f"_x{ord(match[0]):04X}_", marked))


def session_capability() -> str:
    return (
        '<Obj RefId="0"><MS><Version N="protocolversion">2.3</Version><Version N="PSVersion">2.0</Version>'
        '<Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>'
    )


def private_data() -> str:
    return '<Obj RefId="0"><MS><Nil N="ApplicationPrivateData"/></MS></Obj>'


def pool_state(state: int) -> str:
    return f'<Obj RefId="0"><MS><I32 N="RunspaceState">{state}</I32></MS></Obj>'


def output(text: str) -> str:
    return f"<S>{_escaped(text)}</S>"


def pipeline_state(state: int, error: ErrorRecord | None = None) -> str:
    record = "" if error is None else _error(error)
    return f'<Obj RefId="0"><MS><I32 N="PipelineState">{state}</I32>{record}</MS></Obj>'


def _error(record: ErrorRecord) -> str:
    def text(name: str, content: str) -> str:
        return f'<S N="{name}">{_escaped(content)}</S>'

    return (
        '<Obj N="ExceptionAsErrorRecord" RefId="1"><TN RefId="0"><T>System.Management.Automation.ErrorRecord</T>'
        f"<T>System.Object</T></TN><ToString>{_escaped(record.message)}</ToString><MS>"
        '<Obj N="Exception" RefId="2"><TN RefId="1"><T>System.Exception</T><T>System.Object</T></TN>'
        f"<ToString>{_escaped(record.message)}</ToString><Props>{text('Message', record.message)}</Props></Obj>"
        f'<Nil N="TargetObject"/>{text("FullyQualifiedErrorId", record.error_id)}<Nil N="InvocationInfo"/>'
        '<I32 N="ErrorCategory_Category">0</I32>'
        f"{text('ErrorCategory_Activity', record.activity)}{text('ErrorCategory_Reason', record.reason)}"
        f"{text('ErrorCategory_TargetName', str(record.target or ''))}{text('ErrorCategory_TargetType', '')}"
        f'{text("ErrorCategory_Message", record.category)}<B N="SerializeExtendedInfo">false</B></MS></Obj>'
    )
