"""Rows about the nodes: the gateway, what it does with packets, and the nodes behind it.

They compare connections that differ in one thing only: service or pod, on the gateway or elsewhere. A connection counts
only when the firewall's own word clears the way to the gateway (see `tested`): silence otherwise proves nothing.
"""

from collections.abc import Sequence

from bot.model.causes.row import Row
from bot.model.causes.signals import ANSWERED, SILENT, Tested, lines, namespace_closed, tested
from bot.model.describe import connection_line
from bot.model.diagnosis import Evidence, Place
from bot.model.wording import listed, marked, tr

STALE_S = 25.0
"""Two and a half periods of a lease: kubelets renew it every ten seconds."""


class _Seen:
    """The comparable connections, sorted."""

    def __init__(self, e: Evidence) -> None:
        self.all = tested(e)

    def of(self, kind: str, *places: Place) -> list[Tested]:
        return [one for one in self.all if one.kind == kind and (not places or one.place in places)]

    @property
    def foreign_pods(self) -> list[Tested]:
        """Pods elsewhere that do not belong to the checked service: what goes wrong with them is no policy of it."""
        return [one for one in self.of("pod", "elsewhere") if not one.own]


def _says(found: Sequence[Tested], limit: int = 6) -> list[str]:
    return lines(*(one.answer for one in found))[:limit]


def _answers(e: Evidence) -> bool | None:
    """Whether the gateway host answers. Silence counts only where the firewall lets the question through."""
    reply, policy = e.gateway.kubelet, e.gateway.policy
    if reply is None:
        return None
    if reply.outcome not in SILENT:
        return True
    return False if policy is not None and policy.allowed is True else None


def _gateway_unknown(e: Evidence) -> Sequence[str]:
    if not e.nodes or e.gateway.node is not None:
        return ()
    return (tr("cluster {cluster} has no node {name}", cluster=e.cluster, name=e.gateway.name),)


def _segment_silent(e: Evidence) -> Sequence[str]:
    """Every node that was asked is silent: others beside the gateway that the cluster's API calls alive, or else the
    node that this API stands on."""
    if _answers(e) is not False or e.gateway.kubelet is None or len(e.gateway.neighbours) < (2 if e.nodes else 1):
        return ()
    if any(reply.outcome not in SILENT for reply in e.gateway.neighbours) or _carries(e):
        return ()
    return lines(e.gateway.kubelet, *e.gateway.neighbours)


def _carries(e: Evidence) -> bool:
    return any(one.answered for one in tested(e)) or any(c.outcome in ANSWERED for c in e.connections)


def _given_up(e: Evidence) -> bool:
    """The cluster itself has noticed (the node is not Ready, or its lease is overdue, and not most others with it), or
    cannot be asked."""
    behind = e.gateway.lease_behind_s
    overdue = behind is not None and behind > STALE_S and not _leases_stale(e)
    return e.gateway.node is None or not e.gateway.node.ready or overdue


def _alone(e: Evidence) -> bool:
    """Without the cluster's word no other node is known that could be compared with."""
    return not e.nodes and not e.gateway.neighbours


def _gateway_down(e: Evidence) -> Sequence[str]:
    return _gateway_silent(e) if _given_up(e) and not _alone(e) else ()


def _gateway_lost(e: Evidence) -> Sequence[str]:
    return () if _given_up(e) else _gateway_silent(e)


def _gateway_or_more(e: Evidence) -> Sequence[str]:
    return _gateway_silent(e) if _alone(e) else ()


def _gateway_silent(e: Evidence) -> Sequence[str]:
    if _answers(e) is not False or e.gateway.kubelet is None or _segment_silent(e) or _carries(e):
        return ()
    node = e.gateway.node
    lease = (
        ""
        if e.gateway.lease_behind_s is None
        else tr(", its lease is {seconds:.0f} s behind", seconds=e.gateway.lease_behind_s)
    )
    ready = tr("unknown to us") if node is None else tr("Ready") if node.ready else tr("not Ready")
    return (
        connection_line(e.gateway.kubelet),
        tr("the cluster calls {name} {ready}{lease}", name=e.gateway.name, ready=ready, lease=lease),
    )


def _proxy_unhealthy(e: Evidence) -> Sequence[str]:
    reply = e.gateway.proxy_health
    if reply is None or reply.outcome != "data" or " 503" not in reply.peer_says:
        return ()
    if e.gateway.node is None or e.gateway.node.terminating:
        return ()  # a node that leaves says 503, too
    return (connection_line(reply),)


def _forwards_nothing(e: Evidence) -> Sequence[str]:
    """The host answers; nothing that has to pass through it does."""
    seen = _Seen(e)
    services, pods = seen.of("service"), [one for one in seen.of("pod") if one.place == "gateway" or not one.own]
    if _answers(e) is not True or not services or not pods:
        return ()
    if not all(one.lost for one in (*services, *pods)):
        return ()
    return [*lines(*([e.gateway.kubelet] if e.gateway.kubelet else [])), *_says((*services, *pods), 4)]


