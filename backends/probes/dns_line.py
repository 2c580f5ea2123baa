"""Questions to DNS servers over UDP. Those under way at the same time share sockets: to open one takes longer than to
ask."""

import asyncio
import secrets
from contextlib import suppress
from ipaddress import IPv4Address

from backends.probes.dns_wire import Malformed, Question, mismatch, number_of
from backends.probes.vantage import Datagrams, Vantage

OUTSTANDING = 150  # questions on one socket; the answers to more overflow the kernel's buffer, and are lost
_WORN = 2000  # questions after which a socket takes no more: its numbers must stay hard to guess


class Lines:
    """Sockets to DNS servers: opened for the first question, shared by those that come meanwhile, closed after the
    last answer."""

    def __init__(self, vantage: Vantage, port: int) -> None:
        self._vantage, self._port = vantage, port
        self._newest: dict[IPv4Address, _Line] = {}

    async def ask(self, server: IPv4Address, question: Question, timeout_s: float) -> bytes:
        """The first datagram that answers the question; what else arrives could be forged, and is only reported.

        Raises OSError for silence and for what ICMP reports, Malformed, and Unreachable for faults of the vantage.
        """
        line = self._newest.get(server)
        if line is None or line.full:
            line = self._newest[server] = _Line(self._vantage, server, self._port)
        line.users += 1
        try:
            return await line.ask(question, timeout_s)
        finally:
            line.users -= 1
            if not line.users:
                if self._newest.get(server) is line:
                    del self._newest[server]
                await line.close()


class _Line:
    """One socket to one server. `users` is kept by its owner."""

    def __init__(self, vantage: Vantage, server: IPv4Address, port: int) -> None:
        self.users = 0
        self._used: set[int] = set()
        self._waiting: dict[int, _Asked] = {}
        self._opening = asyncio.ensure_future(vantage.open_udp(server, port))
        self._reading: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        return self.users >= OUTSTANDING or len(self._used) >= _WORN

    async def ask(self, question: Question, timeout_s: float) -> bytes:
        # One of many may be cancelled while all wait for the socket.
        datagrams = self._opening.result() if self._opening.done() else await asyncio.shield(self._opening)
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read(datagrams))
        number = self._free()
        asked = self._waiting[number] = _Asked(question)
        patience = asyncio.get_running_loop().call_later(timeout_s, asked.give_up)
        try:
            datagrams.send(question.wire(number))
            return await asked.answer
        finally:
            patience.cancel()
            del self._waiting[number]

    async def close(self) -> None:
        """The socket first: whoever waits for us may be cancelled once more."""
        if self._reading is not None:
            self._reading.cancel()
        if self._opening.done():
            if not self._opening.cancelled() and self._opening.exception() is None:
                await self._opening.result().close()
        else:
            self._opening.cancel()
            with suppress(asyncio.CancelledError):
                await self._opening

    def _free(self) -> int:
        number = secrets.randbits(16)
        while number in self._used:
            number = secrets.randbits(16)
        self._used.add(number)
        return number

    async def _read(self, datagrams: Datagrams) -> None:
        while True:
            try:
                self._take(await datagrams.receive())
            except OSError as error:  # ICMP speaks of the server, which all of them asked
                for asked in self._waiting.values():
                    if not asked.answer.done():
                        asked.answer.set_exception(OSError(error.errno, error.strerror))

    def _take(self, wire: bytes) -> None:
        number = number_of(wire)
        asked = self._waiting.get(number)
        if asked is not None:
            asked.stray = mismatch(asked.question, number, wire)
            if not asked.stray and not asked.answer.done():
                asked.answer.set_result(wire)
        elif number not in self._used:  # or it is a late or second answer to an earlier question
            for other in self._waiting.values():
                other.stray = mismatch(other.question, -2, wire)


class _Asked:
    """A question under way, and what came in place of its answer."""

    __slots__ = ("answer", "question", "stray")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.stray = ""

    def give_up(self) -> None:
        """Silence, or something that was no answer."""
        if not self.answer.done():
            self.answer.set_exception(Malformed(self.stray) if self.stray else TimeoutError())
