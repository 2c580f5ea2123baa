"""A company whose gateway is watched: five nodes, and pods on all of them but the gateway."""

from datetime import timedelta
from ipaddress import IPv4Address

from bot.engine.engine import Engine
from bot.engine.presence import holds_name
from bot.engine.watching import GatewayWatch
from bot.model.commands import Expose
from bot.model.facts import ClusterFacts, Endpoint, Node, Service, ServicePort
from bot.model.incident import Incident
from bot.model.operation import Operation
from bot.model.resources import Key, Route
from bot.model.site import WatchSite
from tests.asking import change
from tests.memory_firewall import MemoryFirewall
from tests.office import Company, cluster_facts

RULES = WatchSite(channel="C0NETOPS01", oncall=("S0ONCALL01",), fallback=("S0NETOPER1",))
GATEWAY, NEXT = "k8s-qa-node-02", "k8s-qa-node-03"
ADDRESS = {f"k8s-qa-node-{number:02}": IPv4Address(f"172.16.1.{104 + number}") for number in range(2, 7)}
HOST = ADDRESS[GATEWAY]
ROUTES = [Key(kind="route", name=name) for name in ("10.68.0.0/16", "172.20.0.0/16")]


def watched_facts(**changes: dict[str, object]) -> ClusterFacts:
    """`changes` are fields of nodes, by the last two digits of their names: `node_02={"ready": False}`."""
    known = cluster_facts()
    port = ServicePort(name="http", protocol="TCP", port=8080)
    pods = tuple(
        Endpoint(address=IPv4Address(f"172.20.{number}.9"), node=name, hostname=None, ready=True, ports=(port,))
        for number, name in enumerate(ADDRESS, 3)
        if name != GATEWAY
    )
    spread = Service(
        namespace="default",
        name="spread-abc",
        type="ClusterIP",
        cluster_ip=IPv4Address("10.68.0.99"),
        headless=False,
        external_name=None,
        publish_not_ready=False,
        internal_traffic_local=False,
        ports=(port,),
        endpoints=pods,
    )
    nodes = [
        Node.model_validate(
            {
                "name": name,
                "internal_ip": address,
                "ready": True,
                "schedulable": True,
                **changes.get(f"node_{name[-2:]}", {}),
            }
        )
        for name, address in ADDRESS.items()
    ]
    return known.model_copy(update={"nodes": tuple(nodes), "services": (*known.services, spread)})


class Watched:
    """One company, one bot in it, and a hand on the clock."""

    def __init__(self, rules: WatchSite = RULES, **cluster: object) -> None:
        self.firewall = MemoryFirewall()
        self.company = Company(watch=rules, firewall=self.firewall)
        (qa,) = self.company.site.clusters
        changed = qa.model_copy(update=cluster)
        self.company.site = self.company.site.model_copy(update={"clusters": (changed,)})
        self.company.cluster.now = watched_facts()
        self.engine: Engine = self.company.engine()
        self.rules = rules

    @property
    def watch(self) -> GatewayWatch:
        watch = self.engine.watch("qa")
        assert watch is not None
        return watch

    async def expose(self) -> None:
        await change(self.engine, Expose(namespace="default"), "d0")

    async def rounds(self, count: int) -> None:
        """So many looks, at the rules' interval; the API is read each time."""
        for _ in range(count):
            await holds_name(self.engine.context)  # as a living bot does all the time
            await self.watch.sampler.refresh()
            await self.watch.tick()
            self.pass_time(self.rules.interval_s)

    def pass_time(self, seconds: float) -> None:
        self.company.env.time += timedelta(seconds=seconds)

    async def incident(self) -> Incident | None:
        """The newest one, over or not."""
        return next(reversed(list((await self.engine.context.journal.world()).incidents.values())), None)

    async def asked(self) -> Incident:
        incident = await self.incident()
        assert incident is not None
        return incident

    async def click(self, incident: Incident, by, node: str = NEXT) -> None:
        await self.engine.fail_over(incident.id, incident.version, node, by)
        await self.company.env.idle()
        assert not self.company.env.failures

    async def moves(self) -> list[Operation]:
        world = await self.engine.context.journal.world()
        return [one for one in world.operations.values() if one.request.command.verb == "failover"]

    def gateways(self) -> set[IPv4Address]:
        routes = [self.company.firewall.resources[key] for key in ROUTES]
        return {route.gateway for route in routes if isinstance(route, Route)}


async def watched(rules: WatchSite = RULES, **cluster: object) -> Watched:
    """Exposed, and looked at long enough to know everybody. `cluster` are settings of it."""
    made = Watched(rules, **cluster)
    await made.expose()
    await made.rounds(4)
    return made


async def dead(office: Watched, rounds: int = 5) -> None:
    """The gateway's machine dies, and is looked at so often."""
    office.company.wire.dead.add(HOST)
    await office.rounds(rounds)
