"""A question to a DNS server as bytes, and what makes bytes its answer.

dnspython reads the answers. A question, always the same but for its name, is put together here: as one of its messages
it would take longer than sending it and waiting for a server on this machine.
"""

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, NamedTuple

from bot.model.errors import Rejected
from bot.model.wording import tr

if TYPE_CHECKING:
    from dns.message import QueryMessage

_HEADER = struct.Struct("!HHHHHH")
_ANSWERS, _OPCODE, _RECURSION_DESIRED = 0x8000, 0x7800, 0x0100
_A_IN = struct.pack("!HH", 1, 1)
_PAYLOAD = 1232  # bytes; a common ground below every tunnel's MTU, larger answers are fetched over TCP
_EDNS = struct.pack("!BHHIH", 0, 41, _PAYLOAD, 0, 0)  # RFC 6891, section 6.1.2
_NOT_PLAIN = 0x020F  # truncated, or any code but NOERROR
_RECORD = struct.Struct("!HHHIH4s")
_A_OF_THE_QUESTION = (0xC00C, 1, 1, 4)  # the name as a pointer to the question (RFC 1035, section 4.1.4)
_NO_EXTENSION = b"\0\0"
_WITHOUT_QUESTION = {1, 2, 4, 5}  # FORMERR, SERVFAIL, NOTIMP, REFUSED: a server may not have understood it


class Malformed(Exception):
    """Something came back that is no answer to our question. The text says what."""


class Question(NamedTuple):
    """The question section: one name, type A."""

    section: bytes

    def wire(self, number: int) -> bytes:
        """The whole message."""
        return _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 1) + self.section + _EDNS


def question(name: str) -> Question:
    """For the A records of a name, taken as fully qualified. Raises Rejected for what can be no name."""
    import dns.exception
    import dns.name

    try:
        wire = dns.name.from_text(name).to_wire()
    except (dns.exception.DNSException, UnicodeError) as error:
        raise Rejected("probes", tr("{name!r} can be no DNS name: {error}", name=name, error=error)) from error
    assert wire is not None  # only writing into a file gives nothing back
    return Question(wire + _A_IN)


def number_of(wire: bytes) -> int:
    """The number by which an answer names its question; -1 for what is too short to have one."""
    return int.from_bytes(wire[:2], "big") if len(wire) >= _HEADER.size else -1


def mismatch(asked: Question, number: int, wire: bytes) -> str:
    """Why a message does not answer this question; "" when it does."""
    if len(wire) < _HEADER.size:
        return tr("{count} bytes that are no DNS message", count=len(wire))
    found, flags, questions, *_ = _HEADER.unpack_from(wire)
    if found != number or not flags & _ANSWERS or flags & _OPCODE:
        return tr("a DNS message that does not answer our question")
    if questions == 0 and flags & 0x000F in _WITHOUT_QUESTION:
        return ""
    section = wire[_HEADER.size : _HEADER.size + len(asked.section)]
    same = questions == 1 and section.lower() == asked.section.lower()
    return "" if same else tr("a DNS message that does not answer our question")


def plain_addresses(asked: Question, wire: bytes) -> tuple[tuple[IPv4Address, ...], int] | None:
    """Addresses and smallest TTL of the plainest answer: A records of the very name, and nothing else to say.

    None for every other one, which `parsed` has to read: that takes ten times as long, and of a thousand services
    nearly all are answered like this.
    """
    _, flags, questions, answers, authorities, additional = _HEADER.unpack_from(wire)
    if flags & _NOT_PLAIN or questions != 1 or not answers or authorities or additional > 1:
        return None
    start, addresses, ttls = _HEADER.size + len(asked.section), [], []
    end = start + answers * _RECORD.size
    if len(wire) < end:
        return None
    for at in range(start, end, _RECORD.size):
        name, kind, space, ttl, length, packed = _RECORD.unpack_from(wire, at)
        if (name, kind, space, length) != _A_OF_THE_QUESTION:
            return None
        addresses.append(IPv4Address(packed))
        ttls.append(ttl)
    rest = wire[end:]
    if additional and (len(rest) != len(_EDNS) or rest[:3] != _EDNS[:3] or rest[5:7] != _NO_EXTENSION):
        return None
    return (tuple(dict.fromkeys(addresses)), min(ttls)) if additional or not rest else None


def parsed(wire: bytes) -> "QueryMessage":
    """A message that no `mismatch` was found in, read; of one that says it is cut, what is there. Raises Malformed."""
    import dns.exception
    import dns.message

    try:
        message = dns.message.from_wire(wire, raise_on_truncation=True)
    except dns.message.Truncated as cut:
        message = cut.message()  # type: ignore[no-untyped-call]
    except (dns.exception.DNSException, ValueError) as error:
        raise Malformed(tr("{count} bytes that are no DNS message", count=len(wire))) from error
    assert isinstance(message, dns.message.QueryMessage)  # its opcode says so
    return message
