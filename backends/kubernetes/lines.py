"""The connections of one reading, cut from another thread when its time is up.

The library's read time-out limits silence only: a peer that sends a byte now and then would hold its thread for ever,
and the reader has few.
"""

import contextlib
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Line:
    """What the requests of one reading hold at this moment. `cut` may be called from any thread, more than once."""

    def __init__(self, deadline: float) -> None:
        """`deadline` is a moment of `time.monotonic`."""
        self._deadline = deadline
        self._lock = threading.Lock()
        self._cut = False
        self._held: dict[int, list[socket.socket]] = defaultdict(list)  # by thread

    def remaining(self) -> float:
        """Seconds left, never negative; none once the line is cut."""
        return 0.0 if self._cut else max(0.0, self._deadline - time.monotonic())

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Connections that this thread uses in here belong to this line."""
        _of_thread.line = self
        try:
            yield
        finally:
            _of_thread.line = None
            with self._lock:
                for held in self._held.pop(threading.get_ident(), ()):
                    held.close()

    def hold(self, connection: socket.socket) -> None:
        """This thread's request goes over this connection. Raises TimeoutError when the line is cut already."""
        with self._lock:
            if self._cut:
                raise TimeoutError
            # A duplicate, because its own thread may close the connection while we cut it.
            duplicate = socket.fromfd(connection.fileno(), connection.family, connection.type)
            self._held[threading.get_ident()].append(duplicate)

    def cut(self) -> None:
        """End what is under way, and let nothing new begin."""
        with self._lock:
            self._cut = True
            for held in (one for of_thread in self._held.values() for one in of_thread):
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)


_of_thread = threading.local()


def _hold(connection: socket.socket) -> socket.socket:
    line: Line | None = getattr(_of_thread, "line", None)
    if line is not None:
        line.hold(connection)
    return connection


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _hold(super()._new_conn())

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # kept from an earlier request
            _hold(self.sock)
        super().request(*args, **kwargs)


class _Tls(HTTPSConnection):
    def _new_conn(self) -> socket.socket:  # so that the handshake can be cut as well
        return _hold(super()._new_conn())

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _hold(self.sock)
        super().request(*args, **kwargs)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _TlsPool}
"""For `PoolManager.pool_classes_by_scheme`."""
