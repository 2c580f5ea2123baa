"""One simulated machine: zone table, cache, resolver, accounts, faults and a log, without any sockets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import dns.message

from .cache import Cache
from .clock import Clock, RealClock
from .faults import Faults
from .replication import Directory
from .resolver import Resolver
from .state import Account, State, Zone
from .upstream import SocketUpstream, Upstream
from .zones import Change, ZoneTable

if TYPE_CHECKING:
    from .psrp.configuration import SessionConfiguration


@dataclass(frozen=True)
class Write:
    """One effective change, with who made it. `after` is None for a removal; `zone` is "" for the cache."""

    time: str
    user: str
    cmdlet: str
    zone: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class CmdletCall:
    """One call of a cmdlet of the DNS modules, with the parameters as they were bound."""

    user: str
    cmdlet: str
    parameters: dict[str, Any]


class Server:
    """`upstream` is how the machine reaches other DNS servers; by default real sockets."""

    def __init__(
        self,
        state: State | None = None,
        *,
        clock: Clock | None = None,
        upstream: Upstream | None = None,
        directory: Directory | None = None,
    ) -> None:
        self.clock = clock or RealClock()
        self.upstream = upstream or SocketUpstream(self.clock)
        self.faults = Faults()
        self.writes: list[Write] = []
        self.calls: list[CmdletCall] = []
        self._actor = ("", "")
        self._wrong_passwords: list[tuple[str, float]] = []
        self.directory = directory
        # Endpoints of PowerShell remoting, by name in lower case.
        self.endpoints: dict[str, SessionConfiguration] = {}
        self.load(state or State())
        if directory is not None:
            directory.join(self)

    def load(self, state: State) -> None:
        """Replace everything that JSON describes; the cache starts empty."""
        self.settings, self.accounts = state.settings, state.accounts
        self.zones = ZoneTable(state.zones, self.fqdn)
        self.zones.announce = self._announce
        self.zones.refresh = self._refresh
        self.cache = Cache(self.clock, self.settings)
        self.resolver = Resolver(self.zones, self.cache, self.settings, self.clock, self.upstream)

    @classmethod
    def from_json(cls, document: dict[str, Any] | str, **ports: Any) -> Server:
        return cls(State.from_json(document), **ports)

    def state(self) -> State:
        return State(settings=self.settings, zones=list(self.zones), accounts=self.accounts)

    def to_json(self) -> dict[str, Any]:
        return self.state().to_json()

    @property
    def fqdn(self) -> str:
        return f"{self.settings.hostname}.{self.settings.domain}"

    def account(self, user: str) -> Account | None:
        """By name, as Windows compares them: without case; a local one also as HOST\\user, one of the server's own
        domain as DOMAIN\\user or user@domain."""
        own = f"{self.settings.hostname}\\".lower()
        domain = self.settings.domain.lower()
        name = user.lower().removeprefix(own)
        if name.endswith(f"@{domain}") and not any(each.user.lower() == name for each in self.accounts):
            name = f"{domain.partition('.')[0]}\\{name.partition('@')[0]}"
        return next((each for each in self.accounts if each.user.lower() == name), None)

    def wrong_password(self, user: str) -> None:
        """Somebody has tried to log in as this user and could not."""
        account = self.account(user)
        if account is not None:
            self._wrong_passwords.append((account.user, self.clock.now()))

    def wrong_passwords(self, account: Account) -> int:
        """How many of them count at this moment."""
        since = self.clock.now() - self.settings.lockout_window
        return sum(user == account.user and at > since for user, at in self._wrong_passwords)

    def open_accounts(self) -> list[Account]:
        """Those that are not locked."""
        threshold = self.settings.lockout_threshold
        return [each for each in self.accounts if not threshold or self.wrong_passwords(each) < threshold]

    def accepts(self, account: Account, password: str) -> bool:
        """Whether this is the password, and the account is not locked."""
        if account.password != password:
            self.wrong_password(account.user)
            return False
        return account in self.open_accounts()

    async def respond(self, query: dns.message.Message) -> dns.message.Message | None:
        """The DNS service's reply; None while it is not running."""
        if self.settings.dns_service != "running":
            return None
        return await self.resolver.respond(query)

    # Writes

    def act_as(self, user: str, cmdlet: str) -> None:
        """Whoever makes the following changes, for the log."""
        self._actor = (user, cmdlet)

    def record(self, zone: str, before: Zone | None, after: Zone | None) -> None:
        dumps = [each.model_dump(mode="json") if each else None for each in (before, after)]
        self.writes.append(Write(self.clock.wall().isoformat(), *self._actor, zone, *dumps))

    def _announce(self, change: Change) -> None:
        zone = change.after or change.before
        assert zone is not None
        self.record(zone.name, change.before, change.after)
        if self.directory is not None:
            self.directory.publish(self, change)

    def _refresh(self) -> None:
        if self.directory is not None:
            self.directory.deliver(self)

    def log(self) -> list[dict[str, Any]]:
        return [asdict(write) for write in self.writes]
