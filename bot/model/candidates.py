"""Which node should carry the cluster's routes: hard requirements, then a score. Pure, and shown to people as it is."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address

from bot.model.errors import UserError
from bot.model.facts import ClusterFacts, Node
from bot.model.suggest import suggestion
from bot.model.value import Value
from bot.model.wording import listed, tr

GOOD_ROUNDS = 3  # in a row, before a watched node counts as a candidate
# Taints that say that a node is about to go, whatever their effect: the autoscaler's, and the one for a lost machine.
LEAVING = ("ToBeDeletedByClusterAutoscaler", "node.kubernetes.io/out-of-service")
DNS_NAMESPACE, DNS_SERVICE = "kube-system", "kube-dns"


class NodeHealth(Value):
    """What is known of a node besides the API's word. `None` means: not known, which is not held against it.

    `on_link`: the firewall reaches it through the routes' own interface, without another router in between.
    `canary`: whether data passed through it just now, all the way to a service and back.
    `good_rounds`: how many times in a row the watch found nothing wrong with it.
    """

    host_answers: bool | None = None
    proxy_healthy: bool | None = None
    lease_fresh: bool | None = None
    on_link: bool | None = None
    good_rounds: int | None = None
    canary: bool | None = None


class Candidate(Value):
    """A node and whether it may carry the routes. `against` is every hard requirement that it misses."""

    node: str
    address: IPv4Address | None
    score: int
    against: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def eligible(self) -> bool:
        return not self.against


def candidates(facts: ClusterFacts, gateway: str, health: Mapping[str, NodeHealth]) -> tuple[Candidate, ...]:
    """Every node but the gateway, the best first: eligible before not, then by score, then by lowest address.

    A cordoned node is taken only when nothing else is left. The same facts always give the same order.
    """
    nodes = [node for node in facts.nodes if node.name != gateway]
    judged = [_judge(node, facts, health.get(node.name, NodeHealth())) for node in nodes]
    cordoned = {node.name for node in nodes if not node.schedulable}
    if any(one.eligible and one.node not in cordoned for one in judged):
        judged = [
            _with(one, tr("it is cordoned, and others are not")) if one.node in cordoned else one for one in judged
        ]
    return tuple(sorted(judged, key=_rank))


def resolve(name: str, facts: ClusterFacts) -> Node:
    """The node of that name, or the only one whose name ends like that (`node-03`). Raises UserError otherwise."""
    found = facts.node(name)
    if found is not None:
        return found
    alike = [node for node in facts.nodes if node.name.endswith(f"-{name}")]
    if len(alike) == 1:
        return alike[0]
    known = [node.name for node in facts.nodes]
    nodes = listed(known) or tr("none")
    raise UserError(
        tr(
            "Cluster {cluster} has no node {name}.{suggestion} Nodes: {nodes}.",
            cluster=facts.cluster,
            name=name[:80],
            suggestion=suggestion(name, known),
            nodes=nodes,
        )
    )


def _judge(node: Node, facts: ClusterFacts, health: NodeHealth) -> Candidate:
    return Candidate(
        node=node.name,
        address=node.internal_ip,
        score=_score(node, facts, health),
        against=tuple(text for wrong, text in _requirements(node, health) if wrong),
        notes=tuple(text for so, text in _notes(node, facts, health) if so),
    )


def _requirements(node: Node, health: NodeHealth) -> Sequence[tuple[bool, str]]:
    """The table of hard requirements: what would be wrong, and how it is said."""
    leaving = next((taint for taint in node.taints if taint.partition(":")[0] in LEAVING), "")
    evicting = next((taint for taint in node.taints if taint.endswith(":NoExecute")), "")
    rounds = health.good_rounds
    return (
        (node.internal_ip is None, tr("it has no InternalIP")),
        (not node.ready, tr("it is not Ready")),
        (node.terminating, tr("it is being deleted")),
        (not node.linux, tr("it does not run Linux")),
        (bool(leaving), tr("it is about to go ({leaving})", leaving=leaving)),
        (bool(evicting and not leaving), tr("its pods are being evicted ({evicting})", evicting=evicting)),
        (health.lease_fresh is False, tr("its lease is not being renewed")),
        (health.host_answers is False, tr("it does not answer")),
        (health.proxy_healthy is False, tr("its kube-proxy says that it is not healthy")),
        (health.canary is False, tr("no data passes through it to its canary")),
        (health.on_link is False, tr("the firewall does not reach it directly on the routes' interface")),
        (
            rounds is not None and rounds < GOOD_ROUNDS,
            tr("it was good only {rounds} of {enough} times in a row", rounds=rounds, enough=GOOD_ROUNDS),
        ),
    )


def _notes(node: Node, facts: ClusterFacts, health: NodeHealth) -> Sequence[tuple[bool, str]]:
    return (
        (health.host_answers is True, tr("answers")),
        (health.canary is True, tr("carries data to its canary")),
        (health.proxy_healthy is True, tr("kube-proxy healthy")),
        (health.lease_fresh is True, tr("lease fresh")),
        (health.on_link is True, tr("same interface")),
        (node.control_plane, tr("control plane")),
        (not node.schedulable, tr("cordoned")),
        (_answers_names(node, facts), tr("runs a DNS pod")),
    )


def _score(node: Node, facts: ClusterFacts, health: NodeHealth) -> int:
    return (
        40 * (health.canary is True)
        + 15 * (not node.control_plane)
        + 10 * (health.proxy_healthy is True)
        + 5 * (health.lease_fresh is True)
        + 5 * _answers_names(node, facts)
    )


def _answers_names(node: Node, facts: ClusterFacts) -> bool:
    service = facts.service(DNS_NAMESPACE, DNS_SERVICE)
    return service is not None and any(endpoint.node == node.name for endpoint in service.ready_endpoints)


def _with(candidate: Candidate, reason: str) -> Candidate:
    return candidate.model_copy(update={"against": (*candidate.against, reason)})


def _rank(candidate: Candidate) -> tuple[bool, int, int, str]:
    return (
        not candidate.eligible,
        -candidate.score,
        int(candidate.address) if candidate.address is not None else 1 << 32,
        candidate.node,
    )