def _proxy_dead(e: Evidence) -> Sequence[str]:
    """No service address works, not even one whose pods stand on the gateway; pods answer."""
    seen = _Seen(e)
    services, pods = seen.of("service"), seen.of("pod")
    if not services or not all(one.lost for one in services) or not any(one.answered or one.half for one in pods):
        return ()
    if not any(one.place == "gateway" for one in services) and len(services) < 2:
        return ()
    return [*_says(services, 3), *_says([one for one in pods if one.answered or one.half], 2)]


def _forward_drop(e: Evidence) -> Sequence[str]:
    """Services work because kube-proxy lets their packets through; no pod answers, not even on the gateway."""
    seen = _Seen(e)
    services, local, remote = seen.of("service"), seen.of("pod", "gateway"), seen.of("pod", "elsewhere")
    if not any(one.answered for one in services) or not local or not all(one.lost for one in (*local, *remote)):
        return ()
    return [*_says([one for one in services if one.answered], 2), *_says((*local, *remote), 3)]


def _no_masquerade(e: Evidence) -> Sequence[str]:
    """Service addresses work where the pod stands on the gateway, and not where it stands elsewhere; pods answer."""
    seen = _Seen(e)
    remote, near = seen.of("service", "elsewhere"), seen.of("service", "gateway", "both")
    lost = [one for one in (*remote, *seen.of("service", "both")) if one.lost]
    if any(one.answered for one in remote) or not lost or not any(one.answered for one in near):
        return ()
    if not any(one.answered or one.half for one in seen.of("pod", "elsewhere")):
        return ()
    return [*_says(lost, 3), *_says([one for one in near if one.answered], 2)]


def _invalid_dropped(e: Evidence) -> Sequence[str]:
    """Handshakes with pods elsewhere come about, data does not follow; it does for pods on the gateway."""
    seen = _Seen(e)
    half = sorted((one for one in seen.of("pod", "elsewhere") if one.half), key=lambda one: not one.own)
    others = seen.foreign_pods
    # One program that says nothing looks the same: only another service's pod tells.
    if not any(one.half for one in others) or any(one.answered for one in others):
        return ()
    return [*_says(half, 3), *_says([one for one in seen.of("pod", "gateway") if one.answered], 1)]


def _pods_elsewhere_lost(e: Evidence) -> list[Tested]:
    """Pods on the gateway answer, those on every other node are silent."""
    seen = _Seen(e)
    remote = seen.of("pod", "elsewhere")
    if not remote or not all(one.lost for one in remote) or not seen.foreign_pods:
        return []
    if len({node for one in remote for node in one.nodes}) < 2:
        return []
    return remote if any(one.answered for one in seen.of("pod", "gateway")) else []


def _no_way_to_nodes(e: Evidence) -> Sequence[str]:
    lost, services = _pods_elsewhere_lost(e), _Seen(e).of("service", "elsewhere")
    if not lost or any(one.answered for one in services):
        return ()
    return [*_says(lost, 3), *_says(services, 2)]


def _source_refused(e: Evidence) -> Sequence[str]:
    lost, services = _pods_elsewhere_lost(e), _Seen(e).of("service", "elsewhere")
    if not lost or not any(one.answered for one in services):
        return ()
    return [*_says(lost, 3), *_says([one for one in services if one.answered], 2)]


def _node_fault(e: Evidence) -> dict[str, list[str]]:
    """By node: pods of one node are silent, also such that no policy of the namespace concerns; pods of "
    "other nodes answer."""
    pods = _Seen(e).of("pod", "elsewhere")
    answering = {node for one in pods if one.answered for node in one.nodes}
    lost = {node for one in pods if one.lost and not one.own for node in one.nodes} - answering
    concerned = lost & {node for one in pods if one.lost for node in one.nodes if one.own} or lost
    if not answering or not concerned or namespace_closed(e):
        return {}
    return {
        node: [tr("on {node}: {line}", node=node, line=line) for line in _says([p for p in pods if node in p.nodes])]
        for node in sorted(concerned)
    }


def _node_down(e: Evidence) -> Sequence[str]:
    return [line for node, lines in _node_fault(e).items() if node in e.nodes_not_ready for line in lines]


def _node_astray(e: Evidence) -> Sequence[str]:
    return [line for node, lines in _node_fault(e).items() if node not in e.nodes_not_ready for line in lines]


def _leases_stale(e: Evidence) -> Sequence[str]:
    if e.gateway.leases < 3 or e.gateway.stale_leases * 2 <= e.gateway.leases:
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


