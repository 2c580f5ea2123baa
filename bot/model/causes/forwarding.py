"""Rows about what the gateway does with packets.

They compare connections that differ in one thing only: service or pod, on the gateway or elsewhere. A connection counts
only when the firewall's own word clears the way to the gateway (see `tested`): silence otherwise proves nothing. Nor
does one that is silent alone (see `Seen.witnesses`): each row takes the number of witnesses that it needs.
"""

from collections.abc import Callable, Sequence

from bot.model.causes.gateway import host_answers
from bot.model.causes.row import Row
from bot.model.causes.signals import Tested, lines, unanswered
from bot.model.causes.witnesses import ENOUGH, Seen
from bot.model.diagnosis import Evidence
from bot.model.wording import marked

Pattern = Callable[[Evidence, int], Sequence[str]]


def _says(found: Sequence[Tested], limit: int = 6) -> list[str]:
    return lines(*(one.answer for one in found))[:limit]


def _forwards_nothing(e: Evidence, needed: int = ENOUGH) -> Sequence[str]:
    """The host answers; nothing that has to pass through it does."""
    seen = Seen(e)
    services, pods = seen.of("service"), [one for one in seen.of("pod") if one.place == "gateway" or not one.own]
    if host_answers(e) is not True or not services or not pods:
        return ()
    if not all(one.lost for one in (*services, *pods)) or seen.witnesses([*services, *pods]) < needed:
        return ()
    return [*lines(*([e.gateway.kubelet] if e.gateway.kubelet else [])), *_says((*services, *pods), 4)]


def _forward_drop(e: Evidence, needed: int = ENOUGH) -> Sequence[str]:
    """Services work because kube-proxy lets their packets through; no pod answers, not even on the gateway."""
    seen = Seen(e)
    services, local, remote = seen.of("service"), seen.of("pod", "gateway"), seen.of("pod", "elsewhere")
    if not any(one.answered for one in services) or not all(one.lost for one in (*local, *remote)):
        return ()
    if not seen.witnesses(local) or seen.witnesses([*local, *remote]) < needed:
        return ()
    return [*_says([one for one in services if one.answered], 2), *_says((*local, *remote), 3)]


def _proxy_dead(e: Evidence, needed: int = ENOUGH) -> Sequence[str]:
    """No service address works, not even one whose pods stand on the gateway; pods answer, also elsewhere."""
    seen = Seen(e)
    services, remote = seen.of("service"), seen.of("pod", "elsewhere")
    through = [one for one in seen.of("pod") if one.answered or one.half]
    if not all(one.lost for one in services) or not through or (remote and all(one.lost for one in remote)):
        return ()
    return [*_says(services, 3), *_says(through, 2)] if seen.witnesses(services) >= needed else ()


def _pods_elsewhere_lost(e: Evidence, needed: int) -> list[Tested]:
    """Pods on the gateway answer, those on every other node are silent."""
    seen = Seen(e)
    remote = seen.of("pod", "elsewhere")
    if not all(one.lost for one in remote) or seen.witnesses(remote) < needed:
        return []
    if len({node for one in remote for node in one.nodes}) < 2:
        return []
    return remote if any(one.answered for one in seen.of("pod", "gateway")) else []


def _no_way_to_nodes(e: Evidence, needed: int = ENOUGH) -> Sequence[str]:
    lost, services = _pods_elsewhere_lost(e, needed), Seen(e).of("service", "elsewhere")
    if not lost or any(one.answered for one in services):
        return ()
    return [*_says(lost, 3), *_says(services, 2)]


def _source_refused(e: Evidence, needed: int = ENOUGH) -> Sequence[str]:
    lost, services = _pods_elsewhere_lost(e, needed), Seen(e).of("service", "elsewhere")
    if not lost or not any(one.answered for one in services):
        return ()
    return [*_says(lost, 3), *_says([one for one in services if one.answered], 2)]


def _no_masquerade(e: Evidence, needed: int = ENOUGH) -> Sequence[str]:
    """Service addresses work where the pod stands on the gateway, and not where it stands elsewhere; pods answer."""
    seen = Seen(e)
    remote, near = seen.of("service", "elsewhere"), seen.of("service", "gateway", "both")
    lost = [one for one in (*remote, *seen.of("service", "both")) if one.lost]
    if any(one.answered for one in remote) or not lost or not any(one.answered for one in near):
        return ()
    if not any(one.answered or one.half for one in seen.of("pod", "elsewhere")):
        return ()
    if seen.witnesses(lost) + _now_and_then(seen) < needed:
        return ()
    return [*_says(lost, 3), *_says([one for one in near if one.answered], 2)]


