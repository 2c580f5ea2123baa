"""Unbound's control channel: one TLS connection, one line, one answer that ends with the connection.

Spoken here rather than by running `unbound-control`: the protocol is one line long, the tool need not be installed on
the bot's host, and of a tool that fails nobody can tell whether its command had been sent.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from backends.unbound.settings import UnboundSettings
from bot.engine.targets import MayGo
from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from bot.model.wording import marked, tr

MAGIC = "UBCT1"  # version 1 of the protocol; every Unbound since 1.4 speaks it
MAX_ANSWER = 8 * 1024 * 1024  # bytes; the longest list we ask for has a line per zone
_LATE = marked("no complete answer in time")
T = TypeVar("T")


class Clock(Protocol):
    """The part of the engine's `Env` that this back end needs."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Control:
    """The commands of one server, one connection each. `system` is the server's name in app.yaml."""

    def __init__(self, system: str, settings: UnboundSettings, clock: Clock) -> None:
        self._system = system
        self._settings = settings
        self._clock = clock

    async def ask(self, *words: str, writes: bool = False, may_go: MayGo | None = None) -> Sequence[str]:
        """The lines of the answer. The words are sent as they are, so they must not hold blanks or line ends.

        Raises Rejected when the server answers with an error, or when nothing was sent because `may_go` said no.
        When no whole answer comes within `timeout_s`: Unreachable if nothing was sent or the command does not write,
        otherwise OutcomeUnknown. In any case the connection is cut afterwards, so that nothing of it is sent again.
        """
        exchange = _Exchange(self._settings, " ".join((MAGIC, *words)), may_go or (lambda: True))
        held = asyncio.ensure_future(exchange.hold())
        deadline = asyncio.ensure_future(self._clock.sleep(self._settings.timeout_s))
        try:
            await asyncio.wait((held, deadline), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = held.done()
            for task in (held, deadline):
                task.cancel()
            # The connection is closed before anybody goes on, and whatever went wrong in it is told below.
            await asyncio.gather(held, deadline, return_exceptions=True)
        if not ended:
            raise self._silent(tr(_LATE), exchange.sent and writes)
        error = held.exception()
        if error is not None:
            raise self._failed(error, exchange.sent, writes)
        return self._lines(held.result(), words[0], writes)

    def _lines(self, answer: str, command: str, writes: bool) -> Sequence[str]:
        if answer.startswith("error"):
            raise Rejected(
                self._system,
                tr("Unbound refuses {command}: {printable}", command=command, printable=_printable(answer)),
            )
        if (answer and not answer.endswith("\n")) or (writes and not answer.startswith("ok")):
            raise self._silent(tr("the answer broke off"), writes)
        return answer.splitlines()

    def _failed(self, error: BaseException, sent: bool, writes: bool) -> BackendError:
        where = self._settings.endpoint
        match error:
            case ssl.SSLCertVerificationError():
                return Rejected(
                    self._system,
                    tr(
                        "{where} shows another certificate than server_certificate_file, or one for "
                        "another name than server_name; copy unbound_server.pem from that server again",
                        where=where,
                    ),
                )
            case ssl.SSLError() if error.reason and "ALERT" in error.reason:
                # The daemon reads no command from somebody whose certificate it does not accept.
                return Rejected(
                    self._system,
                    tr(
                        "{where} does not accept certificate_file; it must come from that server's own setup",
                        where=where,
                    ),
                )
            case ssl.SSLError() if not sent and not isinstance(error, ssl.SSLEOFError):
                return Unreachable(
                    self._system, tr("{where} does not speak TLS; is `control-use-cert: yes` set there?", where=where)
                )
            case _Unusable():
                return Rejected(self._system, str(error))
            case _TooLate():
                return Rejected(self._system, tr("not sent: its time was up before it could be"))
            case _TooLong():
                return self._silent(tr("an answer of more than {most} bytes", most=MAX_ANSWER), writes)
            case OSError() if not sent:
                return Unreachable(
                    self._system,
                    tr(
                        "no connection to {where}; is Unbound up, with `control-enable: yes` and "
                        "`control-interface` on that address, and does a firewall stand between?",
                        where=where,
                    ),
                )
            case OSError():
                # So ends, too, what a server whose alert got lost thinks of our certificate.
                text = tr("the connection broke before a whole answer; if it always does, check certificate_file")
                return self._silent(text, writes)
            case _:
                raise error

    def _silent(self, text: str, may_have_written: bool) -> BackendError:
        if may_have_written:
            return OutcomeUnknown(self._system, tr("the command was sent, but {text}", text=text))
        return Unreachable(self._system, f"{self._settings.endpoint}: {text}")


class _TooLong(Exception):
    """More than anybody's answer."""


class _TooLate(Exception):
    """The moment had passed after which nothing may be sent."""


class _Unusable(Exception):
    """A file of ours is not what it should be; the text says which."""


class _Exchange:
    """One command on a connection of its own."""

    def __init__(self, settings: UnboundSettings, line: str, in_time: Callable[[], bool]) -> None:
        self._settings = settings
        self._line = line
        self._in_time = in_time
        self.sent = False

    async def hold(self) -> str:
        """The whole answer. Raises OSError, _TooLate, _TooLong or _Unusable."""
        settings = self._settings
        context = await asyncio.to_thread(_context, settings)
        line = f"{self._line}\n".encode("ascii")
        reader, writer = await asyncio.open_connection(settings.host, settings.port)
        # However this ends, by the death of this process too: what the server has not got by then is not sent again.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            tls = _Tls(context, settings.server_name, reader, writer)
            await tls.handshake()
            if not self._in_time():
                raise _TooLate
            self.sent = True
            await tls.write(line)
            answer = bytearray()
            while piece := await tls.read():
                answer += piece
                if len(answer) > MAX_ANSWER:
                    raise _TooLong
            return answer.decode("utf-8", "replace")
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _Tls:
    """TLS that tells the end of an answer from the end of a connection, which asyncio's own does not.

    Nothing else marks the end of an answer: a list cut short by a daemon that dies would read as a shorter list.
    """

    def __init__(
        self, context: ssl.SSLContext, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    async def handshake(self) -> None:
        await self._done(self._tls.do_handshake)

    async def write(self, data: bytes) -> None:
        await self._done(lambda: self._tls.write(data))

    async def read(self) -> bytes:
        """The next piece; empty once the server has said that there is no more. Raises ssl.SSLEOFError before that."""
        try:
            return await self._done(self._tls.read)
        except ssl.SSLZeroReturnError:
            return b""

    async def _done(self, work: Callable[[], T]) -> T:
        while True:
            try:
                return work()
            except ssl.SSLWantReadError:
                pass
            finally:
                self._writer.write(self._outgoing.read())
            await self._writer.drain()
            received = await self._reader.read(65536)
            if received:
                self._incoming.write(received)
            else:
                self._incoming.write_eof()


def _context(settings: UnboundSettings) -> ssl.SSLContext:
    """Read anew each time, so that renewed certificates need no restart."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options &= (
        ~ssl.OP_IGNORE_UNEXPECTED_EOF
    )  # set by Python before 3.11.4: a cut list would pass for a whole one
    try:
        context.load_verify_locations(settings.server_certificate_file)
    except OSError as error:  # SSLError is one
        raise _Unusable(tr("cannot use server_certificate_file: {reason}", reason=_reason(error))) from None
    try:
        context.load_cert_chain(settings.certificate_file, settings.certificate_key_file)
    except OSError as error:
        raise _Unusable(
            tr("cannot use certificate_file and certificate_key_file: {reason}", reason=_reason(error))
        ) from None
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return tr("not a PEM file, or certificate and key do not belong together")
    return error.strerror or "unreadable"


def _printable(text: str) -> str:
    return ascii(text.strip()[:200])[1:-1]
