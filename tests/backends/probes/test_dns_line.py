"""Many questions to a DNS server at the same time."""

import asyncio
from collections import Counter
from contextlib import suppress

import dns.message
import dns.rrset

from backends.probes.dns_line import OUTSTANDING
from backends.probes.prober import NetworkProber
from backends.probes.settings import ProbeSettings
from bot.model.probes import DnsAnswer
from tests.backends.probes.servers import LOOPBACK, closed_port

MANY = 200
CROWD = ProbeSettings(concurrency=1024)


class Server(asyncio.DatagramProtocol):
    """Notes how many questions of each of the clients' sockets wait, and answers when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, tuple[str, int]]] = []
        self.arrived = asyncio.Event()
        self.enough = MANY

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.waiting.append((data, addr))
        if len(self.waiting) >= self.enough:
            self.arrived.set()

    def answer(self) -> None:
        """Everything so far, the last question first."""
        while self.waiting:
            wire, client = self.waiting.pop()
            query = dns.message.from_wire(wire)
            name = query.question[0].name
            number = int(str(name).partition(".")[0])
            response = dns.message.make_response(query)
            response.answer = [dns.rrset.from_text(name, 30, "IN", "A", f"10.68.{number // 256}.{number % 256}")]
            self.transport.sendto(response.to_wire(), client)


async def _served() -> tuple[Server, asyncio.DatagramTransport, NetworkProber]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(Server, local_addr=(str(LOOPBACK), 0))
    return server, transport, NetworkProber(CROWD, dns_port=transport.get_extra_info("sockname")[1])


def _asked(prober: NetworkProber, numbers: range, timeout_s: float = 30) -> list[asyncio.Task[DnsAnswer]]:
    return [asyncio.create_task(prober.dns(LOOPBACK, f"{n}.default.", "udp", timeout_s)) for n in numbers]


async def test_everybody_gets_the_own_answer_and_no_socket_has_more_questions_than_it_can_take() -> None:
    server, transport, prober = await _served()
    asking = _asked(prober, range(MANY))
    await server.arrived.wait()
    waiting = Counter(client for _, client in server.waiting)
    server.answer()
    answers = await asyncio.gather(*asking)
    transport.close()
    assert max(waiting.values()) <= OUTSTANDING
    assert len(waiting) == -(-MANY // OUTSTANDING), "sockets are shared as far as that goes"
    for number, answer in enumerate(answers):
        assert [str(address) for address in answer.addresses] == [f"10.68.{number // 256}.{number % 256}"]


async def test_a_refusal_is_everybodys_and_comes_at_once() -> None:
    prober = NetworkProber(CROWD, dns_port=closed_port())
    answers = await asyncio.gather(*_asked(prober, range(20)))
    assert {answer.outcome for answer in answers} == {"refused"}


async def test_one_that_gives_up_takes_nothing_from_the_others() -> None:
    server, transport, prober = await _served()
    server.enough = 3
    first, second, third = _asked(prober, range(3))
    first.cancel()  # while all three still wait for their socket
    with suppress(asyncio.CancelledError):
        await first
    server.enough = 2
    if len(server.waiting) < server.enough:
        await server.arrived.wait()
    second.cancel()
    server.answer()
    assert (await third).outcome == "answer"
    transport.close()


async def test_a_silent_name_is_a_time_out_while_another_gets_two_answers() -> None:
    server, transport, prober = await _served()
    server.enough = 2
    silent = _asked(prober, range(1), timeout_s=0.3)
    answered = _asked(prober, range(1, 2))
    await server.arrived.wait()
    server.waiting = [server.waiting[1]] * 2
    server.answer()
    assert [answer.outcome for answer in await asyncio.gather(*answered, *silent)] == ["answer", "timeout"]
    transport.close()
