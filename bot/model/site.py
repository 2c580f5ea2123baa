"""The network around the clusters, as app.yaml describes it: what `desired` needs besides the cluster's own facts."""

from ipaddress import IPv4Address, IPv4Network
from typing import Self

from pydantic import Field, model_validator

from bot.model.resources import TargetId
from bot.model.value import Value
from bot.model.wording import tr


class Office(Value):
    """A source network. `networks` maps the firewall's address object name to the network it stands for."""

    name: str
    interface: str  # the firewall interface that the office's packets enter
    zone: str | None = None  # the zone it is a member of
    networks: dict[str, IPv4Network]
    dns_servers: tuple[TargetId, ...]

    @property
    def in_policies(self) -> str:
        """What policies call this side: they know a member only by its zone."""
        return self.zone or self.interface


class DnsServer(Value):
    """An office DNS server: a target (it holds forwarders) and a client (it asks kube-dns from its own interface).

    A replica is a client only: it learns its forwarders from the target `replica_of`, within `replication_s` seconds.
    If it `forgets`, its cache is emptied once it has.
    """

    name: TargetId
    address: IPv4Address
    interface: str
    zone: str | None = None
    address_object: str
    replica_of: TargetId | None = None
    replication_s: int = 0
    forgets: bool = False

    @property
    def in_policies(self) -> str:
        """See `Office.in_policies`."""
        return self.zone or self.interface

    @property
    def target(self) -> TargetId:
        """Where its forwarders are written."""
        return self.replica_of or self.name


class WatchSite(Value):
    """How a cluster's gateway is watched, and who is called. Ids are those of the chat: channel, groups, people."""

    channel: str
    oncall: tuple[str, ...]
    fallback: tuple[str, ...] = ()
    interval_s: float = 2.0
    timeout_s: float = 1.0
    bad: int = 5
    window: int = 8
    escalate_after_s: float = 300.0
    snooze_s: float = 1800.0
    auto: bool = False
    hold_down_s: float = 600.0
    moves_per_hour: int = 2


class CheckLimits(Value):
    """What one check may cost: `check:` in app.yaml."""

    deadline_s: float = Field(default=8.0, ge=1, le=60, description="Seconds after which it answers in any case.")
    facts_s: float = Field(
        default=3.0, gt=0, le=30, description="Seconds for the cluster's API; then it goes on without its word."
    )
    probe_s: float = Field(default=3.0, gt=0, le=30, description="Seconds that one question may wait for its answer.")
    doubt_s: float = Field(
        default=0.7,
        gt=0,
        le=30,
        description="Seconds without all answers after which it also asks what only a fault makes necessary.",
    )
    connections: int = Field(default=16, ge=1, le=256, description="Connections to one service: its ports and pods.")
    attempts: int = Field(
        default=16, ge=1, le=64, description="Connections at most to a service address, to meet all its pods."
    )
    attempts_of_many: int = Field(
        default=4, ge=1, le=64, description="The same for each service of a namespace that is checked as a whole."
    )
    closer_looks: int = Field(
        default=5, ge=0, le=50, description="Services of a namespace that get a closer look when they fail."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("facts_s", "probe_s", "doubt_s"):
            if getattr(self, name) > self.deadline_s:
                raise ValueError(
                    tr("{name} ({seconds:g}) must not be more than deadline_s", name=name, seconds=getattr(self, name))
                )
        return self


class ClusterSite(Value):
    """Where a cluster hangs on the firewall, and what its objects are called there."""

    name: str
    firewall: TargetId
    interface: str  # towards the nodes: routes name it
    zone: str | None = None
    gateway: str  # node name; the journal's active gateway wins once there was a failover
    services: tuple[str, ...]  # firewall service names that the office may use
    service_object: str
    pod_object: str
    kube_dns_object: str
    policy_prefix: str
    self_confirm: bool
    plan_lifetime_s: int
    channels: frozenset[str] = frozenset()  # chat channels it may be operated from; empty: all that the bot is in
    watch: WatchSite | None = None
    clear_stale_sessions: bool = False
    canary: str | None = None  # the namespace of the canary services
    availability_s: float = 60.0  # the exposures are looked at once in so many seconds; 0: never

    @property
    def in_policies(self) -> str:
        """See `Office.in_policies`."""
        return self.zone or self.interface

    def operated_from(self, channel: str) -> bool:
        """Whether commands for this cluster count in a channel. "" stands for no channel at all (App Home)."""
        return not channel or not self.channels or channel in self.channels


class Site(Value):
    """Everything of app.yaml that decides what a change looks like."""

    offices: tuple[Office, ...]
    dns_servers: tuple[DnsServer, ...]
    clusters: tuple[ClusterSite, ...]
    check: CheckLimits = CheckLimits()

    def cluster(self, name: str) -> ClusterSite | None:
        return next((cluster for cluster in self.clusters if cluster.name == name), None)

    def office(self, name: str) -> Office:
        return next(office for office in self.offices if office.name == name)

    def dns_server(self, name: TargetId) -> DnsServer:
        return next(server for server in self.dns_servers if server.name == name)

    def dns_servers_of(self, offices: set[str]) -> tuple[DnsServer, ...]:
        """The servers of these offices, each once, in the order of app.yaml."""
        names = {name for office in self.offices if office.name in offices for name in office.dns_servers}
        return tuple(server for server in self.dns_servers if server.name in names)
