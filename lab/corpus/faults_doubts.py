"""What leaves a check in doubt, contradicts itself, or makes the bot ask back."""

import dns.message
import dns.rrset

from lab.cluster.model import NODES, SERVICES
from lab.corpus.fault import ADDRESSED, LOCAL, SPREAD, Fault, nothing
from lab.corpus.office import Office
from lab.topology import ARTICLE, BOT

_ASKS_BACK = "asks back"
_POLICIES, _ADDRESSES, _FOR_OFFICE = "firewall/policy", "firewall/address", 1001
_WITH_PORT = "redis-abc-gns.default:6379"
_STALE_S = 30.0
"""Seconds after which a lease is overdue and no node is given up yet."""


def _only_the_bot(office: Office) -> None:
    """The policy lets nobody in but the bot's own host."""
    bot = str(ARTICLE.host(BOT).address)
    office.device.create(_ADDRESSES, {"name": "only-bot", "subnet": f"{bot} 255.255.255.255"})
    office.device.update(_POLICIES, _FOR_OFFICE, {"srcaddr": [{"name": "only-bot"}]})


def _no_look_up(office: Office) -> None:
    office.firewall.faults.arm("status", path="*policy-lookup*", count=None, options={"code": 404})


def _dns_account_closed(office: Office) -> None:
    office.dns.accounts.clear()


async def _no_comparison(office: Office) -> None:
    """The DNS server remembers the name, the gateway forwards nothing, and the API cannot say what to compare with."""
    name = dns.rrset.from_text("redis-abc-gns.default.svc.cluster.local.", 900, "IN", "A", "172.20.4.222")
    office.dns.cache.put(name)
    await _no_names(office)


async def _no_names(office: Office) -> None:
    """The API is away, and no question passes the gateway."""
    await office.running_cluster.api.stop()
    await office.ground.break_node(ARTICLE.gateway_node, "forwards nothing")


def _firewall_silent(office: Office) -> None:
    office.firewall.faults.arm("refuse", count=None)


def _heartbeats_lost(office: Office) -> None:
    """Kubelets cannot write their leases, but for two."""
    for node in ARTICLE.nodes[2:]:
        office.cluster.freeze_lease(node.name)
    office.clock.advance(_STALE_S)
    office.cluster.beat()


async def _rules_old_no_pod(office: Office) -> None:
    await office.ground.break_node(ARTICLE.gateway_node, "service rules stand still")
    office.cluster.set_ready("default", "redis-abc", False)


async def _rules_old_new_address(office: Office) -> None:
    await office.ground.break_node(ARTICLE.gateway_node, "service rules stand still")
    _new_address(office, "redis-abc", "10.68.3.50")


def _new_address(office: Office, name: str, address: str) -> None:
    office.cluster.store.patch(SERVICES, "default", name, {"spec": {"clusterIP": address, "clusterIPs": [address]}})


def _coredns_lags(office: Office) -> None:
    """CoreDNS hears nothing from the API any more, although others do."""
    office.running_cluster.coredns.answer(dns.message.make_query("kubernetes.default.svc.cluster.local.", "A"))
    office.cluster.api_serving = False
    for name, address in (("web-abc", "10.68.3.80"), ("redis-abc", "10.68.3.50")):
        _new_address(office, name, address)


async def _node_given_up(office: Office) -> None:
    """A node is dead and called not Ready; its pods are not taken out of the services yet."""
    node = "k8s-qa-node-03"
    await office.ground.kill_node(node)
    condition = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    office.cluster.store.patch(NODES, "", node, {"status": {"conditions": [condition]}})


def _one_not_ready(office: Office) -> None:
    [document] = office.cluster.slices("default", "web-abc")
    endpoints = [
        one | ({"conditions": {"ready": False, "serving": False}} if one["addresses"] == ["172.20.4.31"] else {})
        for one in document["endpoints"]
    ]
    office.cluster.store.put({**document, "endpoints": endpoints})


def _namesake(office: Office) -> None:
    document = office.cluster.store.get(SERVICES, "default", "web-abc")
    assert document is not None
    spec = document["spec"] | {"clusterIP": "10.68.1.80", "clusterIPs": ["10.68.1.80"]}
    metadata = {"name": "web-abc", "namespace": "qa-orders"}
    office.cluster.store.put({**document, "metadata": metadata, "spec": spec})


