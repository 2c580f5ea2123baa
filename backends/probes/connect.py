"""One exchange of data with one port. A handshake alone proves nothing, so it is never called a success."""

import asyncio
import fcntl
import struct
import sys
import termios
from ipaddress import IPv4Address

from backends.probes.protocols import PROTOCOLS, Conversation, Proof, dns_proof, dns_query, greeting, printable
from backends.probes.vantage import Vantage, hang_up, outcome_of
from bot.model.errors import Rejected
from bot.model.facts import Protocol
from bot.model.probes import ConnectAnswer, ConnectOutcome
from bot.model.wording import tr

Talk = tuple[ConnectOutcome, str]
Met = tuple[ConnectOutcome, str, IPv4Address | None]
"""A talk, and the address that it started from."""

_CHUNK = 4096
_ENOUGH = 65536  # bytes of one answer
_LOOK_S = 0.02  # the kernel announces an acknowledgement to nobody: look this often


async def connect(
    vantage: Vantage,
    address: IPv4Address,
    port: int,
    protocol: Protocol,
    speak: str,
    timeout_s: float,
    greeting_s: float,
) -> ConnectAnswer:
    """Speak a protocol of `PROTOCOLS`, "byte" (one line feed, to be acknowledged) or, for any other word, listen.

    Where the kernel here cannot see the destination's acknowledgements, "byte" listens, too: `spoke` is then empty.

    UDP can only be asked where the protocol answers: `dns`. Raises Rejected for what no probe can tell.
    """
    clock = asyncio.get_running_loop().time
    started = clock()
    source: IPv4Address | None = None
    says_byte = speak == "byte" and _tells_acknowledgements(vantage)
    spoke = speak if speak in PROTOCOLS or says_byte else ""
    try:
        if protocol == "TCP":
            outcome, says, source = await _tcp(vantage, address, port, spoke, timeout_s, greeting_s)
        elif (protocol, speak) == ("UDP", "dns"):
            outcome, says = await _udp_dns(vantage, address, port, timeout_s)
        else:
            raise Rejected(
                "probes",
                tr(
                    "{protocol} port {port} cannot be probed: silence there may be consent",
                    protocol=protocol,
                    port=port,
                ),
            )
    except OSError as error:
        outcome, says = outcome_of(error), ""
    return ConnectAnswer(
        address=address,
        port=port,
        protocol=protocol,
        outcome=outcome,
        spoke=spoke,
        peer_says=says,
        source=source,
        elapsed_ms=round((clock() - started) * 1000),
    )


async def _tcp(
    vantage: Vantage, address: IPv4Address, port: int, spoke: str, timeout_s: float, greeting_s: float
) -> Met:
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout_s
    reader, writer, source = await vantage.open_tcp(address, port, timeout_s)
    remaining = max(0.0, deadline - clock())
    try:
        if spoke == "byte":
            return *await _acknowledged_byte(vantage, reader, writer, remaining), source
        if spoke in PROTOCOLS:
            return *await _talk(vantage, PROTOCOLS[spoke](), reader, writer, remaining), source
        return *await _talk(vantage, greeting(), reader, writer, min(remaining, greeting_s)), source
    finally:
        await hang_up(writer)


async def _talk(
    vantage: Vantage,
    conversation: Conversation,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    timeout_s: float,
) -> Talk:
    """Carry a conversation to its end. Any byte that comes back proves the path, whatever it means."""
    received = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            words = next(conversation)
            while len(received) < _ENOUGH:
                writer.write(words)
                chunk = await reader.read(_CHUNK)
                if not chunk:
                    break
                received += chunk
                words = conversation.send(chunk)
    except StopIteration as ended:
        proof: Proof = ended.value
        writer.write(proof.parting)
        return "data", proof.text
    except TimeoutError:
        return ("data", printable(bytes(received))) if received else _time_is_up(vantage, reader, writer)
    except OSError as error:
        return ("data", printable(bytes(received))) if received else (outcome_of(error), "")
    return ("data", printable(bytes(received))) if received else ("reset", tr("closed without a word"))


def _tells_acknowledgements(vantage: Vantage) -> bool:
    return vantage.sees_acknowledgements and sys.platform == "linux"


def _time_is_up(vantage: Vantage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Talk:
    """What can be said of a peer that said nothing: a program may hang while the path carries every byte."""
    cut = reader.exception()
    if isinstance(cut, OSError):  # at the last moment; its socket is closed by now
        return outcome_of(cut), ""
    if not _tells_acknowledgements(vantage):
        return "handshake-only", ""
    unacknowledged = _unacknowledged(writer)
    if not unacknowledged:
        return "handshake-only", "no answer"
    return "handshake-only", tr("{unacknowledged} bytes were never acknowledged", unacknowledged=unacknowledged)


async def _acknowledged_byte(
    vantage: Vantage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float
) -> Talk:
    """Send one line feed. That the far kernel acknowledges it shows that data passes, even if nobody answers."""
    writer.write(b"\n")
    answer = asyncio.ensure_future(reader.read(_CHUNK))
    try:
        async with asyncio.timeout(timeout_s):
            while not answer.done() and reader.exception() is None:
                if _unacknowledged(writer) == 0:
                    return "data", tr("one byte was acknowledged")
                await asyncio.wait([answer], timeout=_LOOK_S)
            received = await answer
    except TimeoutError:
        if reader.exception() is None and _unacknowledged(writer) == 0:  # since the last look
            return "data", tr("one byte was acknowledged")
        return _time_is_up(vantage, reader, writer)
    except OSError as error:
        return outcome_of(error), ""
    finally:
        answer.cancel()
    return ("data", printable(received)) if received else ("reset", tr("closed without a word"))


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Bytes written that the far end has not acknowledged: what is still here, and SIOCOUTQ of tcp(7)."""
    waiting = writer.transport.get_write_buffer_size()
    in_kernel = fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return waiting + int(struct.unpack("i", in_kernel)[0])


async def _udp_dns(vantage: Vantage, address: IPv4Address, port: int, timeout_s: float) -> Talk:
    datagrams = await vantage.open_udp(address, port)
    try:
        async with asyncio.timeout(timeout_s):
            question = dns_query()
            datagrams.send(question)
            return "data", dns_proof(question, await datagrams.receive())
    finally:
        await datagrams.close()
