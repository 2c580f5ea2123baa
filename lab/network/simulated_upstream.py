"""DNS queries that a host of the simulated network sends to another server."""

import asyncio
import socket
import struct

from lab.fortigate.packets import Packet
from lab.network.simulated import SimulatedNetwork
from lab.network.simulated_connection import Outcome
from lab.network.simulated_packets import Fate


class Upstream:
    """Sends queries from one host. Silence and unreachable hosts are None, after the whole time-out."""

    def __init__(self, network: SimulatedNetwork, host: str) -> None:
        self._network = network
        self._host = host

    async def udp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
        """One datagram and the answer to it, within `timeout` seconds.

        `ConnectionRefusedError` when an ICMP "port unreachable" comes back.
        """
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def receive(data: bytes, packet: Packet) -> None:
            expected = (str(packet.source), packet.source_port) == (server, port)
            if expected and not answer.done():
                answer.set_result(data)

        def refuse() -> None:
            if not answer.done():
                answer.set_exception(ConnectionRefusedError(f"{server} refuses UDP port {port}"))

        endpoint = self._network.datagrams(self._host, receive, refuse)
        try:
            async with asyncio.timeout(timeout):
                sent = await endpoint.send(server, port, wire)
                if sent.fate is Fate.REFUSED:
                    refuse()
                return await answer
        except TimeoutError:
            return None
        finally:
            endpoint.close()

    async def tcp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
        """One query over TCP and its answer, within `timeout` seconds; `ConnectionRefusedError` as the name says."""
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(server, port, wire)
        except TimeoutError:
            return None

    async def _exchange(self, server: str, port: int, wire: bytes) -> bytes | None:
        attempt = await self._network.connect(self._host, server, port)
        if attempt.outcome is Outcome.REFUSED:
            raise ConnectionRefusedError(f"{server} refuses TCP port {port}")
        if attempt.connection is None:
            await asyncio.Event().wait()  # until the time-out
            return None
        near, far = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=near)
        carrying = asyncio.create_task(attempt.connection.run(*await asyncio.open_connection(sock=far)))
        try:
            writer.write(struct.pack("!H", len(wire)) + wire)
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        finally:
            writer.transport.abort()
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)
