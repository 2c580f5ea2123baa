"""A whole office in memory: the article's network as values, with a wire that follows what the targets hold.

The wire is not a stand-in for packets (the lab has those); it is just honest enough that a change which was not made,
or was taken back, cannot be proven.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

from bot.engine.context import Context
from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.engine.ports import SampleStore, Store
from bot.engine.samples import Samples
from bot.model.errors import Unreachable
from bot.model.facts import ClusterFacts, Endpoint, Node, Protocol, Service, ServicePort
from bot.model.incident import Incident
from bot.model.journal import Anchor, Record
from bot.model.operation import Message, Operation
from bot.model.people import Grant, Person, Profile
from bot.model.probes import ConnectAnswer, DnsAnswer, DnsTransport, PingAnswer
from bot.model.resources import Forwarder, Key, Policy, Resource, Route
from bot.model.site import ClusterSite, DnsServer, Office, Site, WatchSite
from tests.memory import Fault, MemoryTarget
from tests.memory_store import ActingAfter, Contents, MemoryStore
from tests.virtual import VirtualEnv

TEAM = "T0LAB0001"
DANA, OMAR, ADA, EVE, OLGA = (
    Person(team=TEAM, user=f"U0{name}0001") for name in ("DANA", "OMAR", "ADA", "EVE", "OLGA")
)
GRANTS = (
    Grant(role="developer", people=frozenset({DANA}), clusters=("*",)),
    Grant(role="operator", people=frozenset({OMAR}), clusters=("*",)),
    Grant(role="oncall", people=frozenset({OLGA}), clusters=("*",)),
    Grant(role="admin", people=frozenset({ADA}), clusters=("*",)),
)
KUBE_DNS = IPv4Address("10.68.0.2")
REDIS = IPv4Address("172.20.4.222")
WEB = IPv4Address("10.68.0.80")
DC1 = IPv4Address("172.16.2.3")
BOT = IPv4Address("172.16.0.50")


def site(self_confirm: bool = False, channels: frozenset[str] = frozenset(), watch: WatchSite | None = None) -> Site:
    return Site(
        offices=(
            Office(
                name="hq",
                interface="internal",
                networks={"office-hq": IPv4Network("172.16.0.0/24")},
                dns_servers=("dc1",),
            ),
        ),
        dns_servers=(DnsServer(name="dc1", address=DC1, interface="dmz", address_object="dns-dc1"),),
        clusters=(
            ClusterSite(
                name="qa",
                firewall="fw",
                interface="Test",
                gateway="k8s-qa-node-02",
                services=("ALL_TCP", "ALL_UDP"),
                service_object="k8s_SERVICE_CIDR",
                pod_object="k8s_POD_CIDR",
                kube_dns_object="k8snet-qa-kube-dns",
                policy_prefix="k8snet-qa",
                self_confirm=self_confirm,
                plan_lifetime_s=1800,
                channels=channels,
                watch=watch,
            ),
        ),
    )


def cluster_facts() -> ClusterFacts:
    redis = ServicePort(name="redis", protocol="TCP", port=6379)
    http = ServicePort(name="http", protocol="TCP", port=80)
    return ClusterFacts(
        cluster="qa",
        version="v1.34.0",
        nodes=(
            Node(name="k8s-qa-node-02", internal_ip=IPv4Address("172.16.1.106"), ready=True, schedulable=True),
            Node(name="k8s-qa-node-03", internal_ip=IPv4Address("172.16.1.107"), ready=True, schedulable=True),
        ),
        namespaces=("default", "kube-system", "monitoring"),
        services=(
            _service("default", "redis-abc-gns", None, redis, REDIS),
            _service("default", "web-abc", WEB, http, IPv4Address("172.20.3.9")),
        ),
        kube_dns=KUBE_DNS,
        domain="cluster.local",
        domain_source="test",
        service_networks=(IPv4Network("10.68.0.0/16"),),
        service_networks_source="test",
        pod_networks=(IPv4Network("172.20.0.0/16"),),
        pod_networks_source="test",
    )


def _service(namespace: str, name: str, cluster_ip: IPv4Address | None, port: ServicePort, pod: IPv4Address) -> Service:
    return Service(
        namespace=namespace,
        name=name,
        type="ClusterIP",
        cluster_ip=cluster_ip,
        headless=cluster_ip is None,
        external_name=None,
        publish_not_ready=False,
        internal_traffic_local=False,
        ports=(port,),
        endpoints=(Endpoint(address=pod, node="k8s-qa-node-03", hostname=None, ready=True, ports=(port,)),),
    )


class StillCluster:
    """A cluster that always reads the same, until a test gives it other facts."""

    def __init__(self) -> None:
        self.now = cluster_facts()
        self.away = False
        self.answers = asyncio.Event()  # who asks waits for it
        self.answers.set()

    async def facts(self) -> ClusterFacts:
        await self.answers.wait()
        if self.away:
            raise Unreachable("qa", "no connection")
        return self.now

    async def close(self) -> None:
        """Nothing is open."""


class Wire:
    """Implements Prober: names and connections work exactly when the targets hold what the article says they need."""

    def __init__(self, firewall: MemoryTarget, dns_server: MemoryTarget, cluster: StillCluster) -> None:
        self.firewall, self.dns_server, self.cluster = firewall, dns_server, cluster
        self.cut = False
        self.pings = "answered"  # or "forbidden" to us, or "dropped" on the way
        self.dead: set[IPv4Address] = set()  # machines that answer nothing and carry nothing
        self.silent: set[IPv4Address] = set()  # to ping alone
        self.not_forwarding: set[IPv4Address] = set()
        self.without_proxy: set[IPv4Address] = set()  # kube-proxy's rules are gone there
        self.remembered: dict[str, IPv4Address | None] = {}  # by the office's DNS server, until it forgets; None: no

    async def dns(self, server: IPv4Address, name: str, transport: DnsTransport, timeout_s: float) -> DnsAnswer:
        def answer(outcome: str, *addresses: IPv4Address, soa: str | None = None) -> DnsAnswer:
            return DnsAnswer.model_validate(
                {
                    "server": server,
                    "name": name,
                    "transport": transport,
                    "outcome": outcome,
                    "addresses": addresses,
                    "soa_owner": soa,
                    "elapsed_ms": 1,
                }
            )

        host, _, zone = name.rstrip(".").removesuffix(".svc.cluster.local").rpartition(".")
        zone = f"{zone}.svc.cluster.local"
        if server == KUBE_DNS:
            if not self._open("10.68.0.0/16", "k8snet-qa-hq"):
                return answer("timeout")
        elif name.rstrip(".") in self.remembered:
            known = self.remembered[name.rstrip(".")]
            return answer("answer", known) if known else answer("nxdomain", soa=".")
        elif not self._holds(self.dns_server, Key(kind="forwarder", name=zone), Forwarder):
            return answer("nxdomain", soa=".")
        elif not self._open("10.68.0.0/16", "k8snet-qa-dns-dc1"):
            return answer("servfail")
        if not host:
            return answer("nodata", soa="cluster.local.")
        service = self.cluster.now.service(zone.split(".")[0], host)
        if service is None:
            return answer("nxdomain", soa="cluster.local.")
        return answer("answer", service.cluster_ip or service.endpoints[0].address)

    async def connect(
        self, address: IPv4Address, port: int, protocol: Protocol, speak: str, timeout_s: float
    ) -> ConnectAnswer:
        network = "10.68.0.0/16" if address in IPv4Network("10.68.0.0/16") else "172.20.0.0/16"
        machine = address in IPv4Network("172.16.0.0/16")
        works = (not self.cut and address not in self.dead) if machine else self._open(network, "k8snet-qa-hq", address)
        return ConnectAnswer(
            address=address,
            port=port,
            protocol=protocol,
            outcome="data" if works else "timeout",
            spoke=speak,
            peer_says=("HTTP/1.1 200 OK" if speak == "healthz" else "hello") if works else "",
            source=BOT if works else None,
            elapsed_ms=1,
        )

    async def ping(self, address: IPv4Address, timeout_s: float) -> PingAnswer:
        if self.pings == "forbidden":
            return PingAnswer(address=address, answered=None, problem="not allowed here")
        works = self.pings == "answered" and not self.cut and address not in self.dead | self.silent
        return PingAnswer(address=address, answered=works, elapsed_ms=1)

    def _open(self, network: str, policy: str, address: IPv4Address | None = None) -> bool:
        keys = [Key(kind="route", name=name) for name in (f"{address}/32", network)]
        route = next((self.firewall.resources[key] for key in keys if key in self.firewall.resources), None)
        if self.cut or not isinstance(route, Route) or route.gateway in self.dead | self.not_forwarding:
            return False
        if network == "10.68.0.0/16" and route.gateway in self.without_proxy:
            return False
        return self._holds(self.firewall, Key(kind="policy", name=policy), Policy)

    @staticmethod
    def _holds(target: MemoryTarget, key: Key, kind: type[Resource]) -> bool:
        return isinstance(target.resources.get(key), kind)


class DnsTarget(MemoryTarget):
    """A DNS server that can be told to forget."""

    def __init__(self, name: str = "dc1", keeps_marks: bool = False) -> None:
        super().__init__(name, keeps_marks=keeps_marks)
        self.remembered: dict[str, IPv4Address | None] = {}

    async def forget_answers(self) -> None:
        self.remembered.clear()


class Book:
    """Implements Directory: everybody of the team is who they say."""

    async def profile(self, person: Person) -> Profile:
        return Profile(person=person)

    def forget(self, person: Person | None = None) -> None:
        """Nothing is remembered."""


class Wall:
    """Implements Announcer: remembers what it was told to show."""

    def __init__(self) -> None:
        self.shown: dict[str, Operation] = {}
        self.posts = 0
        self.audited: list[Record] = []
        self.incidents: dict[str, Incident] = {}
        self.alarms = 0

    async def show_incident(self, incident: Incident) -> Message:
        if incident.id not in self.incidents:
            self.alarms += 1
        self.incidents[incident.id] = incident
        return Message(channel=incident.opened.channel, id=f"i-{incident.id}", upto=incident.last_seq)

    async def show(self, operation: Operation, thread: str | None = None) -> Message:
        if operation.id not in self.shown:
            self.posts += 1
        self.shown[operation.id] = operation
        return Message(channel=operation.request.channel, id=f"m-{operation.id}", upto=operation.last_seq)

    async def audit(self, records: Sequence[Record], operations: Mapping[str, Operation]) -> None:
        last = self.audited[-1].seq if self.audited else 0
        self.audited += [record for record in records if record.seq > last]

    async def anchor(self) -> Anchor | None:
        return Anchor(seq=self.audited[-1].seq, hash=self.audited[-1].hash) if self.audited else None


class Company:
    """Devices, cluster and journal outlive a bot; `engine` is one life of a bot among them."""

    def __init__(
        self,
        self_confirm: bool = False,
        channels: frozenset[str] = frozenset(),
        watch: WatchSite | None = None,
        firewall: MemoryTarget | None = None,
    ) -> None:
        self.firewall = firewall or MemoryTarget("fw", keeps_marks=True)
        self.dns_server = DnsTarget()
        self.cluster = StillCluster()
        self.wire = Wire(self.firewall, self.dns_server, self.cluster)
        self.dns_server.remembered = self.wire.remembered
        self.contents = Contents()
        self.wall = Wall()
        self.site = site(self_confirm, channels, watch)
        self.lives = 0
        self.env = VirtualEnv()

    def engine(self, store: Store | None = None, instance: str = "bot", samples: SampleStore | None = None) -> Engine:
        """A bot that starts now, with the time and the journal as they are."""
        self.lives += 1
        self.env = VirtualEnv(self.env.time, prefix=f"l{self.lives}x")
        journal = store or MemoryStore(self.clock, self.contents)
        return Engine(
            Context(
                site=self.site,
                grants=GRANTS,
                targets={"fw": self.firewall, "dc1": self.dns_server},
                clusters={"qa": self.cluster},
                prober=self.wire,
                directory=Book(),
                announcer=self.wall,
                journal=Journal(journal),
                samples=Samples(samples or MemoryStore(self.clock, self.contents)),
                notes=MemoryStore(self.clock, self.contents),
                env=self.env,
                vantage="the test",
                instance=instance,
                process=f"process-{self.lives}",
            )
        )

    def acting_after(self, kind: str, act: Callable[[], Awaitable[None]]) -> MemoryStore:
        """This company's store, in which `act` comes right after a record of that kind."""
        return ActingAfter(self.clock, self.contents, kind, act)

    def resources(self) -> dict[str, dict[Key, Resource]]:
        """All that the devices hold."""
        return {"fw": dict(self.firewall.resources), "dc1": dict(self.dns_server.resources)}

    def silence_firewall(self, after_reads: int) -> None:
        """It answers this many more reads, then none for a long time."""
        for nth in range(after_reads + 1, after_reads + 40):
            self.firewall.fail("read", Fault.UNREACHABLE, nth)

    def clock(self) -> datetime:
        return self.env.time
