"""A real unbound of our own: on loopback, on free ports, in a directory that goes away with it, without any rights."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.ports import free_port

BINARY = shutil.which("unbound") or shutil.which("unbound", path="/usr/sbin:/usr/local/sbin")
SETUP = shutil.which("unbound-control-setup") or shutil.which("unbound-control-setup", path="/usr/sbin:/usr/local/sbin")
MISSING = "unbound is not installed; to run these tests: apt-get install unbound"


@dataclass
class UnboundServer:
    """One daemon, to be stopped, killed and started again. Its certificates outlive it."""

    home: Path
    extra: str = ""  # lines for the end of unbound.conf
    address: str = "127.0.0.1"
    dns_port: int = 0
    control_port: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _said: str = ""  # what the log held before this start

    @property
    def configuration(self) -> Path:
        return self.home / "unbound.conf"

    async def start(self) -> None:
        """Start and wait until it takes commands. On other ports than before when somebody took these meanwhile."""
        for _ in range(10):
            self.dns_port, self.control_port = self.dns_port or free_port(), self.control_port or free_port()
            self.configuration.write_text(self._text())
            self._said = self._log()
            with (self.home / "log").open("ab") as log:
                self.process = subprocess.Popen(  # noqa: ASYNC220 - it goes on
                    [str(self.home / "unbound"), "-d", "-c", str(self.configuration)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            if await self._starts():
                return
            self.stop()
            self.dns_port = self.control_port = 0
        raise RuntimeError(f"unbound did not start: {self._log()[-2000:]}")

    def stop(self, *, kill: bool = False) -> None:
        if self.process is None:
            return
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(timeout=20)
        self.process = None

    async def tell(self, *words: str) -> list[str]:
        """A command, through the daemon's own tool; the lines it answers."""
        tool = Path(str(BINARY)).with_name("unbound-control")
        command = [str(tool), "-c", str(self.configuration), *words]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    async def _starts(self) -> bool:
        """Whether *this* process gets all its ports; ends as soon as it exits."""
        while self.process is not None and self.process.poll() is None:
            if "start of service" in self._log().removeprefix(self._said):
                return True
            await asyncio.sleep(0.02)  # only its log tells
        return False

    def _log(self) -> str:
        log = self.home / "log"
        return log.read_text() if log.exists() else ""

    def _text(self) -> str:
        return f"""server:
  interface: {self.address}@{self.dns_port}
  directory: "{self.home}"
  username: ""
  chroot: ""
  pidfile: "{self.home}/unbound.pid"
  use-syslog: no
  logfile: ""
  verbosity: 1
  num-threads: 1
  do-ip6: no
  do-not-query-localhost: no
  access-control: 0.0.0.0/0 allow
  module-config: "validator iterator"
{self.extra}
remote-control:
  control-enable: yes
  control-interface: {self.address}
  control-port: {self.control_port}
  server-key-file: {self.home}/unbound_server.key
  server-cert-file: {self.home}/unbound_server.pem
  control-key-file: {self.home}/unbound_control.key
  control-cert-file: {self.home}/unbound_control.pem
"""


def make_certificates(home: Path) -> None:
    """As an administrator makes them."""
    assert SETUP is not None, MISSING
    subprocess.run([SETUP, "-d", str(home)], check=True, capture_output=True, timeout=60)


@cache
def _certificates() -> dict[str, bytes]:
    """Made once a process: the keys are long."""
    with tempfile.TemporaryDirectory(prefix="k8snet-unbound-") as home:
        make_certificates(Path(home))
        return {file.name: file.read_bytes() for file in Path(home).iterdir()}


@asynccontextmanager
async def running_unbound(
    extra: str = "", directory: Path | None = None, *, address: str = "127.0.0.1", dns_port: int = 0
) -> AsyncIterator[UnboundServer]:
    assert BINARY is not None, MISSING
    with tempfile.TemporaryDirectory(prefix="k8snet-unbound-") as temporary:
        home = directory or Path(temporary)
        for name, data in (await asyncio.to_thread(_certificates)).items():
            (home / name).write_bytes(data)
        # A copy, because Debian's AppArmor profile lets the installed one read nothing but /etc/unbound.
        shutil.copy(BINARY, home / "unbound")
        server = UnboundServer(home, extra, address, dns_port)
        try:
            await server.start()
            yield server
        finally:
            server.stop(kill=True)
