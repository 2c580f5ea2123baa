"""The TCP connections of a call: bounded in time and size, and cut from another thread when time is up.

`requests` knows a time-out per read only: a peer that sends one byte now and then, or a body without end, would hold
its thread for ever.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse

from bot.model.wording import tr

REST_S = 30.0  # Windows closes a connection that nobody has used for 120 s
MAX_BODY = 4 * 1024 * 1024  # bytes; an envelope is 500 kB at most by default


class Line:
    """Every socket of one call, and then of the next one over the same connection. `cut` may be called from any
    thread, at any time, more than once.

    `monotonic` tells the time in seconds; it is asked from the thread that talks.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.client: Any = None  # what has logged in over it and is in good order; its user knows its type
        self._monotonic = monotonic
        self._ends = monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._connections: list[HTTPConnection] = []
        self._cut = self._rests = self._complete = False

    def remaining(self) -> float:
        """Seconds left, never negative; none once the line is cut."""
        return 0.0 if self._cut else max(0.0, self._ends - self._monotonic())

    def shorten(self, seconds: float) -> None:
        """From now on there are at most this many seconds left."""
        self._ends = min(self._ends, self._monotonic() + seconds)

    def rest(self) -> bool:
        """The call is over and the client may be used again, says the thread that talked; False when it was cut."""
        with self._lock:
            self._rests = not self._cut
            return self._rests

    def resume(self, seconds: float) -> None:
        """Another call of so many seconds. Its client has logged in over the connection there is: no other will do."""
        self._ends = self._monotonic() + seconds
        self._rests, self._complete = False, True

    def start_over(self) -> None:
        """Let go of the connections there are, and allow new ones."""
        self._hang_up()
        self._complete = False

    def mount(self, session: Session, newest_tls: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        """Let all traffic of the session go over this line."""
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self, newest_tls))

    def adopt(self, connection: HTTPConnection, connected: socket.socket) -> socket.socket:
        """Watch a new connection. Raises OSError when the line is cut already, or has all it may have."""
        self._connections.append(connection)
        with self._lock:
            if self._cut or self._complete:
                connected.close()
                raise OSError(tr("the call was over before the connection stood"))
            # A duplicate, because TLS takes the original over; shutting down either ends the connection.
            self._sockets.append(connected.dup())
        return connected

    def cut(self) -> bool:
        """End every connection at once and let no new one begin: after this, nothing more is sent. False, and nothing
        is ended, when the line rests."""
        with self._lock:
            if self._rests:
                return False
            self._cut = True
        self._hang_up()
        return True

    def close(self) -> None:
        """The end, from the thread that talks, or of a line that rests. A login that fails half-way leaves an answer
        unread, and with it a connection that no pool knows."""
        self._rests = False
        self.cut()
        for connection in self._connections:
            connection.close()
        if self.client is not None:
            self.client.transport.close_session()

    def _hang_up(self) -> None:
        with self._lock:
            for watched in self._sockets:
                with contextlib.suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)
                watched.close()
            self._sockets.clear()


class Resting:
    """Lines between two calls, still logged in: a login takes as many requests as everything that follows it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lines: list[tuple[float, Line]] = []

    def take(self, seconds: float) -> Line:
        """A line for a call of so many seconds: the one that came last to rest, or a new one."""
        while self._lines:
            since, line = self._lines.pop()
            if self._monotonic() - since < REST_S:
                line.resume(seconds)
                return line
            line.close()
        return Line(seconds, self._monotonic)

    def put(self, line: Line) -> None:
        self._lines.append((self._monotonic(), line))

    def close(self) -> None:
        while self._lines:
            self._lines.pop()[1].close()


class _Adapter(HTTPAdapter):
    def __init__(self, line: Line, newest_tls: ssl.TLSVersion) -> None:
        self._line = line
        self._newest_tls = newest_tls
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_maximum_version=self._newest_tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._line)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        remaining = self._line.remaining()
        if remaining <= 0:
            raise Timeout(tr("the call's time was up before this request"), request=request)
        asked = kwargs.get("timeout")
        pair = asked if isinstance(asked, tuple) else (asked, asked)  # for the connection, and for each read
        kwargs["timeout"] = tuple(min(seconds or remaining, remaining) for seconds in pair)
        return super().send(request, *args, **kwargs)

    def build_response(self, req: PreparedRequest, resp: BaseHTTPResponse) -> Response:
        # The body is left where it is: the NTLM handler still wants to see the socket behind an unread answer.
        stream = resp.stream

        def bounded(*args: Any, **kwargs: Any) -> Iterator[bytes]:
            size = 0
            for piece in stream(*args, **kwargs):
                size += len(piece)
                if size > MAX_BODY or self._line.remaining() <= 0:
                    resp.close()
                    raise ConnectionError(
                        tr("an answer that is longer than {most} bytes or than the call may take", most=MAX_BODY)
                    )
                yield piece

        resp.stream = bounded  # type: ignore[method-assign]
        return super().build_response(req, resp)


def _pools(line: Line) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools whose connections the line watches from their first moment, the TLS handshake included."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return line.adopt(self, super()._new_conn())

    class Tls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return line.adopt(self, super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}
