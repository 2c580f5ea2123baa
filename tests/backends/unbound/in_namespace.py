"""The office's resolver, kube-dns and the rest of the world on one loopback; prints as JSON what was seen there.

Run by test_resolving.py in a network namespace of its own: the article's addresses exist nowhere else.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from backends.unbound.target import Unbound
from bot.model.resources import Forwarder
from tests.backends.unbound.targets import ZONE, settings, step
from tests.backends.windows_dns.clock import ManualClock
from tests.unbound_server import UnboundServer, running_unbound

OFFICE, VALIDATING, KUBE_DNS, WORLD = "172.16.2.3", "172.16.2.4", "10.68.0.2", "192.0.2.53"
SERVICE = "10.68.5.5"
TO_WORLD = f'forward-zone:\n  name: "."\n  forward-addr: {WORLD}'
# Nobody has the key of this anchor, so whatever is below local. and unsigned counts as forged.
ANCHOR = f'  trust-anchor: "local. DS 12345 8 2 {"AB" * 32}"\n'
Answer = Callable[[dns.message.Message], dns.message.Message]


class Responder(asyncio.DatagramProtocol):
    """A DNS server of one function. `asked` lists the names of all questions."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        query = dns.message.from_wire(data)
        self.asked.append(query.question[0].name.to_text().lower())
        self._transport.sendto(self._answer(query).to_wire(), peer)  # type: ignore[attr-defined]


def nothing_exists(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.NXDOMAIN)
    reply.authority.append(dns.rrset.from_text(".", 900, "IN", "SOA", "a. b. 1 1 1 1 900"))
    return reply


def every_service(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query)
    if query.question[0].rdtype == dns.rdatatype.A:
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 30, "IN", "A", SERVICE))
    return reply


async def look_up(name: str, server: str) -> str:
    answer = await dns.asyncquery.udp(dns.message.make_query(f"{name}.", "A"), server, timeout=20)
    return answer.answer[0][0].to_text() if answer.answer else dns.rcode.to_text(answer.rcode())


def office_dns(server: UnboundServer) -> Unbound:
    return Unbound("office-dns", settings(server), ManualClock())


async def main() -> dict[str, Any]:
    for command in (["link", "set", "lo", "up"], *(["addr", "add", f"{a}/32", "dev", "lo"] for a in ADDRESSES)):
        await asyncio.to_thread(subprocess.run, ["ip", *command], check=True)
    loop, seen = asyncio.get_running_loop(), dict[str, Any]()
    wish = Forwarder.model_validate({"zone": ZONE, "masters": (KUBE_DNS,)})
    async with AsyncExitStack() as stack:

        async def responder(address: str, answer: Answer) -> Responder:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: Responder(answer), local_addr=(address, 53)
            )
            stack.callback(transport.close)
            return protocol

        kube_dns, world = await responder(KUBE_DNS, every_service), await responder(WORLD, nothing_exists)
        server = await stack.enter_async_context(running_unbound(TO_WORLD, address=OFFICE, dns_port=53))
        target = office_dns(server)
        seen["before"] = await look_up(f"web.{ZONE}", OFFICE)
        await look_up("other.example", OFFICE)
        await server.tell("forward_add", ZONE, KUBE_DNS)
        seen["remembered"] = await look_up(f"web.{ZONE}", OFFICE)
        await server.tell("forward_remove", ZONE)
        seen["applied"] = (await target.apply(step(None, wish))).kind
        seen["after"] = await look_up(f"web.{ZONE}", OFFICE)
        seen["fresh"] = await look_up(f"never-asked-before.{ZONE}", OFFICE)
        await look_up("other.example", OFFICE)
        seen["questions for other.example"] = world.asked.count("other.example.")
        await target.forget_answers()
        await look_up("other.example", OFFICE)
        seen["questions for other.example, all forgotten"] = world.asked.count("other.example.")
        seen["removed"] = (await target.apply(step(wish, None))).kind
        seen["after removal"] = await look_up(f"web.{ZONE}", OFFICE)
        seen["kube-dns was asked"] = kube_dns.asked
        strict = await stack.enter_async_context(running_unbound(ANCHOR + TO_WORLD, address=VALIDATING, dns_port=53))
        await strict.tell("forward_add", ZONE, KUBE_DNS)
        seen["validating, added without +i"] = await look_up(f"web.{ZONE}", VALIDATING)
        await strict.tell("forward_remove", ZONE)
        await office_dns(strict).apply(step(None, wish))
        seen["validating"] = await look_up(f"web.{ZONE}", VALIDATING)
    return seen


ADDRESSES = (OFFICE, VALIDATING, KUBE_DNS, WORLD)

if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
