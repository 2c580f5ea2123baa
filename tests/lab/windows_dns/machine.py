"""A Windows server without sockets."""

from typing import Any

from lab.windows_dns import Account, Server, VirtualClock, Zone, article_state
from lab.windows_dns.cmdlets.caller import Caller
from lab.windows_dns.powershell.console import Console
from lab.windows_dns.process import interpreter


class Machine:
    """A server without sockets, and the processes that run on it."""

    def __init__(self, *zones: Zone, **changes: Any) -> None:
        state = article_state()
        state.zones += zones
        state.accounts = [Account(user="k8snet", password="x")]
        state.settings = state.settings.model_copy(update=changes)
        self.server = Server(state, clock=VirtualClock())

    async def run(self, script: str, **options: Any) -> tuple[str, str, int]:
        written = {"stdout": b"", "stderr": b""}

        def write(stream: str, data: bytes) -> None:
            written[stream] += data

        console = Console(self.server.clock, write, codepage=65001, interactive=False, **options)
        code = await interpreter(console, Caller(self.server, self.server.accounts[0])).run(script)
        return written["stdout"].decode(), written["stderr"].decode(), code
