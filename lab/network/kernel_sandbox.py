"""Network namespaces with processes in them, none of which can outlive or leave the program that made them.

A `Sandbox` is one supervising process (`lab.network.kernel_supervisor`) that is process 1 of its own PID
namespace. Its network namespaces have no names outside, no interface of the machine is in them, and the kernel
ends everything in it together with the supervisor – which ends when this program does, in whatever way.
Works as root, and as an ordinary user where the system allows user namespaces.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from lab.network import kernel_supervisor
from lab.network.kernel_requirements import search_path, unshare_command

DIRECTORY_PREFIX = "k8snet-lab-"
OWNER_FILE = "owner.json"


class SandboxError(RuntimeError):
    """The supervisor could not do what it was asked; the message says what and why."""


class CommandFailed(SandboxError):
    """A command in a namespace ended with another status than 0."""

    def __init__(self, where: str, completed: "subprocess.CompletedProcess[str]") -> None:
        self.completed = completed
        output = (completed.stderr or completed.stdout).strip()
        super().__init__(f"{' '.join(completed.args)} in {where!r} ended with {completed.returncode}: {output}")


class Process:
    """A program running in a namespace. It leads a session of its own; signals reach all of its group."""

    def __init__(self, sandbox: "Sandbox", pid: int, argv: Sequence[str], namespace: str) -> None:
        self.pid = pid
        """Its number inside the sandbox, where process 1 is the supervisor."""
        self.argv = tuple(argv)
        self.namespace = namespace
        self.log: Path | None = None
        """Where its output goes, unless the caller said otherwise."""
        self.stdout: asyncio.StreamReader | None = None
        """Set when it was started with ``stdout=subprocess.PIPE``."""
        self._sandbox = sandbox
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """The exit status; negative when a signal ended it."""
        return await asyncio.shield(self._ended)

    async def send_signal(self, number: signal.Signals) -> None:
        await self._sandbox.request("signal", pid=self.pid, signal=int(number))

    async def stop(self, grace: float = 3.0) -> int:
        """Ask it to end, insist after *grace* seconds, and wait until it has."""
        await self.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.wait(), grace)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        await self.send_signal(signal.SIGKILL)
        return await self.wait()

    def ended(self, returncode: int) -> None:
        """Called by the sandbox when the supervisor has reaped it."""
        self._ended.set_result(returncode)


class Sandbox:
    """Network namespaces and the processes in them; make one with `Sandbox.start`, end it with `close`."""

    def __init__(self, directory: Path, control: socket.socket, process: asyncio.subprocess.Process) -> None:
        self.directory = directory
        """Scratch files of this run; gone after `close`."""
        self.process_id = process.pid
        """Of the ``unshare`` program on this machine, whose only child is the supervisor."""
        self.processes: dict[int, Process] = {}
        """The programs that run now, by their number inside."""
        self._supervising = process
        self._control = control
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._exits: dict[int, int] = {}
        self._files: dict[str, dict[str, str]] = {}
        self._paths: dict[str, str] = {}
        asyncio.get_running_loop().add_reader(control.fileno(), self._receive)

    @classmethod
    async def start(cls) -> Self:
        """Start a supervisor in fresh namespaces.

        Raises `SandboxError` where the system does not allow it; `kernel_requirements.missing` says why.
        """
        directory = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            process = await asyncio.create_subprocess_exec(
                *unshare_command(),
                *(sys.executable, "-I", "-S", kernel_supervisor.__file__),
                *(str(theirs.fileno()), str(directory)),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the owner, which then ends the supervisor in good order
                env={"PATH": search_path(), "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            ours.close()
            shutil.rmtree(directory)
            raise SandboxError(f"cannot start a sandbox: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        (directory / OWNER_FILE).write_text(json.dumps({"owner": os.getpid(), "supervisor": process.pid}))
        return cls(directory, ours, process)

    async def close(self) -> None:
        """End every process and namespace; returns when the kernel has done so."""
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        await self._supervising.wait()
        self._fail_waiting("the sandbox was closed")
        shutil.rmtree(self.directory, ignore_errors=True)

    async def create(self, names: Sequence[str]) -> dict[str, str]:
        """Make empty network namespaces. The values name them to ``ip link ... netns`` inside the sandbox."""
        reply, _ = await self.request("create", names=list(names))
        self._paths |= reply["paths"]
        return dict(reply["paths"])

    def entering(self, namespace: str) -> list[str]:
        """The beginning of a command that this machine's user can run by hand inside a namespace."""
        children = Path(f"/proc/{self.process_id}/task/{self.process_id}/children").read_text()
        supervisor = children.split()[0]
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        network = self._paths[namespace].replace("/proc/1/", f"/proc/{supervisor}/")
        return ["nsenter", "--target", supervisor, *user, "--mount", f"--net={network}"]

    async def remove(self, name: str) -> None:
        """Forget a namespace; the kernel removes it when nothing runs in it any more."""
        await self.request("remove", name=name)
        del self._paths[name]
        self._files.pop(name, None)

    def overlay(self, namespace: str, files: Mapping[str, str]) -> None:
        """Give programs started in a namespace other contents of some files, e.g. ``/etc/resolv.conf``.

        A file that the machine does not have cannot be laid over and is left out.
        """
        folder = self.directory / "files" / namespace
        folder.mkdir(parents=True, exist_ok=True)
        laid = self._files.setdefault(namespace, {})
        for target, content in files.items():
            if Path(target).is_file():
                source = folder / target.strip("/").replace("/", "-")
                source.write_text(content)
                laid[target] = str(source)

    async def sysctl(self, namespace: str, values: Mapping[str, int]) -> None:
        """Set kernel parameters below ``net.`` in one namespace."""
        await self.request("sysctl", namespace=namespace, values=dict(values))

    async def socket(
        self, namespace: str, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0
    ) -> socket.socket:
        """A socket of this program that sends and receives in a namespace."""
        reply, descriptors = await self.request(
            "socket", namespace=namespace, family=int(family), type=int(kind), protocol=protocol
        )
        assert "error" not in reply
        opened = socket.socket(fileno=descriptors[0])
        opened.set_inheritable(False)
        return opened

    async def spawn(
        self,
        namespace: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
    ) -> Process:
        """Start a program in a namespace.

        Its input is empty and its output goes to a log file below `directory` unless given; ``stderr`` follows
        ``stdout``. *env* is added to this program's environment. Raises `SandboxError` when it cannot start.
        """
        with contextlib.ExitStack() as opened:
            log = None
            reader_end = None
            if stdin is None:
                stdin = os.open(os.devnull, os.O_RDONLY)
                opened.callback(os.close, stdin)
            if stdout is None:
                log = self.directory / f"{namespace}-{Path(argv[0]).name}-{next(self._numbers)}.log"
                stdout = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
                opened.callback(os.close, stdout)
            elif stdout == subprocess.PIPE:
                reader_end, stdout = os.pipe()
                opened.callback(os.close, stdout)
            descriptors = [
                stream if isinstance(stream, int) else stream.fileno()
                for stream in (stdin, stdout, stdout if stderr is None else stderr)
            ]
            try:
                reply, _ = await self.request(
                    "spawn",
                    descriptors,
                    namespace=namespace,
                    argv=list(argv),
                    env={**os.environ, "PATH": search_path(), **(env or {})},
                    cwd=cwd,
                    files=self._files.get(namespace, {}),
                )
            except SandboxError:
                if reader_end is not None:
                    os.close(reader_end)
                raise
        process = Process(self, reply["pid"], argv, namespace)
        process.log = log
        self.processes[process.pid] = process
        if process.pid in self._exits:
            self._end(process.pid, self._exits.pop(process.pid))
        if reader_end is not None:
            process.stdout = await _stream(reader_end)
        return process

    async def run(
        self,
        namespace: str,
        argv: Sequence[str],
        timeout: float = 30.0,
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        check: bool = False,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program in a namespace to its end.

        Raises `TimeoutError` (after killing it) when it takes longer than *timeout* seconds, and with *check*
        `CommandFailed` when its status is not 0.
        """
        with _memory(stdin) as given, _memory() as out, _memory() as err:
            process = await self.spawn(namespace, argv, stdin=given, stdout=out, stderr=err, env=env)
            try:
                async with asyncio.timeout(timeout):
                    status = await process.wait()
            except TimeoutError:
                await process.kill()
                raise TimeoutError(f"{' '.join(argv)} in {namespace!r} did not end within {timeout:g} s") from None
            completed = subprocess.CompletedProcess(list(argv), status, _content(out), _content(err))
        if check and status != 0:
            raise CommandFailed(namespace, completed)
        return completed

    async def request(
        self, operation: str, descriptors: Sequence[int] = (), **parameters: Any
    ) -> tuple[dict[str, Any], list[int]]:
        """One request to the supervisor; raises `SandboxError` with its words when it refuses."""
        number = next(self._numbers)
        answer: asyncio.Future[tuple[dict[str, Any], list[int]]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        message = json.dumps({"id": number, "op": operation, **parameters}).encode()
        try:
            await self._send(message, descriptors)
        except OSError as error:
            del self._waiting[number]
            raise SandboxError(f"the supervisor is gone: {error}") from error
        reply, received = await answer
        if "error" in reply:
            what = parameters.get("argv", parameters.get("namespace", ""))
            raise SandboxError(f"{operation} {what}: {reply['error']}")
        return reply, received

    async def _send(self, message: bytes, descriptors: Sequence[int]) -> None:
        while True:
            try:
                socket.send_fds(self._control, [message], list(descriptors))
                return
            except BlockingIOError:
                await _writable(self._control)

    def _receive(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._control, kernel_supervisor.MAX_DATAGRAM, kernel_supervisor.MAX_DESCRIPTORS
            )
        except (BlockingIOError, ConnectionResetError):
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._fail_waiting("the supervisor ended; are namespaces allowed here?")
            return
        message = json.loads(data)
        if "exited" in message:
            self._end(message["exited"], message["returncode"])
        else:
            self._waiting.pop(message["id"]).set_result((message, descriptors))

    def _end(self, pid: int, returncode: int) -> None:
        process = self.processes.pop(pid, None)
        if process is None:  # ended before the reply to its start was handled
            self._exits[pid] = returncode
        else:
            process.ended(returncode)

    def _fail_waiting(self, why: str) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(SandboxError(why))
        self._waiting.clear()
        for process in self.processes.values():
            process.ended(-signal.SIGKILL)
        self.processes.clear()


def _memory(content: str = "") -> IO[bytes]:
    memory = os.fdopen(os.memfd_create("k8snet-lab"), "w+b", buffering=0)
    memory.write(content.encode())
    memory.seek(0)
    return memory


def _content(memory: IO[bytes]) -> str:
    memory.seek(0)
    return memory.read().decode(errors="replace")


async def _writable(waiting: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(waiting.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(waiting.fileno())


async def _stream(descriptor: int) -> asyncio.StreamReader:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb"))
    return reader
