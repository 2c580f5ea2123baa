"""Conversations without a network: what is said, and what an answer proves."""

import pytest

from backends.probes.protocols import PROTOCOLS, greeting, printable


def converse(name: str, *chunks: bytes) -> tuple[list[bytes], str | None]:
    """All that is said, and the proof, or None when more has to come."""
    conversation = PROTOCOLS[name]()
    said = [next(conversation)]
    try:
        for chunk in chunks:
            said.append(conversation.send(chunk))
    except StopIteration as ended:
        return said, ended.value.text
    return said, None


@pytest.mark.parametrize(
    ("name", "opening", "chunks", "proof"),
    [
        ("redis", b"PING\r\n", [b"+PO", b"NG\r\n"], "+PONG"),
        ("redis", b"PING\r\n", [b"-NOAUTH Authentication required.\r\n"], "-NOAUTH Authentication required."),
        ("redis", b"PING\r\n", [b"+PONG"], None),
        ("http", b"HEAD / HTTP/1.1\r\n", [b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n"], "HTTP/1.1 404 Not Found"),
        (
            "healthz",
            b"GET /healthz HTTP/1.1\r\n",
            [b"HTTP/1.1 503 Service Unavailable\r\n"],
            "HTTP/1.1 503 Service Unavailable",
        ),
        (
            "amqp",
            b"AMQP\x00\x00\x09\x01",
            [b"\x01\x00\x00\x00\x00\x01\xd6", b"\x00\x0a\x00\x0a"],
            "AMQP 0-9-1 Connection.Start",
        ),
        ("amqp", b"AMQP\x00\x00\x09\x01", [b"AMQP\x00\x01\x00\x00"], "AMQP 1-0-0"),
        ("postgresql", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", [b"S"], "PostgreSQL, with TLS"),
        ("postgresql", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", [b"N"], "PostgreSQL, without TLS"),
        ("zookeeper", b"srvr\n", [b"Zookeeper version: 3.9.1\nMode: standalone\n"], "Zookeeper version: 3.9.1"),
        (
            "mongodb",
            b"\x34\x00\x00\x00\x01\x00\x00\x00",
            [b"\x26\x00\x00\x00" + b"\x07\x00\x00\x00\x01\x00\x00\x00\xdd\x07\x00\x00"],
            "MongoDB hello",
        ),
        (
            "kafka",
            b"\x00\x00\x00\x10\x00\x12\x00\x00",
            [b"\x00\x00\x01\x06", b"\x00\x00\x00\x01\x00\x00"],
            "Kafka ApiVersions",
        ),
        ("grpc", b"PRI * HTTP/2.0\r\n", [b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03"], "HTTP/2 SETTINGS"),
        ("ssh", b"", [b"SSH-2.0-OpenSSH_9.6\r\n"], "SSH-2.0-OpenSSH_9.6"),
        ("memcached", b"version\r\n", [b"VERSION 1.6.21\r\n"], "VERSION 1.6.21"),
        ("https", b"\x16\x03\x01", [b"HTTP/1.0 400 Bad Request\r\n\r\n"], "HTTP/1.0 400 Bad Request"),
        ("dns", b"\x00\x1c", [b"\x00\x03abc"], "abc"),
        ("dns", b"\x00\x1c", [b"\x00\x0cabc"], None),
    ],
)
def test_an_answer_is_proof(name: str, opening: bytes, chunks: list[bytes], proof: str | None) -> None:
    said, found = converse(name, *chunks)
    assert said[0].startswith(opening)
    assert not any(said[1:])
    assert found == proof


@pytest.mark.parametrize("name", PROTOCOLS)
def test_whatever_answers_ends_in_a_printable_proof(name: str) -> None:
    _, proof = converse(name, bytes(range(256)) * 8, b"\n" * 70000)
    assert proof is not None
    assert 0 < len(proof) <= 80
    assert proof.replace("·", "").isascii()
    assert proof.isprintable()


def test_nothing_that_is_said_could_change_anything() -> None:
    """The whole of it, to be read by eye whenever it changes."""
    openings = {name: next(PROTOCOLS[name]()) for name in PROTOCOLS}
    for tls in ("amqps", "https", "kubelet", "rediss", "tls"):
        assert openings.pop(tls)[:1] == b"\x16"  # a ClientHello
    assert openings.pop("dns")[
        4:
    ] == b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x02\x00\x01\x00\x00\x29\x04\xd0" + bytes(6)
    assert openings == {
        "amqp": b"AMQP\x00\x00\x09\x01",
        "ftp": b"",
        "healthz": b"GET /healthz HTTP/1.1\r\nHost: k8snet\r\nConnection: close\r\n\r\n",
        "grpc": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04" + bytes(5),  # empty SETTINGS
        "http": b"HEAD / HTTP/1.1\r\nHost: k8snet\r\nConnection: close\r\n\r\n",
        "kafka": b"\x00\x00\x00\x10\x00\x12\x00\x00\x00\x00\x00\x01\x00\x06k8snet",  # ApiVersions
        "memcached": b"version\r\n",
        "mongodb": b"4\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00"
        + bytes(5)
        + b"\x1f\x00\x00\x00\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00",
        "mysql": b"",
        "postgresql": b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        "redis": b"PING\r\n",
        "smtp": b"",
        "ssh": b"",
        "zookeeper": b"srvr\n",
    }
    assert next(greeting()) == b""


def test_proof_never_carries_what_a_terminal_or_a_chat_would_obey() -> None:
    assert printable(b"\r\n\x1b[31mred\x07 <!channel>\r\nsecond line") == "·[31mred· <!channel>"
    assert printable("日本".encode()) == "······"
    assert printable(b"") == "(no text)"
