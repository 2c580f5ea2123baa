"""All faults, and pairs of them."""

import random
from itertools import combinations

from lab.corpus.fault import Fault
from lab.corpus.faults_cluster import CLUSTER
from lab.corpus.faults_dns import DNS
from lab.corpus.faults_doubts import DOUBTS
from lab.corpus.faults_firewall import FIREWALL
from lab.corpus.faults_nodes import GATEWAY_AND_NODES

SINGLES: tuple[Fault, ...] = (*CLUSTER, *DNS, *FIREWALL, *GATEWAY_AND_NODES, *DOUBTS)

_OVERLAPPING = {
    frozenset(("routes", "route-services")),
    frozenset(("routes", "route-pods")),
    frozenset(("endpoints", "program")),
    frozenset(("service", "endpoints")),
    frozenset(("namespace", "service")),
    frozenset(("service", "dns-cache")),
    frozenset(("gateway", "pod-node")),
    frozenset(("gateway", "gateway-object")),
    frozenset(("office-policy", "object-office")),
}
"""Parts of which one's fault leaves nothing of the other's to see, or cannot be made after it."""


_TOGETHER = {
    frozenset(("FORWARD drops", "kube-proxy's rules flushed")): "K8SNET-GW-04",
    frozenset(("FORWARD drops", "no rules for outsiders anywhere")): "K8SNET-GW-04",
}
"""Pairs that are one other fault, as far as anybody outside can see: a gateway that lets only service traffic through
and has no service rules forwards nothing."""


def true_codes(*faults: Fault) -> frozenset[str]:
    """The codes of which a check of an office with these faults must name one first."""
    codes = {code for fault in faults for code in (fault.code, *fault.also)}
    if any(fault.part == "api" for fault in faults):
        codes |= {code for fault in faults for code in fault.blind}
    if (joint := _TOGETHER.get(frozenset(fault.name for fault in faults))) is not None:
        codes.add(joint)
    return frozenset(codes)


def pairs(count: int, seed: int) -> list[tuple[Fault, Fault, str]]:
    """So many different pairs of faults that can be there together, with a question that shows both.

    The same seed gives the same pairs.
    """
    possible = [
        (one, other, ask)
        for one, other in combinations(SINGLES, 2)
        if one.part != other.part
        and frozenset((one.part, other.part)) not in _OVERLAPPING
        and "harmless" not in (one.kind, other.kind)
        for ask in one.asks
        if ask in other.asks
    ]
    chance = random.Random(seed)
    return chance.sample(possible, min(count, len(possible)))
