"""Rows about single nodes: one that does not carry its pods' traffic, and what the gateway's own says of itself."""

from collections.abc import Sequence

from bot.model.causes.row import Row
from bot.model.causes.signals import SILENT, Tested, leases_stale, lines, namespace_closed
from bot.model.causes.witnesses import ENOUGH, Seen
from bot.model.describe import connection_line
from bot.model.diagnosis import Evidence
from bot.model.wording import listed, marked, tr


def _node_fault(e: Evidence) -> dict[str, list[str]]:
    """By node: a pod of the checked service is silent there, and so is another service's, or the API calls the node not
    Ready; nothing on it answers, and pods of other nodes do. Who is silent elsewhere, too, speaks against no node."""
    seen = Seen(e)
    pods = seen.of("pod")
    answering = {node for one in pods if one.answered for node in one.nodes}
    if namespace_closed(e) or not any(one.answered for one in seen.of("pod", "elsewhere")):
        return {}
    found = {}
    for node in sorted({node for one in seen.of("pod", "elsewhere") for node in one.nodes} - answering):
        there = [one for one in pods if node in one.nodes and one.lost]
        own = any(one.own for one in there) and not _silent_on(pods, None) & answering
        others = {one.service for one in there if seen.speaks(one) and _silent_on(pods, one.service) == {node}}
        if (own or _runs_there(e, node)) and own + len(others) + (node in e.nodes_not_ready) >= ENOUGH:
            found[node] = [tr("on {node}: {line}", node=node, line=line) for line in lines(*(p.answer for p in there))]
    return found


def _silent_on(pods: Sequence[Tested], service: str | None) -> set[str]:
    """The nodes on which pods of that service are silent; of the checked one for None."""
    its = [one for one in pods if (one.own if service is None else one.service == service)]
    return {node for one in its if one.lost for node in one.nodes}


def _runs_there(e: Evidence, node: str) -> bool:
    """The checked service is silent now and then, and one of its pods that nobody asked past its address may be why."""
    if e.service is None or not any(reply.outcome in SILENT for reply in e.connections):
        return False
    return any(endpoint.node == node for endpoint in e.service.ready_endpoints)


def _node_down(e: Evidence) -> Sequence[str]:
    return [line for node, lines in _node_fault(e).items() if node in e.nodes_not_ready for line in lines]


def _node_astray(e: Evidence) -> Sequence[str]:
    return [line for node, lines in _node_fault(e).items() if node not in e.nodes_not_ready for line in lines]


def _proxy_unhealthy(e: Evidence) -> Sequence[str]:
    reply = e.gateway.proxy_health
    if reply is None or reply.outcome != "data" or " 503" not in reply.peer_says:
        return ()
    if e.gateway.node is None or e.gateway.node.terminating:
        return ()  # a node that leaves says 503, too
    return (connection_line(reply),)


def _leases_overdue(e: Evidence) -> Sequence[str]:
    if not leases_stale(e):
        return ()
    return (
        tr(
            "{stale} of {count} nodes have not renewed their leases",
            stale=e.gateway.stale_leases,
            count=e.gateway.leases,
        ),
    )


def _leaving(e: Evidence) -> Sequence[str]:
    node = e.gateway.node
    if node is None:
        return ()
    signs = [taint for taint in node.taints if taint.startswith("ToBeDeletedByClusterAutoscaler")]
    if not node.schedulable:
        signs.append(tr("cordoned"))
    if node.terminating:
        signs.append(tr("being deleted"))
    return (f"{node.name}: {listed(signs)}",) if signs else ()


NODES: tuple[Row, ...] = (
    Row(
        "K8SNET-NODE-01",
        "cluster",
        _node_down,
        "a pod of the service and everything else on its node do not answer, pods of other nodes do, and the API calls "
        "the node not Ready",
        marked("the node that runs the pod is down"),
        marked("Look at the node; the path to the cluster works."),
    ),
    Row(
        "K8SNET-NODE-02",
        "cluster",
        _node_astray,
        "a pod of the service and another one on its node do not answer, pods of other nodes do, and the API calls the "
        "node Ready",
        marked("one node does not carry its pods' traffic: its default route, its CNI or its firewall"),
        marked("Look at that node: its default route must lead to the firewall as on the other nodes."),
    ),
    Row(
        "K8SNET-GW-07",
        "gateway",
        _proxy_unhealthy,
        "kube-proxy's health port on the gateway answers 503",
        marked("kube-proxy on the gateway no longer brings its rules up to date"),
        marked("Restart kube-proxy on the gateway."),
        fix="fail over",
    ),
)

NODE_NOTES: tuple[Row, ...] = (
    Row(
        "K8SNET-GW-12",
        "gateway",
        _leaving,
        "the gateway node is cordoned, being deleted, or marked by the autoscaler",
        marked("the gateway node is about to go"),
        marked("Move the cluster's routes to another node before it is drained."),
        verdict="passed",
        fix="fail over",
    ),
    Row(
        "K8SNET-API-04",
        "cluster",
        _leases_overdue,
        "more than half of the nodes' leases are overdue together",
        marked("the nodes' heartbeats do not reach the control plane"),
        marked("Look at the control plane; do not move the routes because of it."),
        verdict="undetermined",
    ),
)
