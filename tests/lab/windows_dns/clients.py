"""What the tests of the Windows DNS simulator share: real clients, and masters that behave as a test wants."""

import asyncio
import base64
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import dns.asyncquery
import dns.message
import dns.rcode
import dns.rrset
from winrm.protocol import Protocol

from lab.windows_dns import Account, Running, Server, VirtualClock, article_state, running

T = TypeVar("T")
LOCAL, DOMAIN, PASSWORD = "k8snet", "CORP\\svc-k8snet", "correct horse"
TEXT = ("-NoLogo", "-NoProfile", "-NonInteractive", "-OutputFormat", "Text")


def office_state(**settings: Any):
    """The article's office with one local and one domain account."""
    state = article_state()
    state.accounts = [Account(user=user, password=PASSWORD) for user in (LOCAL, DOMAIN)]
    state.settings = state.settings.model_copy(update=settings)
    return state


def encoded(script: str) -> str:
    return base64.b64encode(script.encode("utf-16-le")).decode()


def payload(data: Any) -> str:
    """Data as the base64 JSON that scripts receive."""
    return base64.b64encode(json.dumps(data).encode()).decode()


def data_of(stdout: bytes) -> Any:
    """The marked line of a script's output."""
    match = re.search(rb"<<([A-Za-z0-9+/=]*)>>", stdout)
    assert match, stdout
    return json.loads(base64.b64decode(match[1]))


ANSWER = (
    "[Console]::Out.WriteLine('<<' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes("
    "(ConvertTo-Json -InputObject $r -Depth 6 -Compress))) + '>>')"
)


@dataclass
class Result:
    stdout: bytes
    stderr: bytes
    code: int

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.split("\r\n")[:-1]


class Client:
    """pywinrm's Protocol, its blocking calls moved to threads."""

    def __init__(
        self, up: Running, user: str = LOCAL, password: str = PASSWORD, transport: str = "basic", **options: Any
    ):
        self.protocol = Protocol(
            up.wsman_url,
            transport=transport,
            username=user,
            password=password,
            ca_trust_path=str(up.ca_file) if up.ca_file else None,
            proxy=None,
            **options,
        )

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(getattr(self.protocol, method), *args, **kwargs)

    def close(self) -> None:
        self.protocol.transport.close_session()

    async def open(self, **options: Any) -> str:
        return await self.call("open_shell", **{"codepage": 65001, **options})

    async def start(self, shell: str, script: str, switches: tuple[str, ...] = TEXT) -> str:
        return await self.call("run_command", shell, "powershell.exe", [*switches, "-EncodedCommand", encoded(script)])

    async def finish(self, shell: str, command: str) -> Result:
        output = Result(*await self.call("get_command_output", shell, command))
        await self.call("cleanup_command", shell, command)
        return output

    async def run(self, script: str, switches: tuple[str, ...] = TEXT, **shell_options: Any) -> Result:
        """One script in a shell of its own."""
        shell = await self.open(**shell_options)
        try:
            return await self.finish(shell, await self.start(shell, script, switches))
        finally:
            await self.call("close_shell", shell)


@asynccontextmanager
async def client(up: Running, *args: Any, **kwargs: Any) -> AsyncIterator[Client]:
    made = Client(up, *args, **kwargs)
    try:
        yield made
    finally:
        made.close()


@dataclass
class Lab:
    """One running server and the shortest ways to it."""

    up: Running
    server: Server

    @property
    def clock(self) -> VirtualClock:
        assert isinstance(self.server.clock, VirtualClock)
        return self.server.clock

    async def run(self, script: str, switches: tuple[str, ...] = TEXT, user: str = LOCAL, **shell: Any) -> Result:
        async with client(self.up, user) as each:
            return await drive(self.clock, each.run(script, switches, **shell))

    async def error(self, statement: str, user: str = LOCAL) -> dict[str, Any]:
        """The error record of a statement that must fail: id, category, target, message."""
        script = (
            "$ProgressPreference = 'SilentlyContinue'\n$r = @{ id = 'nothing failed' }\n"
            f"try {{ {statement} }} catch {{\n"
            '$r = @{ id = $_.FullyQualifiedErrorId; category = "$($_.CategoryInfo.Category)";'
            ' target = "$($_.TargetObject)"; message = $_.Exception.Message } }\n' + ANSWER
        )
        result = await self.run(script, user=user)
        assert result.code == 0, result
        return data_of(result.stdout)

    async def zone(self, name: str) -> dict[str, Any]:
        script = (
            "$ProgressPreference = 'SilentlyContinue'\n"
            f"$z = Get-DnsServerZone -Name '{name}' -ErrorAction Stop\n"
            '$r = @{ name = $z.ZoneName; type = "$($z.ZoneType)"; masters = [string[]]@($z.MasterServers | % { "$_" });'
            " timeout = [int]$z.ForwarderTimeout; recursion = $z.UseRecursion; ad = $z.IsDsIntegrated;"
            ' scope = "$($z.ReplicationScope)" }\n' + ANSWER
        )
        return data_of((await self.run(script)).stdout)

    async def ask(self, name: str, rdtype: str = "A", *, tcp: bool = False, **query: Any) -> dns.message.Message:
        """Ask the server's DNS port as any client would."""
        question = dns.message.make_query(name, rdtype, **query)
        exchange = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await drive(self.clock, exchange(question, self.up.dns_host, port=self.up.dns_port, timeout=20))


