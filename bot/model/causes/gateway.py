"""Rows about the gateway node itself: whether it is there and answers."""

from collections.abc import Sequence

from bot.model.causes.row import Row
from bot.model.causes.signals import ANSWERED, SILENT, leases_stale, led_away, lines, tested
from bot.model.describe import connection_line
from bot.model.diagnosis import Evidence
from bot.model.wording import marked, tr

STALE_S = 25.0
"""Two and a half periods of a lease: kubelets renew it every ten seconds."""


def host_answers(e: Evidence) -> bool | None:
    """Whether the gateway host answers, on one port at least. Silence counts only where the firewall lets the question
    through."""
    replies = [reply for reply in (e.gateway.kubelet, e.gateway.proxy_health) if reply is not None]
    if any(reply.outcome not in SILENT for reply in replies):
        return True
    if e.gateway.kubelet is None:
        return None
    if any(led_away(e, one) for one in e.detours if one.packet.destination == e.gateway.address):
        return None  # nobody has asked it
    return False if e.gateway.policy is not None and e.gateway.policy.allowed is True else None


def _gateway_unknown(e: Evidence) -> Sequence[str]:
    if not e.nodes or e.gateway.node is not None:
        return ()
    return (tr("cluster {cluster} has no node {name}", cluster=e.cluster, name=e.gateway.name),)


def _segment_silent(e: Evidence) -> Sequence[str]:
    """Every node that was asked is silent: others beside the gateway that the cluster's API calls alive, or else the
    node that this API stands on."""
    if host_answers(e) is not False or e.gateway.kubelet is None or len(e.gateway.neighbours) < (2 if e.nodes else 1):
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
    overdue = behind is not None and behind > STALE_S and not leases_stale(e)
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
    if host_answers(e) is not False or e.gateway.kubelet is None or _segment_silent(e) or _carries(e):
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
)