def _now_and_then(seen: Seen) -> bool:
    """The checked service's address answers some connections only, although all its pods do by themselves: so it is
    a witness, too."""
    address, pods = ([one for one in seen.of(kind) if one.own] for kind in ("service", "pod"))
    some = any(one.lost for one in address) and any(one.answered for one in address)
    return some and bool(pods) and all(one.answered for one in pods)


def _invalid_dropped(e: Evidence, needed: int = ENOUGH) -> Sequence[str]:
    """Handshakes with pods elsewhere come about, and nothing that is said arrives; at pods on the gateway it does."""
    seen = Seen(e)
    half = sorted((one for one in seen.of("pod", "elsewhere") if one.half), key=lambda one: not one.own)
    others = [one for one in seen.of("pod", "elsewhere") if not one.own]
    # Where acknowledgements cannot be seen a program that says nothing looks the same: only other services' pods tell.
    if any(one.answered for one in others) or not half or seen.witnesses(half) < needed:
        return ()
    return [*_says(half, 3), *_says([one for one in seen.of("pod", "gateway") if one.answered], 1)]


def _lone_witness(e: Evidence) -> Sequence[str]:
    """What would be the gateway's fault if there were a second witness; asked for where the service is silent, too."""
    if not any(map(unanswered, e.connections)) or any(pattern(e, ENOUGH) for pattern in _PATTERNS):
        return ()
    return next((proof for pattern in _PATTERNS if (proof := pattern(e, 1))), ())


_PATTERNS: tuple[Pattern, ...] = (
    _forwards_nothing,
    _forward_drop,
    _proxy_dead,
    _no_way_to_nodes,
    _source_refused,
    _no_masquerade,
    _invalid_dropped,
)

_SHOWN = " (two services show it at least)"

FORWARDING: tuple[Row, ...] = (
    Row(
        "K8SNET-GW-04",
        "gateway",
        _forwards_nothing,
        "the gateway answers, the firewall lets everything through, but neither services nor pods answer" + _SHOWN,
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
        "services answer, pods do not, not even those on the gateway" + _SHOWN,
        marked("the gateway forwards only what kube-proxy lets through: its FORWARD chain drops the rest"),
        marked("Accept the pod network in the gateway's FORWARD chain; Docker sets its policy to DROP."),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-06",
        "gateway",
        _proxy_dead,
        "pods answer, no service address does" + _SHOWN,
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
        "pods on the gateway answer; pods and services on every other node do not" + _SHOWN,
        marked("the gateway has no way to the pods of other nodes"),
        marked("Look at the CNI's pod on the gateway and the routes it makes; or move the routes to another node."),
        fix="fail over",
    ),
    Row(
        "K8SNET-GW-10",
        "gateway",
        _source_refused,
        "services answer wherever their pods stand; pods answer on the gateway only" + _SHOWN,
        marked("nodes drop packets for pods that come from the gateway with an office address"),
        marked("Set rp_filter to 0 or 2 on the nodes, or let the CNI masquerade (flannel: --ip-masq)."),
    ),
    Row(
        "K8SNET-GW-08",
        "gateway",
        _no_masquerade,
        "services answer only where a pod stands on the gateway; pods elsewhere answer by their own addresses" + _SHOWN,
        marked("kube-proxy does not masquerade clients from outside, so replies take a way of their own"),
        marked("Set clusterCIDR (or detectLocalMode) in kube-proxy's configuration, or masqueradeAll."),
    ),
    Row(
        "K8SNET-GW-09",
        "gateway",
        _invalid_dropped,
        "connections to pods on other nodes open but carry no data" + _SHOWN,
        marked("replies bypass the gateway, which then drops the connection's packets as INVALID"),
        marked(
            "Set conntrack.tcpBeLiberal in kube-proxy's configuration, use its nftables mode, or let the CNI "
            "masquerade."
        ),
    ),
)

FORWARDING_DOUBTS: tuple[Row, ...] = (
    Row(
        "K8SNET-ASK-08",
        "gateway",
        _lone_witness,
        "what is silent would point at the gateway, but only one other service shows it, and that may be broken by "
        "itself",
        marked("too little else could be compared to tell a fault of the gateway from one of the services"),
        marked("Check another service of the cluster, one with pods on other nodes."),
        verdict="undetermined",
    ),
)
