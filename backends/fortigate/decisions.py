"""What may be written, and how a write ended: decided from what was read, never from what the device promised. Pure.

Before a write (`before_writing`), `now` being what is there:

| wish | now | decision |
|---|---|---|
| create | nothing, row number free | go |
| create | nothing, row number taken | refused |
| create | the wished content, whoever made it | already |
| change, remove | equals `before` in content and mark | go |
| change | equals `after` in content and mark | already |
| remove | nothing | already |
| remove, change of content | `before` without our mark | refused: foreign |
| position | `before`, of a policy with our mark | go |
| any | anything else | refused |

After a write (`after_writing`), in the order of the columns:

| the device said | now is `after`, with its mark | same content, other mark | now is `before` | anything else |
|---|---|---|---|---|
| yes | applied | unknown | unknown: it may still appear | unknown |
| no | applied: the mark proves it | already (create), else refused | refused | refused |
| no, and the row is gone (remove), or the policy stands there (position) | already | | | |
| nothing | applied | unknown | unknown: it may still happen | unknown |
"""

from dataclasses import dataclass
from typing import Literal

from backends.fortigate.mapping import Found
from bot.engine.targets import Outcome
from bot.model.resources import Mark, Policy, Position, Resource, Route, content, same_content
from bot.model.steps import Step
from bot.model.wording import clauses, listed, tr
from bot.model.words import key_line

Answered = Literal["yes", "no", "nothing"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something stands under this key that our model cannot express: several rows, or a row that does more."""

    problem: str


Seen = Found | Obstacle | None


def before_writing(step: Step, now: Seen, row_taken: bool = False) -> Outcome | None:
    """The outcome when nothing must be written, or None to go ahead."""
    if isinstance(now, Obstacle):
        return refused(now.problem)
    if _reached(step, now):
        return Outcome(kind="already")
    if step.before is None:
        return _before_create(step, now, row_taken)
    if now is None:
        return refused(tr("{key} is gone", key=key_line(step.key)))
    if isinstance(now.resource, Position) and isinstance(step.before, Position):
        return _before_move(now.resource, step.before)
    if not same_content(now.resource, step.before):
        return refused(
            tr(
                "{key} was changed since the plan was made: {difference}",
                key=key_line(step.key),
                difference=_difference(step.before, now.resource),
            )
        )
    if now.resource.mark != step.before.mark:
        return refused(
            tr(
                "{key} is {owner}, and the plan saw it {expected}",
                key=key_line(step.key),
                owner=_owner(now.resource.mark),
                expected=_owner(step.before.mark),
            )
        )
    if step.before.mark is None and not _adopts(step):
        return refused(
            tr("{key} was made by hand: k8snet changes and removes only what carries its mark", key=key_line(step.key))
        )
    return None


def _before_create(step: Step, now: Found | None, row_taken: bool) -> Outcome | None:
    assert step.after is not None  # a step without before has an after
    if now is not None:
        if same_content(now.resource, step.after):
            return Outcome(
                kind="already",
                detail=tr(
                    "an identical {key} is there, {owner}", key=key_line(step.key), owner=_owner(now.resource.mark)
                ),
            )
        return refused(
            tr(
                "another {key} is there: {difference}",
                key=key_line(step.key),
                difference=_difference(step.after, now.resource),
            )
        )
    if step.after.mark is None:
        return refused(tr("{key} has no mark of ours, and nothing is made without one", key=key_line(step.key)))
    if isinstance(step.after, Route | Policy):
        if step.after.row is None:
            return refused(tr("{key} has no row number", key=key_line(step.key)))
        if row_taken:
            return refused(
                tr("row {row} for {key} was taken since the plan was made", row=step.after.row, key=key_line(step.key))
            )
    return None


def _before_move(now: Position, planned: Position) -> Outcome | None:
    """Only from where the plan saw it: a move past anything else would overrule what nobody has said yes to."""
    name = key_line(planned.key)
    if now.owner is None:
        return refused(tr("{key} was made by hand: k8snet changes and removes only what carries its mark", key=name))
    if now.row != planned.row or planned.owner is None or now.owner.cluster != planned.owner.cluster:
        return refused(tr("{key}: another policy has that name since the plan was made", key=name))
    if _behind(now) != _behind(planned):
        return refused(
            tr(
                "{key} was changed since the plan was made: it stands behind {now}, and stood behind {then}",
                key=name,
                now=_behind(now),
                then=_behind(planned),
            )
        )
    if now.behind != planned.behind:
        return refused(
            tr(
                "{key}: what it stands behind was edited since the plan was made ({now})",
                key=name,
                now=_behind(now),
            )
        )
    return None


def _behind(position: Position) -> str:
    return listed(map(str, position.behind)) or tr("nothing")


def after_writing(step: Step, now: Seen, answered: Answered, detail: str) -> Outcome:
    """How the write ended; `detail` is what the device or the network said."""
    if not isinstance(now, Obstacle) and _reached(step, now):
        unproven = step.after is None or isinstance(step.after, Position)  # it bears no mark that tells who it was
        return Outcome(kind="already" if answered == "no" and unproven else "applied", detail=detail)
    same = isinstance(now, Found) and step.after is not None and same_content(now.resource, step.after)
    if answered == "no":
        if same and step.before is None:
            return Outcome(kind="already", detail=detail)
        return refused(detail)
    said = detail or tr("the firewall said yes")
    return Outcome(kind="unknown", detail=clauses([said, _standing(step, now)]))


def reached(step: Step, now: Seen) -> bool:
    """Whether the wish is fulfilled, our mark included."""
    return not isinstance(now, Obstacle) and _reached(step, now)


def refused(detail: str) -> Outcome:
    return Outcome(kind="refused", detail=detail)


def _reached(step: Step, now: Found | None) -> bool:
    if now is None or step.after is None:
        return now is None and step.after is None
    return same_content(now.resource, step.after) and now.resource.mark == step.after.mark


def _adopts(step: Step) -> bool:
    """Puts a mark on what is there and changes nothing else."""
    return step.before is not None and step.after is not None and same_content(step.before, step.after)


def _standing(step: Step, now: Seen) -> str:
    match now:
        case Obstacle():
            return tr("now {problem}", problem=now.problem)
        case None if step.before is None:
            return tr("{key} is not to be seen", key=key_line(step.key))
        case None:
            return tr("{key} is gone", key=key_line(step.key))
        case Found():
            if step.before is not None and same_content(now.resource, step.before):
                return tr("{key} is as it was", key=key_line(step.key))
            return tr("{key} is neither as it was nor as wished", key=key_line(step.key))


def _owner(mark: Mark | None) -> str:
    return (
        tr("made by hand")
        if mark is None
        else tr("made by operation {operation} for {cluster}", operation=mark.operation, cluster=mark.cluster)
    )


def _difference(wanted: Resource, there: Resource) -> str:
    want, have = content(wanted).model_dump(mode="json"), content(there).model_dump(mode="json")
    return ", ".join(
        tr("{field} is {actual}, not {value}", field=field, actual=_shown(have.get(field)), value=_shown(value))
        for field, value in want.items()
        if value != have.get(field)
    )


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
