"""What an endpoint lets people do: a module, and a role capability file that names functions and allowed values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.windows_dns.cmdlets.caller import Caller
from lab.windows_dns.powershell.binding import Word
from lab.windows_dns.powershell.console import Console
from lab.windows_dns.powershell.conversion import to_text
from lab.windows_dns.powershell.errors import ErrorRecord, ScriptError, Unsupported
from lab.windows_dns.powershell.parser import parse
from lab.windows_dns.powershell.values import Hashtable, items_of
from lab.windows_dns.process import interpreter
from lab.windows_dns.server import Server
from lab.windows_dns.state import Account

Rules = Mapping[str, Hashtable]  # parameter in lower case -> its entry in the role capability file


@dataclass(frozen=True)
class SessionConfiguration:
    """`module` and `role` are the texts of a .psm1 and a .psrc file. `accounts` may enter; `dns` is what the account
    that the functions run as may do on the DNS server."""

    name: str
    module: str
    role: str
    accounts: frozenset[str]
    run_as: Account = field(default_factory=lambda: Account(user=r"CORP\k8snet-dns$", password="", shell=False))

    def admits(self, account: Account) -> bool:
        return account.user.lower() in {user.lower() for user in self.accounts}

    async def call(self, server: Server, function: str, arguments: Mapping[str, Any]) -> list[Any]:
        """What one call of a visible function writes to the output. Raises ScriptError, or Unsupported."""
        console = Console(server.clock, lambda _stream, _data: None)
        machine = interpreter(console, Caller(server, self.run_as))
        rules = (await self._visible(server)).get(function.lower())
        if rules is None:
            raise _error(f"The term '{function}' is not recognized", "CommandNotFoundException", function)
        for name, value in arguments.items():
            _admit(function, rules, name, value)
        output: list[Any] = []
        machine.source = self.module
        await machine.statements(parse(self.module), output.append)
        known = machine.scope.function(function)
        if known is None:
            raise Unsupported(f"a role that shows {function}, which its module does not have")
        words = [Word(name, value) for name, value in arguments.items()]
        await machine._call_function(known.block, known.name, words, None, output.append)
        return output

    async def _visible(self, server: Server) -> Mapping[str, Rules]:
        """Function in lower case -> its parameters."""
        machine = interpreter(Console(server.clock, lambda _stream, _data: None), Caller(server, self.run_as))
        [statement] = parse(self.role).statements
        role = await machine.capture(statement)
        visible: dict[str, Rules] = {}
        for entry in items_of(role["VisibleFunctions"]):
            parameters = items_of(entry["Parameters"])
            visible[to_text(entry["Name"]).lower()] = {to_text(each["Name"]).lower(): each for each in parameters}
        return visible


def _admit(function: str, rules: Rules, name: str, value: Any) -> None:
    """Raises ScriptError for a parameter that the role does not show, or a value that it does not allow."""
    rule = rules.get(name.lower())
    if rule is None:
        raise _error(f"A parameter cannot be found that matches '{name}'", f"NamedParameterNotFound,{function}", name)
    for item in items_of(value):
        text = to_text(item)
        pattern, choices = rule.get("ValidatePattern"), rule.get("ValidateSet")
        allowed = pattern is None or re.search(to_text(pattern), text, re.IGNORECASE)
        if choices is not None and text.lower() not in {to_text(each).lower() for each in items_of(choices)}:
            allowed = False
        if not allowed:
            message = f"Cannot validate argument on parameter '{name}'."
            raise _error(message, f"ParameterArgumentValidationError,{function}", name)


def _error(message: str, error_id: str, target: str) -> ScriptError:
    return ScriptError(ErrorRecord(message, error_id, "InvalidData", target), fatal=True)
