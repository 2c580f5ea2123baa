"""Ports for servers that have to be told theirs."""

import socket
from contextlib import suppress


def free_port() -> int:
    """A port of 127.0.0.1 that was free for UDP and TCP a moment ago. RuntimeError when there is none."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with suppress(OSError):  # somebody has its UDP twin
                udp.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("no port is free for both UDP and TCP")
