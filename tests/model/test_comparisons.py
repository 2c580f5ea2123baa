"""Comparisons: what one silent stranger may not prove, and what two do."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.engine.checking.samples import planned
from bot.model.causes.signals import unanswered
from bot.model.causes.table import diagnose
from bot.model.diagnosis import Evidence
from bot.model.facts import Service
from tests.model.cases import CASES, HEALTHY, case
from tests.model.comparing import NAMESPACE, Cluster, Fault, cluster, gathered

OWN = tuple(name for name in CASES if name.startswith(("K8SNET-SVC", "K8SNET-NAME")))
BASE = Evidence.model_validate(HEALTHY["spread"])


def first(evidence: Evidence) -> str:
    return next((finding.code for finding in diagnose(evidence).findings), "")


def with_one_silent(evidence: Evidence) -> Iterator[Evidence]:
    """Each comparison in turn becomes silent by itself."""
    for index, sample in enumerate(evidence.samples):
        if not sample.own:
            silent = sample.model_copy(update={"answer": sample.answer.model_copy(update={"outcome": "timeout"})})
            samples = (*evidence.samples[:index], silent, *evidence.samples[index + 1 :])
            yield evidence.model_copy(update={"samples": samples})


@pytest.mark.parametrize("name", OWN)
def test_no_stranger_that_is_silent_by_itself_changes_what_the_asked_service_suffers_from(name: str) -> None:
    evidence, _ = case(name)
    for changed in with_one_silent(evidence):
        assert first(changed) == first(evidence), diagnose(changed).findings


def test_programs_that_hang_everywhere_are_no_fault_of_the_gateway() -> None:
    """A machine without a moment for its pods looks like this: the far kernels acknowledge, no program answers."""
    evidence, _ = case("K8SNET-GW-09")
    half = [one for one in evidence.samples if one.answer.outcome == "handshake-only"]
    heard = {one: one.answer.model_copy(update={"peer_says": "no answer"}) for one in half}
    samples = tuple(one.model_copy(update={"answer": heard.get(one, one.answer)}) for one in evidence.samples)
    assert first(evidence.model_copy(update={"samples": samples})) != "K8SNET-GW-09"


@pytest.mark.parametrize("base", sorted(HEALTHY))
def test_a_stranger_that_is_silent_by_itself_takes_nothing_from_a_passed(base: str) -> None:
    compared, _ = case("K8SNET-SVC-05" if base == "local" else "K8SNET-GW-07")
    evidence = Evidence.model_validate(HEALTHY[base]).model_copy(update={"samples": compared.samples})
    for changed in with_one_silent(evidence):
        assert (diagnose(changed).verdict, diagnose(changed).findings) == ("passed", ())


def test_two_services_that_have_nothing_in_common_but_the_gateway_are_believed() -> None:
    """Nobody masquerades: the second service elsewhere is asked because the first one is silent."""
    there = cluster(random.Random(5), headless=False, namespaces=0, services=0, nodes=5, rich=True)
    assert there.gateway not in {endpoint.node for endpoint in there.asked.endpoints}
    fault = Fault(way=GATEWAY_FAULTS["K8SNET-GW-08"](there.gateway, ""))
    evidence = gathered(there, fault, BASE, random.Random(1))
    assert first(evidence) == "K8SNET-GW-08"
    lost = [one.service for one in evidence.samples if one.kind == "service" and one.answer.outcome == "timeout"]
    assert len(lost) > 1
    alone = tuple(one for one in evidence.samples if one.kind == "pod" or one.service not in lost[1:])
    assert first(evidence.model_copy(update={"samples": alone})) == "K8SNET-ASK-08"


# --- faults of the asked service -----------------------------------------------------------------------------------


def _of_pods(outcome: str, acknowledged: bool = False) -> Callable[[Cluster], Fault]:
    return lambda there: Fault(pods=dict.fromkeys(pods(there.asked), outcome), acknowledged=acknowledged)


def _policed(there: Cluster) -> Fault:
    namespace = [service for service in there.facts.services if service.namespace == NAMESPACE]
    return Fault(pods={pod: "timeout" for service in namespace for pod in pods(service)})


def _rules_old(there: Cluster) -> Fault:
    return Fault(addresses={there.asked.cluster_ip} if there.asked.cluster_ip else set())


OWN_FAULTS: dict[str, Callable[[Cluster], Fault]] = {
    "refuses": _of_pods("refused"),
    "hangs up": _of_pods("reset"),
    "hangs": _of_pods("handshake-only", acknowledged=True),
    "hangs, seen through a proxy": _of_pods("handshake-only"),
    "is silent": _of_pods("timeout"),
    "stands in a closed namespace": _policed,
    "has no rules on the gateway": _rules_old,
    "works": lambda there: Fault(),
}


def pods(service: Service) -> list:
    return [endpoint.address for endpoint in service.endpoints]


def clusters(rich: bool) -> st.SearchStrategy[Cluster]:
    return st.builds(
        cluster,
        st.randoms(use_true_random=False),
        headless=st.booleans(),
        namespaces=st.integers(0, 3),
        services=st.integers(1, 9),
        nodes=st.integers(4 if rich else 2, 6),
        rich=st.just(rich),
    )


own_faults = st.sampled_from(sorted(OWN_FAULTS))
seeds = st.integers(0, 9999)


@dataclass(frozen=True)
class Stranger:
    """Another service that is broken by itself: one pod, all pods, or its address on the gateway."""

    number: int
    how: str

    def one_of(self, there: Cluster) -> Service:
        return there.others[self.number % len(there.others)]

    def broken(self, there: Cluster, fault: Fault) -> Fault:
        it = self.one_of(there)
        silent = {"pod": pods(it)[:1], "service": pods(it)}.get(self.how, [])
        rules = {it.cluster_ip} if self.how == "rules" and it.cluster_ip else set()
        return replace(fault, pods=fault.pods | dict.fromkeys(silent, "timeout"), addresses=fault.addresses | rules)


strangers = st.builds(Stranger, st.integers(0, 99), st.sampled_from(["pod", "service", "rules"]))


def codes(evidence: Evidence) -> list[str]:
    return [finding.code for finding in diagnose(evidence).findings]


@settings(max_examples=60)
@given(there=clusters(rich=False), name=own_faults, seed=seeds, data=st.data())
def test_a_lost_packet_of_a_comparison_changes_no_finding(
    there: Cluster, name: str, seed: int, data: st.DataObject
) -> None:
    fault = OWN_FAULTS[name](there)
    count = len(planned(there.facts, there.asked, there.gateway))
    calm = gathered(there, fault, BASE, random.Random(seed))
    lost = gathered(there, fault, BASE, random.Random(seed), lost=data.draw(st.integers(0, count - 1)))
    assert first(lost) == first(calm)
    assert diagnose(lost).verdict == diagnose(calm).verdict


@settings(max_examples=60)
@given(there=clusters(rich=False), name=own_faults, seed=seeds, stranger=strangers)
def test_a_broken_stranger_is_never_taken_for_the_gateway(
    there: Cluster, name: str, seed: int, stranger: Stranger
) -> None:
    """In however small a cluster. A node is accused only where the service and the stranger are both silent on it."""
    fault = OWN_FAULTS[name](there)
    assert not accused(gathered(there, fault, BASE, random.Random(seed)))
    both = stranger.broken(there, fault)
    found = accused(gathered(there, both, BASE, random.Random(seed)))
    assert not any(code.startswith("K8SNET-GW") for code in found)
    assert not found or silent_on(both, there.asked) & silent_on(both, stranger.one_of(there))


@settings(max_examples=60)
@given(there=clusters(rich=True), name=own_faults, seed=seeds, stranger=strangers)
def test_nor_does_it_hide_the_asked_services_own_fault_where_there_is_more_to_compare_with(
    there: Cluster, name: str, seed: int, stranger: Stranger
) -> None:
    assume(name != "has no rules on the gateway" or there.asked.cluster_ip is not None)
    fault = OWN_FAULTS[name](there)
    calm = gathered(there, fault, BASE, random.Random(seed))
    now = gathered(there, stranger.broken(there, fault), BASE, random.Random(seed))
    assert (first(now), diagnose(now).verdict) == (first(calm), diagnose(calm).verdict)
    assert (first(calm) == "") == (name == "works")


def accused(evidence: Evidence) -> list[str]:
    """Codes that blame what others share with the asked service."""
    return [code for code in codes(evidence) if code.startswith(("K8SNET-GW", "K8SNET-NODE"))]


def silent_on(fault: Fault, service: Service) -> set[str | None]:
    return {one.node for one in service.endpoints if fault.pods.get(one.address) == "timeout"}


# --- faults of the gateway and of nodes ----------------------------------------------------------------------------

Way = Callable[[str, str], Any]


def _when(outcome: str, applies: Callable[[str, bool], bool]) -> Callable[[str, str], Way]:
    """By kind of address, and whether the connection ends on the gateway."""
    return lambda gateway, _: lambda kind, node: outcome if applies(kind, node == gateway) else "data"


GATEWAY_FAULTS: dict[str, Callable[[str, str], Way]] = {
    "K8SNET-GW-04": _when("timeout", lambda kind, near: True),
    "K8SNET-GW-05": _when("timeout", lambda kind, near: kind == "pod"),
    "K8SNET-GW-06": _when("timeout", lambda kind, near: kind == "service"),
    "K8SNET-GW-08": _when("timeout", lambda kind, near: kind == "service" and not near),
    "K8SNET-GW-09": _when("handshake-only", lambda kind, near: kind == "pod" and not near),
    "K8SNET-GW-10": _when("timeout", lambda kind, near: kind == "pod" and not near),
    "K8SNET-GW-11": _when("timeout", lambda kind, near: not near),
    "K8SNET-NODE-02": lambda _, broken: lambda kind, node: "timeout" if node == broken else "data",
}
"""By the gateway's name and another node's."""


@settings(max_examples=60)
@given(there=clusters(rich=True), code=st.sampled_from(sorted(GATEWAY_FAULTS)), seed=seeds, stranger=strangers)
def test_what_is_broken_for_all_is_still_named_also_beside_a_broken_stranger(
    there: Cluster, code: str, seed: int, stranger: Stranger
) -> None:
    away = [one.node for one in there.asked.endpoints if one.node not in (None, there.gateway)]
    assume(away)
    fault = Fault(way=GATEWAY_FAULTS[code](there.gateway, str(away[0])))
    calm = gathered(there, fault, BASE, random.Random(seed))
    assume(any(map(unanswered, calm.connections)))
    assert first(calm) == code
    beside = gathered(there, stranger.broken(there, fault), BASE, random.Random(seed))
    assert first(beside) in (code, "K8SNET-ASK-08"), "the stranger may have been one of two witnesses"
