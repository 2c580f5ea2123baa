"""What stands between what should be and what is.

| wanted | there          | ours | result                                          |
|--------|----------------|------|-------------------------------------------------|
| yes    | nothing        | –    | create                                          |
| yes    | the same       | yes  | nothing to do                                   |
| yes    | the same       | no   | nothing to do: found, made by hand              |
| yes    | something else | yes  | change, unless somebody edited it: conflict     |
| yes    | something else | no   | conflict                                        |
| no     | something      | yes  | remove, unless somebody edited it: conflict     |
| no     | something      | no   | left alone                                      |
"""

from collections.abc import Iterable, Mapping, Sequence

from bot.model.desired import Placed
from bot.model.resources import (
    RANK,
    Ahead,
    Key,
    Policy,
    Position,
    Resource,
    TargetId,
    fingerprint,
    marked,
    same_content,
)
from bot.model.steps import Step
from bot.model.value import Value
from bot.model.wording import tr

Place = tuple[TargetId, Key]


class Found(Value):
    """Wanted and there already, made by hand: used and left alone."""

    target: TargetId
    key: Key


class Conflict(Value):
    """Something of the same key that we may not touch. `problem` says what and what to do."""

    target: TargetId
    key: Key
    problem: str


class Difference(Value):
    """Steps are in the order they must be taken."""

    steps: tuple[Step, ...]
    found: tuple[Found, ...]
    conflicts: tuple[Conflict, ...]


def diff(
    wanted: Sequence[Placed], owned: Iterable[Place], actual: Mapping[Place, Resource], cluster: str, operation: str
) -> Difference:
    """`actual` holds what exists under the keys of `wanted` and `owned`, marks included."""
    steps: list[Step] = []
    found: list[Found] = []
    conflicts: list[Conflict] = []
    by_place: dict[Place, Resource | None] = dict.fromkeys(owned)
    by_place.update({(placed.target, placed.resource.key): placed.resource for placed in wanted})
    for (target, key), wish in by_place.items():
        there = actual.get((target, key))
        if wish is None and (there is None or not _ours(there, cluster)):
            continue
        if wish is not None and there is not None and same_content(wish, there):
            if not _ours(there, cluster):
                found.append(Found(target=target, key=key))
            continue
        if there is not None and (problem := _untouchable(there, wish, cluster)):
            conflicts.append(Conflict(target=target, key=key, problem=problem))
            continue
        after = None if wish is None else marked(_keeping_row(wish, there), cluster, operation)
        steps.append(Step(target=target, before=there, after=after))
    return Difference(steps=in_order(steps), found=tuple(found), conflicts=tuple(conflicts))


def moves(
    wanted: Sequence[Placed],
    actual: Mapping[Place, Resource],
    better: Mapping[Place, tuple[Position, Position]],
    cluster: str,
) -> tuple[Step, ...]:
    """Steps that put policies back to where they take effect. `better` has the position of a policy beside the one that
    it would need. Only policies that we may change and that stay between the same interfaces are moved; others are a
    person's to move, or stand elsewhere among those that count once they are changed."""
    steps = []
    for placed in wanted:
        place, wish = (placed.target, placed.resource.key), placed.resource
        there = actual.get(place)
        if place not in better or not isinstance(there, Policy) or not isinstance(wish, Policy):
            continue
        if _ours(there, cluster) and _stays(wish, there) and not _conflicts(wish, there, cluster):
            before, after = better[place]
            steps.append(Step(target=placed.target, before=before, after=after))
    return tuple(steps)


def _stays(wish: Policy, there: Policy) -> bool:
    """Whether it remains between the same interfaces."""
    same = wish.source_interfaces == there.source_interfaces
    return same and wish.destination_interfaces == there.destination_interfaces


def _conflicts(wish: Policy, there: Policy, cluster: str) -> bool:
    return not same_content(wish, there) and _untouchable(there, wish, cluster) is not None


def passed(step: Step) -> tuple[Ahead, ...]:
    """The policies that a step moves one of ours before; none for other steps."""
    if isinstance(step.before, Position) and isinstance(step.after, Position):
        return step.before.passed(step.after)
    return ()


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """As they must be taken: create and change from addresses up to DNS; then remove from DNS down to addresses."""
    return tuple(sorted(steps, key=_order))


def _ours(resource: Resource, cluster: str) -> bool:
    return resource.mark is not None and resource.mark.cluster == cluster


def _untouchable(there: Resource, wish: Resource | None, cluster: str) -> str | None:
    if not _ours(there, cluster):
        owner = tr("cluster {cluster}", cluster=there.mark.cluster) if there.mark else tr("somebody else")
        return tr(
            "exists with other content and belongs to {owner}; rename or remove it, or change app.yaml", owner=owner
        )
    assert there.mark is not None
    if there.mark.fingerprint != fingerprint(there):
        if wish is not None:
            return tr("k8snet made it, but somebody edited it since; put it back or remove it by hand, then try again")
        return tr("k8snet made it, but somebody edited it since; remove it by hand, then try again")
    return None


def _keeping_row(wish: Resource, there: Resource | None) -> Resource:
    row = getattr(there, "row", None)
    return wish if row is None else wish.model_copy(update={"row": row})


def _order(step: Step) -> tuple[int, int, str, str]:
    rank = RANK[step.key.kind]
    removing = step.after is None
    return int(removing), -rank if removing else rank, step.target, step.key.name
