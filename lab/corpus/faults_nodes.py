"""Faults of the nodes: the gateway, what it does with packets, and the nodes behind it."""

from collections.abc import Awaitable, Callable

from lab.cluster.model import NODES
from lab.corpus.fault import HEADLESS, SPREAD, Fault
from lab.corpus.ground import NodeFault
from lab.corpus.office import Office
from lab.topology import ARTICLE

_GATEWAY = ARTICLE.gateway_node
_POD_NODE = "k8s-qa-node-03"
"""Runs the headless service's pod, and one of the spread service's."""
_LONG = 70.0
"""Seconds after which the control plane has noticed a dead node."""

_UNSEEN = ("K8SNET-GW-14",)
"""Without the API nobody may be left to compare with the silent gateway."""
_UNHEARD = (*_UNSEEN, "K8SNET-GW-01")
"""Nor can it be told whether the cluster has noticed that the gateway is dead."""

Change = Callable[[Office], Awaitable[None]]


def _on(node: str, fault: NodeFault) -> Change:
    return lambda office: office.ground.break_node(node, fault)


def _everywhere(fault: NodeFault, but: str = "") -> Change:
    async def apply(office: Office) -> None:
        for node in ARTICLE.nodes:
            if node.name != but:
                await office.ground.break_node(node.name, fault)

    return apply


def _kill(node: str, noticed: bool) -> Change:
    async def apply(office: Office) -> None:
        await office.ground.kill_node(node)
        if noticed:
            _pass_time(office)

    return apply


def _freeze(noticed: bool) -> Change:
    async def apply(office: Office) -> None:
        await office.ground.freeze_node(_GATEWAY)
        if noticed:
            _pass_time(office)

    return apply


def _pass_time(office: Office) -> None:
    office.clock.advance(_LONG)
    office.cluster.beat()


async def _all_dead(office: Office) -> None:
    for node in ARTICLE.nodes:
        await office.ground.kill_node(node.name)


def _forget_node(office: Office) -> None:
    office.cluster.store.delete(NODES, "", _GATEWAY)


def _new_address(office: Office) -> None:
    addresses = [{"type": "InternalIP", "address": "172.16.1.206"}, {"type": "Hostname", "address": _GATEWAY}]
    office.cluster.store.patch(NODES, "", _GATEWAY, {"status": {"addresses": addresses}})


def _cordon(office: Office) -> None:
    office.cluster.store.patch(NODES, "", _GATEWAY, {"spec": {"unschedulable": True}})


GATEWAY_AND_NODES: tuple[Fault, ...] = (
    Fault("gateway dead, noticed", "K8SNET-GW-01", "gateway", _kill(_GATEWAY, True), (HEADLESS, SPREAD), blind=_UNSEEN),
    Fault("gateway dead, not noticed yet", "K8SNET-GW-02", "gateway", _kill(_GATEWAY, False), blind=_UNHEARD),
    Fault("gateway frozen", "K8SNET-GW-02", "gateway", _freeze(False), blind=_UNHEARD),
    Fault("gateway frozen, noticed", "K8SNET-GW-01", "gateway", _freeze(True), (HEADLESS, SPREAD), blind=_UNSEEN),
    Fault("every node dead", "K8SNET-GW-03", "gateway", _all_dead, blind=_UNSEEN),
    Fault("gateway deleted from the cluster", "K8SNET-GW-13", "gateway-object", _forget_node),
    Fault("gateway has a new address", "K8SNET-RT-02", "gateway-object", _new_address),
    Fault("gateway cordoned", "K8SNET-GW-12", "gateway-object", _cordon, kind="harmless"),
    Fault("ip_forward off", "K8SNET-GW-04", "forwarding", _on(_GATEWAY, "forwards nothing")),
    Fault("FORWARD drops", "K8SNET-GW-05", "forwarding", _on(_GATEWAY, "FORWARD drops"), (HEADLESS,)),
    Fault("kube-proxy's rules flushed", "K8SNET-GW-06", "proxy", _on(_GATEWAY, "no service rules")),
    Fault("no rules for outsiders anywhere", "K8SNET-GW-06", "proxy", _everywhere("no service rules")),
    Fault("kube-proxy hangs", "K8SNET-GW-07", "proxy-health", _on(_GATEWAY, "kube-proxy hangs")),
    Fault("no masquerade", "K8SNET-GW-08", "masquerade", _everywhere("no masquerade"), (SPREAD,)),
    Fault("INVALID is dropped", "K8SNET-GW-09", "proxy-mode", _on(_GATEWAY, "INVALID dropped"), (HEADLESS,)),
    Fault("no CNI routes", "K8SNET-GW-11", "cni", _on(_GATEWAY, "no CNI routes"), (HEADLESS, SPREAD)),
    Fault(
        "strict reverse-path filter",
        "K8SNET-GW-10",
        "reverse-path",
        _everywhere("strict reverse path", but=_GATEWAY),
        (HEADLESS,),
    ),
    Fault("pod's node dead, not noticed yet", "K8SNET-NODE-02", "pod-node", _kill(_POD_NODE, False), (HEADLESS,)),
    Fault("pod's node dead, noticed", "K8SNET-SVC-03", "pod-node", _kill(_POD_NODE, True), (HEADLESS,)),
    Fault(
        "pod's node replies by another router",
        "K8SNET-NODE-02",
        "pod-node",
        _on(_POD_NODE, "other router"),
        (HEADLESS,),
    ),
    Fault("pod's node does not forward", "K8SNET-NODE-02", "pod-node", _on(_POD_NODE, "forwards nothing"), (HEADLESS,)),
    Fault(
        "INVALID is dropped on every node",
        "K8SNET-GW-09",
        "proxy-mode",
        _everywhere("INVALID dropped"),
        (HEADLESS,),
    ),
    Fault(
        "one node of three does not forward",
        "K8SNET-NODE-02",
        "pod-node",
        _on(_POD_NODE, "forwards nothing"),
        (SPREAD,),
    ),
)
