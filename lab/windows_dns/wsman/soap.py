"""Envelopes in and out, and the faults of the service with their codes and subcodes."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
ANONYMOUS = f"{ADDRESSING}/role/anonymous"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CMD = f"{SHELL}/cmd"
_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_SELECTORS = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors"
_NAMES = {
    "s": _ENVELOPE,
    "a": ADDRESSING,
    "w": _WSMAN,
    "x": TRANSFER,
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "rsp": SHELL,
}
_HEADERS = {
    "To", "ReplyTo", "MaxEnvelopeSize", "MessageID", "Locale", "DataLocale", "OperationTimeout", "ResourceURI",
    "Action", "SelectorSet", "OptionSet", "SessionId", "FaultTo", "From", "ActivityId", "OperationID",
    "SequenceId",
}  # fmt: skip


class Fault(Exception):
    """A SOAP fault; over HTTP always status 500."""

    def __init__(self, code: int | None, value: str, subcode: str, text: str, *, provider: str = "") -> None:
        super().__init__(text)
        self.code, self.value, self.subcode, self.text, self.provider = code, value, subcode, text, provider


def timed_out() -> Fault:
    return Fault(
        2150858793,
        "s:Receiver",
        "w:TimedOut",
        "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ",
    )


def access_denied() -> Fault:
    return Fault(5, "s:Sender", "w:AccessDenied", "Access is denied. ")


def shell_missing(shell_id: str) -> Fault:
    return Fault(
        2150858843,
        "s:Sender",
        "w:InvalidSelectors",
        f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not found on "
        "the server. "
        "Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide "
        "the correct "
        "ShellId or create a new shell and retry the operation. ",
    )


def command_missing() -> Fault:
    return Fault(
        2150858843,
        "s:Sender",
        "w:InvalidSelectors",
        "The Windows Remote Shell received a request to perform an operation on a command identifier that does not "
        "exist. Either the "
        "command has completed execution or the client specified an invalid command identifier. ",
    )


def too_many_shells(limit: int) -> Fault:
    return Fault(
        2150859173,
        "s:Receiver",
        "w:QuotaLimit",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of "
        f"{limit} concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. ",
    )


def too_many_operations(limit: int) -> Fault:
    return Fault(
        2150859174,
        "s:Receiver",
        "w:InternalError",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of "
        f"{limit} concurrent operations, which has been exceeded. Close existing operations for this user, or raise "
        "the quota for "
        "this user. ",
    )


def line_too_long() -> Fault:
    return Fault(
        2147942606,
        "s:Receiver",
        "w:InternalError",
        "The filename or extension is too long. ",
        provider="Shell cmd plugin",
    )


def bad_parameter() -> Fault:
    return Fault(87, "s:Sender", "w:InvalidParameter", "The parameter is incorrect. ")


def unknown_resource(uri: str) -> Fault:
    return Fault(
        2150858752,
        "s:Sender",
        "w:InvalidParameter",
        f"The WS-Management service cannot process the request. The resource URI ({uri}) was not found in the "
        "WS-Management catalog. ",
    )


def bad_header(name: str) -> Fault:
    return Fault(
        2150858767,
        "s:Sender",
        "a:InvalidMessageInformationHeader",
        "The WS-Management service cannot process the request. The request contains one or more invalid SOAP headers: "
        f"{name}. ",
    )


def bad_schema() -> Fault:
    return Fault(
        2150858817,
        "s:Sender",
        "w:SchemaValidationError",
        "The SOAP XML in the message does not match the corresponding XML schema definition. Change the XML and retry. "
        "",
    )


def not_understood(name: str) -> Fault:
    return Fault(
        None,
        "s:MustUnderstand",
        "",
        "The WS-Management service cannot process a SOAP header in the request that is marked as mustUnderstand by "
        f"the client: {name}. ",
    )


@dataclass
class Request:
    """What matters of a request. `timeout` is OperationTimeout in seconds, 60 when the client names none."""

    action: str
    message_id: str
    resource: str
    shell_id: str
    timeout: float
    body: ET.Element | None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        return self.action.rsplit("/", 1)[-1]

    def find(self, name: str) -> ET.Element | None:
        """The first element of the body with this local name."""
        if self.body is None:
            return None
        return next((each for each in self.body.iter() if local(each) == name), None)

    def text(self, name: str) -> str:
        element = self.find(name)
        return (element.text or "") if element is not None else ""


def local(element: ET.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def parse(data: bytes) -> Request:
    """Raises Fault for anything that is not a WS-Management request."""
    try:
        root = ET.fromstring(data)
    except ET.ParseError:
        raise bad_schema() from None
    if root.tag != f"{{{_ENVELOPE}}}Envelope":
        raise bad_schema()
    header, body = root.find(f"{{{_ENVELOPE}}}Header"), root.find(f"{{{_ENVELOPE}}}Body")
    values: dict[str, ET.Element] = {}
    for element in header if header is not None else ():
        name = local(element)
        required = element.get("mustUnderstand") or element.get(f"{{{_ENVELOPE}}}mustUnderstand")
        if name not in _HEADERS and required in ("true", "1"):
            raise not_understood(name)
        values[name] = element
    action, message_id = _text(values, "Action"), _text(values, "MessageID")
    if not action or not message_id:
        raise bad_header("Action" if not action else "MessageID")
    selectors = [each for each in values.get("SelectorSet", ()) if each.get("Name") == "ShellId"]
    options = {each.get("Name", ""): each.text or "" for each in values.get("OptionSet", ())}
    return Request(
        action,
        message_id,
        _text(values, "ResourceURI"),
        (selectors[0].text or "").strip() if selectors else "",
        seconds(_text(values, "OperationTimeout") or "PT60S"),
        body,
        options,
    )


def _text(values: dict[str, ET.Element], name: str) -> str:
    return (values[name].text or "").strip() if name in values else ""


def seconds(duration: str) -> float:
    """An xs:duration of days and smaller, in seconds."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", duration)
    if match is None or duration in ("P", "PT"):
        raise bad_parameter()
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def envelope(action: str, body: str, relates_to: str) -> bytes:
    """A whole response; `body` is XML with the prefixes used by Windows."""
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMES.items())
    return (
        f'<s:Envelope xml:lang="en-US" {names}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
        f"<p:ActivityId>{str(uuid.uuid4()).upper()}</p:ActivityId>"
        f"<a:To>{ANONYMOUS}</a:To><a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault_envelope(fault: Fault, relates_to: str, machine: str) -> bytes:
    subcode = f"<s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode>" if fault.subcode else ""
    text = escape(fault.text)
    inner = text
    if fault.provider:
        path = r"%systemroot%\system32\winrscmd.dll"
        inner = f'<f:ProviderFault provider="{fault.provider}" path="{path}">{text}</f:ProviderFault>'
    selectors = f"<w:FaultDetail>{_SELECTORS}</w:FaultDetail>" if fault.subcode == "w:InvalidSelectors" else ""
    detail = ""
    if fault.code is not None:
        detail = (
            f'<s:Detail>{selectors}<f:WSManFault xmlns:f="{_FAULT}" Code="{fault.code}" Machine="{escape(machine)}">'
            f"<f:Message>{inner}</f:Message></f:WSManFault></s:Detail>"
        )
    body = (
        f"<s:Fault><s:Code><s:Value>{fault.value}</s:Value>{subcode}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason>{detail}</s:Fault>'
    )
    return envelope(_FAULT_ACTION, body, relates_to)
