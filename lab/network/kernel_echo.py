"""A pod's echo: HTTP and UDP answers that say who answered and which client was seen.

Run as a file, with the standard library only: there are many of these, and they must start quickly.
Usage: kernel_echo.py NAME http:8080 udp:7007 ...
"""

import asyncio
import json
import sys
from functools import partial


async def serve_http(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer: JSON with the pod's name, the client's address and the request line."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        request = head.split(b"\r\n", 1)[0].decode(errors="replace")
        peer = writer.get_extra_info("peername")[0]
        body = json.dumps({"pod": name, "client": peer, "request": request}).encode() + b"\n"
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass  # the client left or spoke something else
    finally:
        writer.close()


class Datagrams(asyncio.DatagramProtocol):
    """Sends every datagram back with the pod's name and the client's address before it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(f"{self._name} {addr[0]} ".encode() + data, addr)


async def main(name: str, *ports: str) -> None:
    loop = asyncio.get_running_loop()
    for item in ports:
        kind, _, port = item.partition(":")
        if kind == "udp":
            await loop.create_datagram_endpoint(lambda: Datagrams(name), local_addr=("0.0.0.0", int(port)))
        else:
            await asyncio.start_server(partial(serve_http, name), "0.0.0.0", int(port))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