@asynccontextmanager
async def lab(
    state: Any = None, *, upstream: Any = None, tls: bool = True, directory: Any = None
) -> AsyncIterator[Lab]:
    clock = directory.clock if directory else upstream.clock if upstream else VirtualClock()
    server = Server(state or office_state(), clock=clock, upstream=upstream or Masters(clock), directory=directory)
    async with running(server, tls=tls) as up:
        yield Lab(up, server)


async def drive(clock: VirtualClock, work: Awaitable[T]) -> T:
    """Let time jump to the next timer whenever somebody sleeps, until the work is done."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            timer = asyncio.ensure_future(clock.until_asleep())
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            if timer.done():
                await clock.skip()
            else:
                timer.cancel()
                await asyncio.gather(timer, return_exceptions=True)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


Reply = Callable[[dns.message.Message, dns.message.Message], None]


def address(text: str = "10.68.0.50", ttl: int = 30) -> Reply:
    def reply(query: dns.message.Message, response: dns.message.Message) -> None:
        if query.question[0].rdtype == 1:
            response.answer.append(dns.rrset.from_text(query.question[0].name, ttl, "IN", "A", text))

    return reply


def nxdomain(zone: str = "cluster.local.", ttl: int = 30) -> Reply:
    def reply(query: dns.message.Message, response: dns.message.Message) -> None:
        response.set_rcode(dns.rcode.NXDOMAIN)
        soa = f"ns.dns.{zone} hostmaster.{zone} 1 7200 1800 86400 {ttl}"
        response.authority.append(dns.rrset.from_text(zone, ttl, "IN", "SOA", soa))

    return reply


def rcode(code: dns.rcode.Rcode) -> Reply:
    def reply(query: dns.message.Message, response: dns.message.Message) -> None:
        response.set_rcode(code)

    return reply


class Masters:
    """Other DNS servers by address: a reply, `None` for silence, or "refused". `asked` is when, whom and how."""

    def __init__(self, clock: VirtualClock, table: dict[str, Reply | str | None] | None = None) -> None:
        self.clock, self.table = clock, table or {}
        self.asked: list[tuple[float, str, str]] = []

    async def udp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
        return await self._exchange("udp", server, wire, timeout)

    async def tcp(self, server: str, port: int, wire: bytes, timeout: float) -> bytes | None:
        return await self._exchange("tcp", server, wire, timeout)

    async def _exchange(self, transport: str, server: str, wire: bytes, timeout: float) -> bytes | None:
        self.asked.append((self.clock.now(), server, transport))
        behaviour = self.table.get(server)
        if behaviour == "refused":
            raise ConnectionRefusedError
        if behaviour is None:
            await self.clock.sleep(timeout)
            return None
        query = dns.message.from_wire(wire)
        response = dns.message.make_response(query)
        behaviour(query, response)
        size = max(query.payload, 512) if transport == "udp" else 65535
        return response.to_wire(max_size=size, prefer_truncation=True)

    def times(self) -> list[tuple[float, str]]:
        return [(when, server) for when, server, _ in self.asked]


# Raw WS-Management, for what no well-behaved client would send

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
CREATE_BODY = (
    f'<rsp:Shell xmlns:rsp="{SHELL}"><rsp:InputStreams>stdin</rsp:InputStreams>'
    "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
)


def envelope(
    action: str, body: str = "", *, shell: str = "", timeout: str = "PT20S", **changes: str
) -> tuple[str, str]:
    """A request and its message id. `extra` adds header elements, `must` is the spelling of mustUnderstand."""
    message_id = f"uuid:{uuid.uuid4()}"
    must = changes.get("must", "mustUnderstand")
    selectors = f'<w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet>' if shell else ""
    xml = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header>'
        f"<a:To>{changes.get('to', 'http://windows-host:5985/wsman')}</a:To>"
        f'<a:Action {must}="true">{action}</a:Action><a:MessageID>{message_id}</a:MessageID>'
        f'<w:ResourceURI {must}="true">{changes.get("resource", f"{SHELL}/cmd")}</w:ResourceURI>'
        f"<w:OperationTimeout>{timeout}</w:OperationTimeout>{selectors}{changes.get('extra', '')}"
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
    return xml, message_id


@asynccontextmanager
async def raw(up: Running, user: str | None = LOCAL) -> AsyncIterator[Callable[..., Awaitable[tuple[int, str, Any]]]]:
    """POST text, get status, body and headers; certificates are not what is tested here."""
    login = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"} if user else {}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def post(text: str, path: str = "/wsman", **options: Any) -> tuple[int, str, Any]:
            url = up.wsman_url.removesuffix("/wsman") + path
            async with session.post(url, data=text.encode(), ssl=False, **options) as response:
                return response.status, await response.text(), response.headers

        yield post
