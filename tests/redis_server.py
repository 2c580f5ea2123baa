"""A real redis-server of our own: on loopback, on a free port, in a directory that goes away with it."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

BINARY = shutil.which("redis-server")
MISSING = "redis-server is not installed; to run these tests: apt-get install redis-server"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")


@dataclass(frozen=True)
class RedisServer:
    port: int
    process_id: int

    def url(self, password: str = "") -> str:
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/0"


@contextmanager
def running_redis(*options: str, directory: Path | None = None, loaded: bool = True) -> Iterator[RedisServer]:
    """A server that has read its data, or if not `loaded` answers at least.

    The same `directory` again is the same server after a restart.
    """
    assert BINARY is not None, MISSING
    with tempfile.TemporaryDirectory(prefix="k8snet-redis-") as temporary:
        home = directory or Path(temporary)
        for _ in range(10):  # somebody else may take the free port before the server does
            port = free_port()
            process = _start(BINARY, port, home, options)
            try:
                if _answers(process, port, loaded):
                    yield RedisServer(port, process.pid)
                    return
            finally:
                process.terminate()
                process.wait(timeout=10)
        raise RuntimeError(f"redis-server did not start: {(home / 'log').read_text()[-2000:]}")


def _start(binary: str, port: int, home: Path, options: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    fixed = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(home), "--save", "", "--logfile", "log")
    return subprocess.Popen([binary, *fixed, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _answers(process: "subprocess.Popen[bytes]", port: int, loaded: bool) -> bool:
    """Whether *this* process serves the port; ends as soon as it exits."""
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"INFO\r\n")
                answer = connection.recv(65536)
        except OSError:
            continue
        # One that wants a password serves as well; a stranger's server has another process id.
        ours = f"process_id:{process.pid}".encode() in answer and (not loaded or b"\r\nloading:0" in answer)
        if ours or answer.startswith(b"-NOAUTH"):
            return True
    return False
