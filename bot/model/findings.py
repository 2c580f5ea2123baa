"""What the API and the firewall say about the gateway that people should know before it hurts. Pure."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

from bot.model.candidates import LEAVING
from bot.model.facts import ClusterFacts, Node
from bot.model.probes import RouteAnswer
from bot.model.resources import Route
from bot.model.value import Value
from bot.model.wording import listed, tr

STALE_LEASE_S = 25.0  # two and a half renewals of 10 s


class RoutesSeen(Value):
    """What the firewall says about our routes: those it holds, where they lead, or why it cannot tell which counts."""

    held: tuple[Route, ...] = ()
    answers: tuple[RouteAnswer, ...] = ()
    problem: str = ""


class Finding(Value):
    """`advisable`: worth asking somebody whether the routes should move, although they work."""

    text: str
    advisable: bool


def control_plane_silent(lease_ages: Mapping[str, float]) -> bool:
    """Most leases stale at once: the control plane does not renew them, and says nothing about any one node."""
    stale = sum(age > STALE_LEASE_S for age in lease_ages.values())
    return stale * 2 > len(lease_ages)


def findings(
    facts: ClusterFacts | None, gateway: str, lease_ages: Mapping[str, float], routes: RoutesSeen
) -> tuple[Finding, ...]:
    """`facts` is None while the API does not answer; `lease_ages` are seconds by our own clock since a change."""
    if facts is None:
        text = tr("The cluster's API does not answer: leases and readiness are not known.")
        return (Finding(text=text, advisable=False),)
    if control_plane_silent(lease_ages):
        text = tr(
            "Most nodes' leases are stale at once: the control plane is in trouble, which says nothing about a node."
        )
        return (Finding(text=text, advisable=False),)
    node = facts.node(gateway)
    if node is None:
        return (
            Finding(
                text=tr("The gateway node {gateway} is no longer in the cluster.", gateway=gateway), advisable=True
            ),
        )
    about = list(_node(node, lease_ages.get(gateway)))
    return tuple(Finding(text=text, advisable=True) for text in (*about, *_routes(node, facts, routes)))


def _node(node: Node, lease_age: float | None) -> Iterator[str]:
    leaving = next((taint for taint in node.taints if taint.partition(":")[0] in LEAVING), "")
    if node.terminating:
        yield tr("{name} is being deleted.", name=node.name)
    elif leaving:
        yield tr("{name} is about to go ({leaving}).", name=node.name, leaving=leaving)
    elif any(taint.endswith(":NoExecute") for taint in node.taints if not taint.startswith("node.kubernetes.io/")):
        yield tr("{name} is being emptied of its pods (NoExecute).", name=node.name)
    elif not node.schedulable:
        yield tr("{name} is cordoned: a drain may follow.", name=node.name)
    if not node.ready:
        yield tr("{name} is not Ready.", name=node.name)
    elif lease_age is not None and lease_age > STALE_LEASE_S:
        yield tr("{name} does not renew its lease: its kubelet is silent.", name=node.name)


def _routes(node: Node, facts: ClusterFacts, seen: RoutesSeen) -> Iterator[str]:
    """Routes that do not lead to the gateway, and why: another address, somebody's hand, or a second route."""
    if seen.problem:
        yield tr(
            "Two ways to the same networks may share the connections between them (ECMP). {problem}",
            problem=seen.problem,
        )
    astray: dict[IPv4Address, list[Route]] = {}
    for route in seen.held:
        if route.gateway != node.internal_ip:
            astray.setdefault(route.gateway, []).append(route)
    for gateway, routes in astray.items():
        yield _astray(node, facts, gateway, listed(route.destination for route in routes))
    held = {route.destination: route.gateway for route in seen.held}
    for answer in seen.answers:
        if not answer.found or answer.gateway is None:
            continue
        ours = next((gateway for network, gateway in held.items() if answer.destination in network), node.internal_ip)
        if answer.gateway != ours:
            yield (
                tr(
                    "The firewall sends {destination} to {gateway}, although our route says "
                    "{ours}: another route is preferred.",
                    destination=answer.destination,
                    gateway=answer.gateway,
                    ours=ours,
                )
            )


def _astray(node: Node, facts: ClusterFacts, gateway: IPv4Address, routes: str) -> str:
    other = next((one for one in facts.nodes if one.internal_ip == gateway), None)
    if other is not None:
        return tr(
            "The routes {routes} lead to {other} ({address}), not to the gateway {name}.",
            routes=routes,
            other=other.name,
            address=gateway,
            name=node.name,
        )
    return tr(
        "{name} has another address now: {address}. The routes {routes} still lead to {old}. "
        "`failover to {name}` makes them follow.",
        name=node.name,
        address=node.internal_ip,
        routes=routes,
        old=gateway,
    )
