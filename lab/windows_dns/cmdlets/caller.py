"""The session in which a cmdlet runs: whose it is, and on which machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lab.windows_dns.messages import text
from lab.windows_dns.powershell.command import Invocation
from lab.windows_dns.powershell.conversion import to_text
from lab.windows_dns.powershell.errors import ErrorRecord, Unsupported
from lab.windows_dns.server import CmdletCall, Server
from lab.windows_dns.state import Account
from lab.windows_dns.zones import DnsFailure

_CIM = "Microsoft.Management.Infrastructure.CimException"
_CATEGORIES = {
    5: "PermissionDenied",
    87: "InvalidArgument",
    9601: "ObjectNotFound",
    9603: "InvalidOperation",
    9609: "ResourceExists",
    9610: "ResourceExists",
    9619: "ResourceExists",
    9718: "ResourceExists",
    9901: "ObjectNotFound",
}


@dataclass(frozen=True)
class Caller:
    server: Server
    account: Account

    def say(self, key: str, **values: str) -> str:
        settings = self.server.settings
        return text(settings.language, key, server=settings.hostname, **values)


def caller_of(run: Invocation) -> Caller:
    caller = run.interp.context
    assert isinstance(caller, Caller)
    return caller


def cim_error(run: Invocation, code: int, key: str, target: str, cim_class: str) -> ErrorRecord:
    """`WIN32 <code>,<Cmdlet>`; the text depends on language and cmdlet, the id does not."""
    caller = caller_of(run)
    chosen = "missing" if code == 9601 else "partition" if code == 9901 else key
    return ErrorRecord(
        caller.say(chosen, zone=target),
        f"WIN32 {code},{run.cmdlet.name}",
        _CATEGORIES.get(code, "NotSpecified"),
        target,
        _CIM,
        run.cmdlet.name,
        f"root/Microsoft/Windows/DNS/{cim_class}",
        code,
    )


def dns_cmdlet(
    right: str, key: str, cim_class: str, work: Callable[[Invocation, Caller], Awaitable[None]]
) -> Callable[[Invocation], Awaitable[None]]:
    """What every cmdlet of the DnsServer module has around its work: log, rights, service, faults, error records."""

    async def run(invocation: Invocation) -> None:
        caller = caller_of(invocation)
        server, name = caller.server, invocation.cmdlet.name
        for parameter in (
            "CimSession",
            "AsJob",
            "ThrottleLimit",
            "CacheScope",
            "VirtualizationInstance",
            "LoadExisting",
        ):
            if invocation[parameter]:
                raise Unsupported(f"-{parameter} of {name}")
        server.calls.append(CmdletCall(caller.account.user, name, _plain_parameters(invocation.args)))
        server.act_as(caller.account.user, name)
        target = to_text(invocation["Name"] or server.settings.hostname)
        try:
            if server.faults.cmdlet(name, "hang_before"):
                invocation.interp.console.flush()
                await server.faults.hang()
            if fault := server.faults.cmdlet(name, "error"):
                raise DnsFailure(fault.code)
            _check(caller, invocation, right)
            await work(invocation, caller)
        except DnsFailure as failure:
            invocation.error(cim_error(invocation, failure.code, key, target, cim_class))
        if server.faults.cmdlet(name, "hang_after"):
            invocation.interp.console.flush()
            await server.faults.hang()

    return run


def _check(caller: Caller, run: Invocation, right: str) -> None:
    settings = caller.server.settings
    own = {"localhost", ".", settings.hostname, caller.server.fqdn, *settings.addresses}
    computer = to_text(run["ComputerName"])
    if computer and computer.lower() not in {name.lower() for name in own}:
        # The second hop: an NTLM logon cannot be passed on to another machine.
        raise DnsFailure(5)
    if settings.dns_service == "stopped":
        raise DnsFailure(1722)
    allowed = {"read": ("read", "write"), "write": ("write",)}[right]
    if caller.account.dns not in allowed:
        raise DnsFailure(5)


def _plain_parameters(args: dict[str, Any]) -> dict[str, Any]:
    def simple(value: Any) -> Any:
        if isinstance(value, list):
            return [simple(item) for item in value]
        return value if isinstance(value, bool | int | float | str) or value is None else to_text(value)

    return {name: simple(value) for name, value in args.items()}


async def agreed(run: Invocation, caller: Caller, question: str, **values: str) -> bool:
    """-WhatIf and confirmation. `-Force` is what avoids the question; `-Confirm:$false` alone does not."""
    if run["WhatIf"]:
        run.interp.console.out(f"What if: {run.cmdlet.name} {values.get('zone', '')}".rstrip() + "\r\n")
        return False
    if run["Force"] and not run["Confirm"]:
        return True
    return await run.interp.confirm(run.cmdlet.name, caller.say(question, **values))
