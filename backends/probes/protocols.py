"""What to say to a port so that it answers, and nothing changes there.

A conversation is a generator without any I/O: it yields the bytes to send (perhaps none), is sent the bytes that came
back, and returns a short proof of what answered. What answers another protocol ends it with a proof as well: whatever
the bytes are, the path carries data.
"""

import ssl
import struct
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import cache, partial
from typing import NamedTuple


class Proof(NamedTuple):
    """What answered, and the bytes that end the conversation politely."""

    text: str
    parting: bytes = b""


Conversation = Generator[bytes, bytes, Proof]

_PROOF = 80  # characters


def printable(data: bytes) -> str:
    """The first line of an answer, fit for a message: no control characters, not long, no bytes that are not text."""
    line = data.lstrip(b"\r\n").split(b"\n", 1)[0].strip()
    text = "".join(c if c.isascii() and c.isprintable() else "·" for c in line.decode("latin-1"))
    return text[:_PROOF] or "(no text)"


def _answer(opening: bytes, complete: Callable[[bytes], bool]) -> Generator[bytes, bytes, bytes]:
    received = yield opening
    while not complete(received):
        received += yield b""
    return received


def _line(opening: bytes) -> Conversation:
    """Send a line, take a line."""
    return Proof(printable((yield from _answer(opening, lambda received: b"\n" in received))))


def _http(request: str) -> Conversation:
    """HEAD is what changes nothing by definition (RFC 9110, section 9.2.1); the status line is the proof."""
    return (yield from _line(f"{request} HTTP/1.1\r\nHost: k8snet\r\nConnection: close\r\n\r\n".encode()))


def _amqp() -> Conversation:
    """The protocol header of AMQP 0-9-1; a broker answers Connection.Start, or the header it would rather see."""
    received = yield from _answer(b"AMQP\x00\x00\x09\x01", lambda received: len(received) >= 8)
    if received[:4] == b"AMQP":
        return Proof(f"AMQP {'-'.join(map(str, received[5:8]))}")
    started = received[:1] == b"\x01" and received[7:8] == b"\x00"
    return Proof("AMQP 0-9-1 Connection.Start" if started else printable(received))


def _postgresql() -> Conversation:
    """SSLRequest: one byte comes back, before anybody has to say who he is."""
    received = yield from _answer(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", lambda received: len(received) >= 1)
    known = {b"S": "PostgreSQL, with TLS", b"N": "PostgreSQL, without TLS"}
    return Proof(known.get(received, printable(received)))


def _mongodb() -> Conversation:
    """`hello` in an OP_MSG: asked by every driver before anybody logs in."""
    document = b"\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"
    document = (len(document) + 4).to_bytes(4, "little") + document
    body = struct.pack("<iiiI", 1, 0, _OP_MSG, 0) + b"\x00" + document
    received = yield from _answer((len(body) + 4).to_bytes(4, "little") + body, lambda received: len(received) >= 16)
    answered = struct.unpack("<ii", received[8:16]) == (1, _OP_MSG)
    return Proof("MongoDB hello" if answered else printable(received))


_OP_MSG = 2013


def _kafka() -> Conversation:
    """ApiVersions in its oldest version: every broker answers it, also before authentication."""
    request = struct.pack(">hhih", 18, 0, 1, 6) + b"k8snet"
    received = yield from _answer(len(request).to_bytes(4, "big") + request, lambda received: len(received) >= 8)
    return Proof("Kafka ApiVersions" if received[4:8] == b"\x00\x00\x00\x01" else printable(received))


def _http2() -> Conversation:
    """The client's preface and empty SETTINGS (RFC 9113, section 3.4); the server's SETTINGS are the proof."""
    opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    received = yield from _answer(opening, lambda received: len(received) >= 9)
    return Proof("HTTP/2 SETTINGS" if received[3:4] == b"\x04" else printable(received))


@cache
def _believing() -> ssl.SSLContext:
    """A context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _tls() -> Conversation:
    """A whole handshake, so that the server need not log a broken one. Nobody is trusted by it: it only proves data."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = _believing().wrap_bio(incoming, outgoing)
    received = b""
    while True:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            received = yield outgoing.read()
            incoming.write(received)
        except ssl.SSLError as error:
            return Proof(f"TLS refused: {error.reason}" if received[:1] in (b"\x15", b"\x16") else printable(received))
        else:
            with suppress(ssl.SSLError):  # it would wait for the server's good-bye
                session.unwrap()
            return Proof(f"{session.version()}, {(session.cipher() or ('unknown',))[0]}", outgoing.read())


def dns_query() -> bytes:
    """The name servers of the root: every DNS server has something to say to it, if only "refused"."""
    import dns.message

    return dns.message.make_query(".", "NS", use_edns=0, payload=1232).to_wire()


def dns_proof(question: bytes, answer: bytes) -> str:
    """What a DNS server said to `question`; its text for anything else."""
    import dns.exception
    import dns.message
    import dns.rcode

    try:
        message = dns.message.from_wire(answer, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return printable(answer)
    ours = message.id == int.from_bytes(question[:2], "big")
    return f"DNS {dns.rcode.to_text(message.rcode())}" if ours else "DNS, but not to our question"


def _dns() -> Conversation:
    """Over TCP every message has its length in front (RFC 1035, section 4.2.2)."""
    question = dns_query()

    def complete(received: bytes) -> bool:
        return len(received) >= 2 and len(received) >= 2 + int.from_bytes(received[:2], "big")

    received = yield from _answer(len(question).to_bytes(2, "big") + question, complete)
    return Proof(dns_proof(question, received[2:]))


# `healthz` is kube-proxy's (port 10256): 200 healthy, 503 not. `redis` answers +PONG or, with a password, -NOAUTH.
# ssh, mysql, smtp and ftp greet first.
PROTOCOLS: dict[str, Callable[[], Conversation]] = {
    "amqp": _amqp,
    "amqps": _tls,
    "dns": _dns,
    "ftp": partial(_line, b""),
    "grpc": _http2,
    "healthz": partial(_http, "GET /healthz"),
    "http": partial(_http, "HEAD /"),
    "https": _tls,
    "kafka": _kafka,
    "kubelet": _tls,
    "memcached": partial(_line, b"version\r\n"),
    "mongodb": _mongodb,
    "mysql": partial(_line, b""),
    "postgresql": _postgresql,
    "redis": partial(_line, b"PING\r\n"),
    "rediss": _tls,
    "smtp": partial(_line, b""),
    "ssh": partial(_line, b""),
    "tls": _tls,
    "zookeeper": partial(_line, b"srvr\n"),
}


def greeting() -> Conversation:
    """Say nothing; take whatever comes."""
    return Proof(printable((yield b"")))
