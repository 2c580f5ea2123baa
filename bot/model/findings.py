"""What the API and the firewall say about the gateway that people should know before it hurts. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from bot.model.candidates import LEAVING
from bot.model.facts import ClusterFacts, Node
from bot.model.probes import RouteAnswer
from bot.model.value import Value

STALE_LEASE_S = 25.0  # two and a half renewals of 10 s


class Finding(Value):
    """`advisable`: worth asking somebody whether the routes should move, although they work."""

    text: str
    advisable: bool


def control_plane_silent(lease_ages: Mapping[str, float]) -> bool:
    """Most leases stale at once: the control plane does not renew them, and says nothing about any one node."""
    stale = sum(age > STALE_LEASE_S for age in lease_ages.values())
    return stale * 2 > len(lease_ages)


def findings(
    facts: ClusterFacts | None, gateway: str, lease_ages: Mapping[str, float], routes: Sequence[RouteAnswer]
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
    return (*(Finding(text=text, advisable=True) for text in about), *_routes(node, routes))


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


def _routes(node: Node, routes: Sequence[RouteAnswer]) -> Iterator[Finding]:
    """A next hop that is not the gateway: somebody's second route, or a node that came back with another address."""
    for route in routes:
        if route.found and route.gateway is not None and route.gateway != node.internal_ip:
            text = (
                f"The firewall sends {route.destination} to {route.gateway}, but {node.name} is {node.internal_ip}: "
                "another route of the same destination, or the node has changed its address."
            )
            yield Finding(text=text, advisable=True)
