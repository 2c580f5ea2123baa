"""What is known of the nodes that could carry a cluster's routes, now."""

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address

from bot.engine.context import Context
from bot.engine.targets import PathOracle
from bot.engine.verifying import knock
from bot.model.canary import KNOCKS, armed
from bot.model.candidates import Candidate, NodeHealth, candidates, resolve
from bot.model.doors import Door
from bot.model.errors import BackendError, UserError
from bot.model.facts import ClusterFacts, Node
from bot.model.intent import ClusterIntent
from bot.model.probes import ConnectAnswer
from bot.model.site import ClusterSite
from bot.model.wording import clauses, tr
from bot.model.words import word

KUBELET_PORT, PROXY_HEALTH_PORT = 10250, 10256
PROBE_TIMEOUT_S = 1.0
MOST_NODES = 12  # of a large cluster, enough are asked for a choice; the rest count as unknown


async def choose(
    context: Context, cluster: ClusterSite, intent: ClusterIntent, facts: ClusterFacts, wanted: str | None
) -> str:
    """The node to move to: the wanted one if nothing speaks against it, else the best. Raises UserError: why none."""
    gateway = intent.gateway or cluster.gateway
    node = resolve(wanted, facts) if wanted is not None else None
    if node is not None and node.name == gateway:
        return gateway
    looked_at = [node] if node is not None else [one for one in facts.nodes if one.name != gateway]
    ranked = candidates(facts, gateway, await survey(context, cluster, facts, looked_at))
    best = next((one for one in ranked if one.eligible), None)
    if node is None:
        if best is None:
            raise UserError(
                tr(
                    "No node of cluster {cluster} can carry the routes now:\n{reasons}",
                    cluster=cluster.name,
                    reasons=_reasons(ranked),
                )
            )
        return best.node
    found = next(one for one in ranked if one.node == node.name)
    if not found.eligible:
        better = tr(" Another one is {node}.", node=best.node) if best else ""
        raise UserError(
            tr(
                "{name} cannot carry the routes now: {against}.{better}",
                name=node.name,
                against=clauses(found.against),
                better=better,
            )
        )
    return node.name


async def survey(
    context: Context, cluster: ClusterSite, facts: ClusterFacts, nodes: Sequence[Node]
) -> Mapping[str, NodeHealth]:
    """One look at these nodes, the firewall's word included; asked all at once."""
    nodes = nodes[:MOST_NODES]
    owned = (await context.journal.world()).owned(cluster.name)
    doors = armed(cluster, facts, [key for target, key in owned if target == cluster.firewall])
    looks = await asyncio.gather(*(_look(context, cluster, node, doors.get(node.name)) for node in nodes))
    return {node.name: health for node, health in zip(nodes, looks, strict=True)}


async def _look(context: Context, cluster: ClusterSite, node: Node, canary: Door | None) -> NodeHealth:
    if node.internal_ip is None:
        return NodeHealth()
    host, proxy, link, data = await asyncio.gather(
        host_answers(context, node.internal_ip),
        proxy_healthy(context, node.internal_ip),
        on_link(context, cluster, node.internal_ip),
        carries(context, canary, PROBE_TIMEOUT_S),
    )
    return NodeHealth(host_answers=host[0], proxy_healthy=proxy[0], on_link=link, canary=data)


async def carries(context: Context, canary: Door | None, timeout_s: float) -> bool | None:
    """Whether data reaches a canary; asked twice, because a single packet may be lost. None without a canary."""
    if canary is None:
        return None
    for _ in range(2):
        good, _ = await knock(context, [canary] * KNOCKS, timeout_s / 2)
        if good:
            return True
    return False


async def host_answers(context: Context, address: IPv4Address) -> tuple[bool | None, str]:
    """Whether the machine lives. A living host may refuse; only silence or an ICMP error speaks against it."""
    reply, problem = await _ask(context, address, KUBELET_PORT, "https")
    if reply is None:
        return None, problem
    return reply.outcome not in ("timeout", "host-unreachable", "net-unreachable"), _said(reply)


async def proxy_healthy(context: Context, address: IPv4Address) -> tuple[bool | None, str]:
    """What kube-proxy says of itself. The port may be bound elsewhere or closed to us: silence means nothing."""
    reply, problem = await _ask(context, address, PROXY_HEALTH_PORT, "healthz")
    if reply is None or reply.outcome != "data":
        return None, problem or _said(reply)
    return (False if " 503" in reply.peer_says else True if " 200" in reply.peer_says else None), _said(reply)


async def on_link(context: Context, cluster: ClusterSite, address: IPv4Address) -> bool | None:
    """Whether the firewall reaches the address through the routes' interface, without another router in between."""
    firewall = context.targets[cluster.firewall]
    if not isinstance(firewall, PathOracle):
        return None
    try:
        route = await firewall.route(address)
    except BackendError:
        return None
    if route.found is None:
        return None
    return route.found and route.gateway is None and route.interface == cluster.interface


async def _ask(context: Context, address: IPv4Address, port: int, speak: str) -> tuple[ConnectAnswer | None, str]:
    try:
        return await context.prober.connect(address, port, "TCP", speak, PROBE_TIMEOUT_S), ""
    except BackendError as error:
        return None, str(error)


def _said(reply: ConnectAnswer | None) -> str:
    if reply is None:
        return ""
    return tr(
        "port {port}: {said} in {elapsed_ms} ms",
        port=reply.port,
        said=reply.peer_says or word(reply.outcome),
        elapsed_ms=reply.elapsed_ms,
    )


def _reasons(ranked: tuple[Candidate, ...]) -> str:
    return "\n".join(f"• {one.node}: {clauses(one.against)}" for one in ranked) or tr("• it has no other node")
