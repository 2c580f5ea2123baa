"""Faults of the nodes: the gateway, what it does with packets, and the nodes behind it."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from lab.cluster.model import NODES
from lab.corpus.fault import HEADLESS, SPREAD, Fault
from lab.corpus.filters import filtering
from lab.corpus.office import Office
from lab.network.topology import ARTICLE

_GATEWAY = ARTICLE.gateway_node
_POD_NODE = "k8s-qa-node-03"
"""Runs the headless service's pod, and one of the spread service's."""
_OFFICE = IPv4Network("172.16.0.0/24")
_LONG = 70.0
"""Seconds after which the control plane has noticed a dead node."""

Change = Callable[[Office], None]


def _switch(node: str, **settings: object) -> Change:
    def apply(office: Office) -> None:
        for name, value in settings.items():
            setattr(office.network.node(node), name, value)

    return apply


def _switch_all(**settings: object) -> Change:
    def apply(office: Office) -> None:
        for node in ARTICLE.nodes:
            _switch(node.name, **settings)(office)

    return apply


def _kill(node: str, noticed: bool) -> Change:
    def apply(office: Office) -> None:
        office.network.kill_node(node)
        if noticed:
            _pass_time(office)

    return apply


def _freeze(noticed: bool) -> Change:
    def apply(office: Office) -> None:
        office.network.freeze_node(_GATEWAY)
        if noticed:
            _pass_time(office)

    return apply


def _pass_time(office: Office) -> None:
    office.clock.advance(_LONG)
    office.cluster.beat()


def _all_dead(office: Office) -> None:
    for node in ARTICLE.nodes:
        office.network.kill_node(node.name)


def _forget_node(office: Office) -> None:
    office.cluster.store.delete(NODES, "", _GATEWAY)


def _new_address(office: Office) -> None:
    addresses = [{"type": "InternalIP", "address": "172.16.1.206"}, {"type": "Hostname", "address": _GATEWAY}]
    office.cluster.store.patch(NODES, "", _GATEWAY, {"status": {"addresses": addresses}})


def _cordon(office: Office) -> None:
    office.cluster.store.patch(NODES, "", _GATEWAY, {"spec": {"unschedulable": True}})


def _strict_reverse_path(office: Office) -> None:
    """Every node but the gateway drops what comes from a neighbour with an office address."""
    for node in ARTICLE.nodes:
        if node.name != _GATEWAY:
            filtering(
                office.network,
                node.name,
                "strict reverse path",
                lambda packet, ingress: ingress == "eth0" and packet.source in _OFFICE,
            )


GATEWAY_AND_NODES: tuple[Fault, ...] = (
    Fault("gateway dead, noticed", "K8SNET-GW-01", "gateway", _kill(_GATEWAY, True), (HEADLESS, SPREAD)),
    Fault("gateway dead, not noticed yet", "K8SNET-GW-02", "gateway", _kill(_GATEWAY, False)),
    Fault("gateway frozen", "K8SNET-GW-02", "gateway", _freeze(False)),
    Fault("gateway frozen, noticed", "K8SNET-GW-01", "gateway", _freeze(True), (HEADLESS, SPREAD)),
    Fault("every node dead", "K8SNET-GW-03", "gateway", _all_dead),
    Fault("gateway deleted from the cluster", "K8SNET-GW-13", "gateway-object", _forget_node),
    Fault("gateway has a new address", "K8SNET-RT-02", "gateway-object", _new_address),
    Fault("gateway cordoned", "K8SNET-GW-12", "gateway-object", _cordon, kind="harmless"),
    Fault("ip_forward off", "K8SNET-GW-04", "forwarding", _switch(_GATEWAY, ip_forward=False)),
    Fault("FORWARD drops", "K8SNET-GW-05", "forwarding", _switch(_GATEWAY, forward_drop=True), (HEADLESS,)),
    Fault("kube-proxy's rules flushed", "K8SNET-GW-06", "proxy", _switch(_GATEWAY, proxy_rules=False)),
    Fault("no rules for outsiders anywhere", "K8SNET-GW-06", "proxy", _switch_all(proxy_rules=False)),
    Fault("kube-proxy hangs", "K8SNET-GW-07", "proxy-health", _switch(_GATEWAY, proxy_hung=True)),
    Fault("no masquerade", "K8SNET-GW-08", "masquerade", _switch_all(masquerade=False), (SPREAD,)),
    Fault("INVALID is dropped", "K8SNET-GW-09", "proxy-mode", _switch(_GATEWAY, proxy_mode="iptables"), (HEADLESS,)),
    Fault("no CNI routes", "K8SNET-GW-11", "cni", _switch(_GATEWAY, cni_routes=False), (HEADLESS, SPREAD)),
    Fault("strict reverse-path filter", "K8SNET-GW-10", "reverse-path", _strict_reverse_path, (HEADLESS,)),
    Fault("pod's node dead, not noticed yet", "K8SNET-NODE-02", "pod-node", _kill(_POD_NODE, False), (HEADLESS,)),
    Fault("pod's node dead, noticed", "K8SNET-SVC-03", "pod-node", _kill(_POD_NODE, True), (HEADLESS,)),
    Fault(
        "pod's node replies by another router",
        "K8SNET-NODE-02",
        "pod-node",
        _switch(_POD_NODE, default_gateway=IPv4Address("172.16.1.253")),
        (HEADLESS,),
    ),
    Fault(
        "pod's node does not forward", "K8SNET-NODE-02", "pod-node", _switch(_POD_NODE, ip_forward=False), (HEADLESS,)
    ),
    Fault(
        "INVALID is dropped on every node",
        "K8SNET-GW-09",
        "proxy-mode",
        _switch_all(proxy_mode="iptables"),
        (HEADLESS,),
    ),
    Fault(
        "one node of three does not forward",
        "K8SNET-NODE-02",
        "pod-node",
        _switch(_POD_NODE, ip_forward=False),
        (SPREAD,),
    ),
)