GATEWAY: tuple[Row, ...] = (
    Row(
        "K8SNET-GW-13",
        "gateway",
        _gateway_unknown,
        "the API has no node of the gateway's name",
        marked("the gateway node is not in the cluster any more"),
        marked("Move the cluster's routes to another node."),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-03",
        "gateway",
        _segment_silent,
        "neither the gateway nor other nodes (when the API is silent: nor the node it stands on) answer, and the "
        "firewall lets the question through",
        marked("no node answers: the whole network of the nodes cannot be reached"),
        marked("Look at the switch and the firewall's interface towards the nodes. Moving the routes would not help."),
    ),
    Row(
        "K8SNET-GW-01",
        "gateway",
        _gateway_down,
        "the gateway's kubelet is silent, nothing passes through it, and the node is not Ready or its lease is overdue",
        marked("the gateway node is down"),
        marked("Move the cluster's routes to another node."),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-02",
        "gateway",
        _gateway_lost,
        "the gateway's kubelet is silent, nothing passes through it, but the cluster still hears from the node",
        marked("the gateway node does not answer from here, although the cluster does not miss it (yet)"),
        marked(
            "It has just died, or is cut off on this side: look at its address, its firewall, its switch port. "
            "Move the cluster's routes to another node."
        ),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-14",
        "gateway",
        _gateway_or_more,
        "the gateway's kubelet is silent, nothing passes through it, and the API, which could name other nodes to "
        "compare with, is silent, too",
        marked("the gateway node does not answer, and whether other nodes do is not known"),
        marked("Look at the gateway and at its neighbours; move the cluster's routes only if others answer."),
    ),
    Row(
        "K8SNET-GW-04",
        "gateway",
        _forwards_nothing,
        "the gateway answers, the firewall lets everything through, but neither a service nor a pod answers",
        marked("the gateway node forwards nothing"),
        marked(
            "On the gateway: net.ipv4.ip_forward must be 1, and no host firewall may drop forwarded packets. "
            "Or move the routes to another node."
        ),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-05",
        "gateway",
        _forward_drop,
        "services answer, pods do not, not even those on the gateway",
        marked("the gateway forwards only what kube-proxy lets through: its FORWARD chain drops the rest"),
        marked("Accept the pod network in the gateway's FORWARD chain; Docker sets its policy to DROP."),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-06",
        "gateway",
        _proxy_dead,
        "pods answer, no service address does",
        marked("the gateway does not translate service addresses: kube-proxy's rules are missing there"),
        marked(
            "Restart kube-proxy on the gateway or move the routes to another node. With Cilium in place of kube-proxy, "
            "set bpf.lbExternalClusterIP."
        ),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-11",
        "gateway",
        _no_way_to_nodes,
        "pods on the gateway answer; pods and services on every other node do not",
        marked("the gateway has no way to the pods of other nodes"),
        marked("Look at the CNI's pod on the gateway and the routes it makes; or move the routes to another node."),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-10",
        "gateway",
        _source_refused,
        "services answer wherever their pods stand; pods answer on the gateway only",
        marked("nodes drop packets for pods that come from the gateway with an office address"),
        marked("Set rp_filter to 0 or 2 on the nodes, or let the CNI masquerade (flannel: --ip-masq)."),
    ),
    Row(
        "K8SNET-GW-08",
        "gateway",
        _no_masquerade,
        "services answer only where a pod stands on the gateway; pods elsewhere answer by their own addresses",
        marked("kube-proxy does not masquerade clients from outside, so replies take a way of their own"),
        marked("Set clusterCIDR (or detectLocalMode) in kube-proxy's configuration, or masqueradeAll."),
    ),
    Row(
        "K8SNET-GW-09",
        "gateway",
        _invalid_dropped,
        "connections to pods on other nodes open but carry no data",
        marked("replies bypass the gateway, which then drops the connection's packets as INVALID"),
        marked(
            "Set conntrack.tcpBeLiberal in kube-proxy's configuration, use its nftables mode, or let the CNI "
            "masquerade."
        ),
    ),
    Row(
        "K8SNET-NODE-01",
        "cluster",
        _node_down,
        "pods of one node do not answer, other pods do, and the API calls the node not Ready",
        marked("the node that runs the pod is down"),
        marked("Look at the node; the path to the cluster works."),
    ),
    Row(
        "K8SNET-NODE-02",
        "cluster",
        _node_astray,
        "pods of one node do not answer, other pods do, and the API calls the node Ready",
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

GATEWAY_NOTES: tuple[Row, ...] = (
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
        _leases_stale,
        "more than half of the nodes' leases are overdue together",
        marked("the nodes' heartbeats do not reach the control plane"),
        marked("Look at the control plane; do not move the routes because of it."),
        verdict="undetermined",
    ),
)
