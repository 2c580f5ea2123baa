"""Who may carry the routes: every hard requirement, and an order that never depends on chance."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.candidates import NodeHealth, candidates, resolve
from bot.model.errors import UserError
from bot.model.facts import ClusterFacts, Node
from tests.office import cluster_facts


def node(number: int, **more: object) -> Node:
    usual = {"internal_ip": IPv4Address(f"172.16.1.{number}"), "ready": True, "schedulable": True}
    return Node.model_validate({"name": f"k8s-qa-node-{number:02}", **usual, **more})


def facts(*nodes: Node) -> ClusterFacts:
    return cluster_facts().model_copy(update={"nodes": nodes})


GATEWAY = node(2)


@pytest.mark.parametrize(
    ("other", "health", "reason"),
    [
        (node(3, ready=False), NodeHealth(), "it is not Ready"),
        (node(3, internal_ip=None), NodeHealth(), "it has no InternalIP"),
        (node(3, terminating=True), NodeHealth(), "it is being deleted"),
        (node(3, linux=False), NodeHealth(), "it does not run Linux"),
        (
            node(3, taints=("ToBeDeletedByClusterAutoscaler:NoSchedule",)),
            NodeHealth(),
            "it is about to go (ToBeDeletedByClusterAutoscaler:NoSchedule)",
        ),
        (node(3, taints=("gpu:NoExecute",)), NodeHealth(), "its pods are being evicted (gpu:NoExecute)"),
        (node(3), NodeHealth(lease_fresh=False), "its lease is not being renewed"),
        (node(3), NodeHealth(host_answers=False), "it does not answer"),
        (node(3), NodeHealth(proxy_healthy=False), "its kube-proxy says that it is not healthy"),
        (node(3), NodeHealth(on_link=False), "the firewall does not reach it directly on the routes' interface"),
        (node(3), NodeHealth(good_rounds=2), "it was good only 2 of 3 times in a row"),
    ],
)
def test_each_hard_requirement_alone_rules_a_node_out(other: Node, health: NodeHealth, reason: str) -> None:
    (found,) = candidates(facts(GATEWAY, other), GATEWAY.name, {other.name: health})
    assert found.against == (reason,)
    assert not found.eligible


def test_what_is_not_known_is_not_held_against_a_node() -> None:
    (found,) = candidates(facts(GATEWAY, node(3)), GATEWAY.name, {})
    assert found.eligible


def test_a_cordoned_node_is_taken_only_when_nothing_else_is_left() -> None:
    cordoned = node(3, schedulable=False)
    first, second = candidates(facts(GATEWAY, cordoned, node(9)), GATEWAY.name, {})
    assert (first.node, second.against) == ("k8s-qa-node-09", ("it is cordoned, and others are not",))
    (only,) = candidates(facts(GATEWAY, cordoned), GATEWAY.name, {})
    assert only.eligible
    assert "cordoned" in only.notes


def test_workers_come_before_the_control_plane_and_ties_go_to_the_lowest_address() -> None:
    nodes = facts(node(1, control_plane=True), GATEWAY, node(10), node(9))
    order = [found.node for found in candidates(nodes, GATEWAY.name, {})]
    assert order == ["k8s-qa-node-09", "k8s-qa-node-10", "k8s-qa-node-01"]


@given(st.permutations([1, 3, 4, 9, 10, 11]))
def test_the_order_does_not_depend_on_the_order_of_the_facts(numbers: list[int]) -> None:
    nodes = facts(GATEWAY, *(node(number, control_plane=number == 1) for number in numbers))
    ranked = candidates(nodes, GATEWAY.name, {})
    assert [one.node[-2:] for one in ranked] == ["03", "04", "09", "10", "11", "01"]
    assert GATEWAY.name not in {one.node for one in ranked}


def test_a_node_is_found_by_its_name_or_by_the_unique_end_of_it() -> None:
    known = facts(GATEWAY, node(3))
    assert resolve("node-03", known).name == resolve("k8s-qa-node-03", known).name == "k8s-qa-node-03"
    with pytest.raises(UserError, match=r"no node k8s-qa-nod-03.* Did you mean k8s-qa-node-03\?"):
        resolve("k8s-qa-nod-03", known)