DOUBTS: tuple[Fault, ...] = (
    Fault(
        "only the bot may pass",
        "K8SNET-ASK-01",
        "office-policy",
        _only_the_bot,
        kind="blind",
        also=("K8SNET-POL-03",),
    ),
    Fault(
        "no rights on the DNS server",
        "K8SNET-PATH-04",
        "dns-account",
        _dns_account_closed,
        ("echo-udp.default",),
        kind="blind",
        shows=("K8SNET-ASK-02",),
    ),
    Fault(
        "nothing to compare with",
        "K8SNET-API-01",
        "api",
        _no_comparison,
        (_WITH_PORT,),
        kind="blind",
        shows=("K8SNET-ASK-04",),
    ),
    Fault(
        "no API, and names cannot be asked",
        "K8SNET-API-01",
        "api",
        _no_names,
        kind="blind",
        shows=("K8SNET-PATH-07",),
    ),
    Fault(
        "a firewall that does not answer, and a UDP port",
        "K8SNET-FW-01",
        "firewall-api",
        _firewall_silent,
        ("echo-udp.default",),
        kind="blind",
        shows=("K8SNET-ASK-07",),
    ),
    Fault(
        "a release of the firewall without policy look-up",
        "K8SNET-ASK-05",
        "firewall-api",
        _no_look_up,
        ("echo-udp.default",),
        kind="blind",
    ),
    Fault("heartbeats do not arrive", "K8SNET-API-04", "leases", _heartbeats_lost, kind="blind"),
    Fault(
        "rules stand still, no pod ready",
        "K8SNET-SVC-01",
        "endpoints",
        _rules_old_no_pod,
        (LOCAL,),
        shows=("K8SNET-ASK-03",),
    ),
    Fault("rules stand still, a new address", "K8SNET-SVC-08", "service", _rules_old_new_address, (LOCAL,)),
    Fault("CoreDNS lags behind", "K8SNET-DNS-18", "service", _coredns_lags, ADDRESSED),
    Fault("pod's node dead, pods not evicted", "K8SNET-NODE-01", "pod-node", _node_given_up, (SPREAD,)),
    Fault("the asked pod is not ready", "K8SNET-SVC-09", "endpoints", _one_not_ready, ("172.20.4.31",)),
    Fault("a name in two namespaces", _ASKS_BACK, "question", _namesake, ("web-abc",), kind="blind"),
    Fault("a word that nothing is called", _ASKS_BACK, "question", nothing, ("wbe-abc",), kind="blind"),
    Fault("an address of somebody else", _ASKS_BACK, "question", nothing, ("192.0.2.7",), kind="blind"),
    Fault(
        "a name of another domain",
        _ASKS_BACK,
        "question",
        nothing,
        ("web-abc.default.svc.other.example",),
        kind="blind",
    ),
)

UNMADE: dict[str, str] = {
    "K8SNET-ASK-06": "the article's bot stands in the office",
    "K8SNET-ASK-08": "the article's cluster has enough services to compare with",
    "K8SNET-RT-08": "the article's bot stands in the office, where data proves the way",
    "K8SNET-PATH-03": "what a real kernel acknowledges is proven, and of what a simulated one does no fault is made",
    "K8SNET-DNS-14": "the simulated DNS server, as Windows, refuses no client",
    "K8SNET-DNS-20": "the simulated DNS server takes answers of every size",
    "K8SNET-DNS-17": "a symptom: every fault here has a cause that is found",
    "K8SNET-PATH-01": "a symptom: every fault here has a cause that is found",
    "K8SNET-PATH-02": "a symptom: every fault here has a cause that is found",
    "K8SNET-PATH-05": "a symptom: every fault here has a cause that is found",
    "K8SNET-FW-05": "a symptom: every fault here has a cause that is found",
    "K8SNET-FW-06": "a symptom: every fault here has a cause that is found",
}
"""Codes that no fault of the corpus is made for, and why; each has cases of its own among the tests."""
