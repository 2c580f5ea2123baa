"""What the API and the firewall say about the gateway that people should know before it hurts. Pure."""

from collections.abc import Iterator, Mapping

from bot.model.candidates import LEAVING
from bot.model.facts import ClusterFacts, Node
from bot.model.probes import RouteAnswer
from bot.model.resources import Route
from bot.model.value import Value

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
        text = "The cluster's API does not answer: leases and readiness are not known."
        return (Finding(text=text, advisable=False),)
    if control_plane_silent(lease_ages):
        text = "Most nodes' leases are stale at once: the control plane is in trouble, which says nothing about a node."
        return (Finding(text=text, advisable=False),)
    node = facts.node(gateway)
    if node is None:
        return (Finding(text=f"The gateway node {gateway} is no longer in the cluster.", advisable=True),)
    about = list(_node(node, lease_ages.get(gateway)))
    return tuple(Finding(text=text, advisable=True) for text in (*about, *_routes(node, facts, routes)))


def _node(node: Node, lease_age: float | None) -> Iterator[str]:
    leaving = next((taint for taint in node.taints if taint.partition(":")[0] in LEAVING), "")
    if node.terminating:
        yield f"{node.name} is being deleted."
    elif leaving:
        yield f"{node.name} is about to go ({leaving})."
    elif any(taint.endswith(":NoExecute") for taint in node.taints if not taint.startswith("node.kubernetes.io/")):
        yield f"{node.name} is being emptied of its pods (NoExecute)."
    elif not node.schedulable:
        yield f"{node.name} is cordoned: a drain may follow."
    if not node.ready:
        yield f"{node.name} is not Ready."
    elif lease_age is not None and lease_age > STALE_LEASE_S:
        yield f"{node.name} does not renew its lease: its kubelet is silent."


def _routes(node: Node, facts: ClusterFacts, seen: RoutesSeen) -> Iterator[str]:
    """Routes that do not lead to the gateway, and why: another address, somebody's hand, or a second route."""
    if seen.problem:
        yield f"Two ways to the same networks may share the connections between them (ECMP). {seen.problem}"
    astray: dict[str, list[str]] = {}
    for route in seen.held:
        if route.gateway != node.internal_ip:
            astray.setdefault(_astray(node, facts, route), []).append(str(route.destination))
    yield from (text.format(routes=", ".join(names)) for text, names in astray.items())
    held = {route.destination: route.gateway for route in seen.held}
    for answer in seen.answers:
        if not answer.found or answer.gateway is None:
            continue
        ours = next((gateway for network, gateway in held.items() if answer.destination in network), node.internal_ip)
        if answer.gateway != ours:
            yield (
                f"The firewall sends {answer.destination} to {answer.gateway}, although our route says {ours}: "
                "another route is preferred."
            )


def _astray(node: Node, facts: ClusterFacts, route: Route) -> str:
    other = next((one for one in facts.nodes if one.internal_ip == route.gateway), None)
    if other is not None:
        return f"The routes {{routes}} lead to {other.name} ({route.gateway}), not to the gateway {node.name}."
    return (
        f"{node.name} has another address now: {node.internal_ip}. The routes {{routes}} still lead to "
        f"{route.gateway}. `failover to {node.name}` makes them follow."
    )
