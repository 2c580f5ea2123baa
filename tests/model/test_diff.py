"""What stands between what should be and what is: every row of the table in bot/model/diff.py."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.desired import Placed
from bot.model.diff import diff, moves
from bot.model.plan import flows
from bot.model.resources import (
    RANK,
    Address,
    Ahead,
    Key,
    Policy,
    Position,
    Resource,
    content,
    fingerprint,
    marked,
    same_content,
)
from bot.model.steps import Step

NET, OTHER = IPv4Network("10.68.0.0/16"), IPv4Network("10.99.0.0/16")
WISH = Address(name="a", network=NET)
KEY = Key(kind="address", name="a")


def difference(wish: Address | None, there: Address | None, owned: bool = False):
    wanted = [Placed(target="fw", resource=wish)] if wish else []
    actual: dict[tuple[str, Key], Resource] = {("fw", KEY): there} if there else {}
    return diff(wanted, [("fw", KEY)] if owned else [], actual, "qa", "op2")


def ours(network: IPv4Network = NET, cluster: str = "qa") -> Resource:
    return marked(Address(name="a", network=network), cluster, "op1")


def test_what_is_missing_is_created_with_our_mark() -> None:
    (step,) = difference(WISH, None).steps
    assert step.verb == "create"
    assert step.after == marked(WISH, "qa", "op2")


def test_what_is_there_and_ours_needs_nothing() -> None:
    assert difference(WISH, ours(), owned=True) == difference(None, None)


def test_the_same_made_by_hand_is_used_and_left_alone() -> None:
    result = difference(WISH, WISH)
    assert not result.steps
    assert [found.key for found in result.found] == [KEY]


def test_ours_with_other_content_is_changed() -> None:
    (step,) = difference(WISH, ours(OTHER), owned=True).steps
    assert (step.verb, step.before) == ("change", ours(OTHER))


def test_somebody_elses_with_other_content_is_a_conflict() -> None:
    result = difference(WISH, Address(name="a", network=OTHER))
    assert not result.steps
    assert "belongs to somebody else" in result.conflicts[0].problem


def test_another_clusters_is_a_conflict_that_names_it() -> None:
    result = difference(WISH, ours(OTHER, cluster="prod"))
    assert "cluster prod" in result.conflicts[0].problem


def test_ours_but_edited_by_somebody_is_never_overwritten() -> None:
    edited = ours().model_copy(update={"network": OTHER})
    result = difference(WISH, edited, owned=True)
    assert not result.steps
    assert "somebody edited it" in result.conflicts[0].problem


def test_ours_and_no_longer_wanted_is_removed() -> None:
    (step,) = difference(None, ours(), owned=True).steps
    assert (step.verb, step.after) == ("remove", None)


def test_not_wanted_and_made_by_hand_is_left_alone() -> None:
    result = difference(None, WISH, owned=True)
    assert not result.steps
    assert not result.conflicts


addresses = st.builds(
    Address,
    name=st.sampled_from(["a", "b", "c", "d"]),
    network=st.sampled_from([NET, OTHER]),
)


@given(st.lists(addresses, unique_by=lambda a: a.name), st.lists(addresses, unique_by=lambda a: a.name))
def test_applying_the_steps_leaves_nothing_to_do(wanted: list[Address], held: list[Address]) -> None:
    places = {("fw", address.key): marked(address, "qa", "op1") for address in held}
    wishes = [Placed(target="fw", resource=address) for address in wanted]
    for step in diff(wishes, list(places), places, "qa", "op2").steps:
        assert places.get(("fw", step.key)) == step.before
        if step.after is None:
            del places["fw", step.key]
        else:
            places["fw", step.key] = step.after
    assert diff(wishes, list(places), places, "qa", "op3").steps == ()
    assert {content(resource) for resource in places.values()} == set(wanted)


@pytest.mark.parametrize("removing", [False, True])
def test_creation_follows_dependencies_and_removal_reverses_them(removing: bool) -> None:
    from bot.model.desired import desired
    from bot.model.intent import ClusterIntent, Exposure
    from tests.office import cluster_facts, site

    where = site()
    intent = ClusterIntent(exposures=(Exposure(namespace="default", office="hq"),))
    wanted = desired(intent, where.clusters[0], where, cluster_facts())
    held = {(p.target, p.resource.key): marked(p.resource, "qa", "op1") for p in wanted}
    steps = diff([], list(held), held, "qa", "op2").steps if removing else diff(wanted, [], {}, "qa", "op1").steps
    ranks = [RANK[step.key.kind] for step in steps]
    assert ranks == sorted(ranks, reverse=removing)
    assert len(steps) == len(wanted) == 10


def test_row_and_mark_are_not_content() -> None:
    assert same_content(ours(), WISH)


# --- policies in the wrong place

POLICY = Policy(
    name="p",
    source_interfaces=("internal",),
    destination_interfaces=("Test",),
    sources=("office",),
    destinations=("pods",),
    services=("ALL",),
)
DENIES = tuple(Ahead(row=row, name=f"deny-{row}", matches=f"{row:08x}") for row in (10, 20, 30))
BEHIND = Position(policy="p", row=1000, owner=None, behind=DENIES)


def reordered(there: Resource | None, cluster: str = "qa") -> tuple[Step, ...]:
    place = ("fw", POLICY.key)
    better = {place: (BEHIND, BEHIND.before(DENIES[1]))}
    return moves([Placed(target="fw", resource=POLICY)], {place: there} if there else {}, better, cluster)


def test_a_policy_of_ours_in_the_wrong_place_is_moved_and_nothing_else_is_done_to_it() -> None:
    [step] = reordered(marked(POLICY, "qa", "op1"))
    assert isinstance(step.after, Position)
    assert (step.before, step.after.behind) == (BEHIND, DENIES[:1])
    assert BEHIND.passed(step.after) == DENIES[1:]
    assert step.inverse().after == BEHIND


@pytest.mark.parametrize(
    "there",
    [
        None,
        POLICY,
        marked(POLICY, "prod", "op1"),
        marked(POLICY.model_copy(update={"source_interfaces": ("dmz",)}), "qa", "op1"),
        marked(POLICY, "qa", "op1").model_copy(update={"enabled": False}),
    ],
    ids=["missing", "made by hand", "another cluster's", "to be between other interfaces", "edited by somebody"],
)
def test_no_other_policy_is_moved(there: Resource | None) -> None:
    assert reordered(there) == ()


def test_a_policy_that_is_changed_is_moved_as_well() -> None:
    assert len(reordered(marked(POLICY.model_copy(update={"services": ("DNS",)}), "qa", "op1"))) == 1


def test_a_move_lets_through_what_the_policy_says() -> None:
    steps = reordered(marked(POLICY, "qa", "op1"))
    [flow] = flows(steps, {"pods": NET}, opening=True, there={"p": POLICY})
    assert (flow.source, flow.destination, flow.services) == ("office", "pods (10.68.0.0/16)", ("ALL",))
    assert flows(steps, {"pods": NET}, opening=False, there={"p": POLICY}) == ()


def test_where_a_policy_stands_is_compared_by_what_the_others_match() -> None:
    edited = DENIES[0].model_copy(update={"matches": "ffffffff"})
    assert not same_content(BEHIND, BEHIND.model_copy(update={"behind": (edited, *DENIES[1:])}))
    assert fingerprint(BEHIND) != fingerprint(BEHIND.before(DENIES[2]))
