"""Process 1 of a kernel network: makes namespaces, starts processes in them, dies with all of them.

Run by `lab.network.kernel_sandbox` through ``unshare`` in fresh PID, mount and network namespaces (and a fresh
user namespace when the caller is not root), as a file of its own and with the standard library only, so that
it starts in a few milliseconds. It speaks one JSON object per datagram on the inherited ``SOCK_SEQPACKET``
socket whose number is its first argument; file descriptors travel beside the JSON. When the other end closes –
also because it was killed – this process removes the run's directory (second argument) and exits, and the
kernel ends every process and namespace below it: nothing can be left behind.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

MAX_DATAGRAM = 196608  # below the default send buffer of a Unix socket
MAX_DESCRIPTORS = 3

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def setns(descriptor: int, kind: int) -> None:
    """Move this thread into the namespace behind a descriptor."""
    _check(_libc.setns(descriptor, kind), "setns")


def unshare(kind: int) -> None:
    """Move this thread into a fresh namespace."""
    _check(_libc.unshare(kind), "unshare")


def bind_mount(source: str, target: str) -> None:
    """Lay a file over another one, in this mount namespace only."""
    _check(_libc.mount(source.encode(), target.encode(), None, MS_BIND, None), f"mount {source} on {target}")


def private_mounts() -> None:
    """Keep later mounts of this process to itself."""
    unshare(CLONE_NEWNS)
    _check(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount --make-rprivate /")


class Supervisor:
    """Answers requests until the other end closes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._base = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._namespaces: dict[str, int] = {"": self._base}
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._operations: dict[str, Callable[[dict[str, Any], list[int]], tuple[dict[str, Any], list[int]]]] = {
            "create": self._create,
            "remove": self._remove,
            "sysctl": self._sysctl,
            "socket": self._socket,
            "spawn": self._spawn,
            "signal": self._signal,
        }

    def serve(self) -> None:
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        while True:
            readable, _, _ = select.select([self._control.fileno(), wake_read], [], [])
            if wake_read in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                self._reap()
            if self._control.fileno() in readable and not self._answer():
                return

    def _answer(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, MAX_DATAGRAM, MAX_DESCRIPTORS)
        if not data:
            return False
        request = json.loads(data)
        try:
            reply, passed = self._operations[request["op"]](request, descriptors)
        except (OSError, subprocess.SubprocessError) as error:
            reply, passed = {"error": str(error)}, []
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self._send({"id": request["id"], **reply}, passed)
        for descriptor in passed:
            os.close(descriptor)
        return True

    def _send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        with contextlib.suppress(BrokenPipeError):
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)

    def _create(self, request: dict[str, Any], _: list[int]) -> tuple[dict[str, Any], list[int]]:
        """Make empty network namespaces; answers with a path for each that ``ip`` understands."""
        for name in request["names"]:
            unshare(CLONE_NEWNET)
            self._namespaces[name] = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        setns(self._base, CLONE_NEWNET)
        return {"paths": {name: f"/proc/1/fd/{self._namespaces[name]}" for name in request["names"]}}, []

    def _remove(self, request: dict[str, Any], _: list[int]) -> tuple[dict[str, Any], list[int]]:
        os.close(self._namespaces.pop(request["name"]))
        return {}, []

    def _sysctl(self, request: dict[str, Any], _: list[int]) -> tuple[dict[str, Any], list[int]]:
        """Set ``net.*`` values; the kernel shows each reader its own namespace's."""
        with self._inside(request["namespace"]):
            for key, value in request["values"].items():
                Path("/proc/sys", *key.split(".")).write_text(str(value))
        return {}, []

    def _socket(self, request: dict[str, Any], _: list[int]) -> tuple[dict[str, Any], list[int]]:
        """Open a socket in a namespace for the other end: a socket stays where it was opened."""
        with self._inside(request["namespace"]):
            opened = socket.socket(request["family"], request["type"], request["protocol"])
        return {}, [opened.detach()]

    def _spawn(self, request: dict[str, Any], descriptors: list[int]) -> tuple[dict[str, Any], list[int]]:
        """Start a program; the three descriptors become its standard streams."""
        namespace = self._namespaces[request["namespace"]]

        def enter() -> None:
            setns(namespace, CLONE_NEWNET)
            if request["files"]:
                private_mounts()
                for target, source in request["files"].items():
                    bind_mount(source, target)

        child = subprocess.Popen(
            request["argv"],
            stdin=descriptors[0],
            stdout=descriptors[1],
            stderr=descriptors[2],
            env=request["env"],
            cwd=request["cwd"],
            start_new_session=True,
            preexec_fn=enter,
        )
        self._children[child.pid] = child
        return {"pid": child.pid}, []

    def _signal(self, request: dict[str, Any], _: list[int]) -> tuple[dict[str, Any], list[int]]:
        """Signal a program and what it started (it leads a session of its own)."""
        if request["pid"] in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(request["pid"], request["signal"])
        return {}, []

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)  # absent: an orphan of a program, handed to process 1
            if child is not None:
                child.returncode = os.waitstatus_to_exitcode(status)
                self._send({"exited": pid, "returncode": child.returncode}, [])

    @contextlib.contextmanager
    def _inside(self, namespace: str) -> Any:
        setns(self._namespaces[namespace], CLONE_NEWNET)
        try:
            yield
        finally:
            setns(self._base, CLONE_NEWNET)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    try:
        Supervisor(control).serve()
    finally:
        shutil.rmtree(sys.argv[2], ignore_errors=True)


if __name__ == "__main__":
    main()
