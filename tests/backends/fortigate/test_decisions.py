"""The two tables of `decisions`, row by row."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from backends.fortigate.decisions import Answered, Obstacle, Seen, after_writing, before_writing
from backends.fortigate.mapping import Found
from bot.model.resources import Resource, Route, marked
from bot.model.steps import Step

BY_HAND = Route(destination=IPv4Network("10.68.0.0/16"), gateway=IPv4Address("172.16.1.7"), device="port3", row=7)
OTHER_WAY = BY_HAND.model_copy(update={"gateway": IPv4Address("172.16.1.9")})
OURS = marked(BY_HAND.model_copy(update={"row": 1000}), "qa", "op1")
LATER = marked(OTHER_WAY.model_copy(update={"row": 1000}), "qa", "op2")

CREATE = Step(target="fw", before=None, after=OURS)
CHANGE = Step(target="fw", before=OURS, after=LATER)
REMOVE = Step(target="fw", before=OURS, after=None)
ADOPT = Step(target="fw", before=BY_HAND, after=marked(BY_HAND, "qa", "op1"))
BROKEN = Obstacle("two rows")


def there(resource: Resource) -> Found:
    return Found(resource, 1000, "")


@pytest.mark.parametrize(
    ("step", "now", "outcome", "words"),
    [
        (CREATE, None, None, ""),
        (CREATE, there(OURS), "already", ""),
        (CREATE, there(BY_HAND), "already", "made by hand"),
        (CREATE, there(OTHER_WAY), "refused", "gateway is 172.16.1.9, not 172.16.1.7"),
        (CREATE, BROKEN, "refused", "two rows"),
        (Step(target="fw", before=None, after=BY_HAND), None, "refused", "no mark of ours"),
        (
            Step(target="fw", before=None, after=OURS.model_copy(update={"row": None})),
            None,
            "refused",
            "no row number",
        ),
        (CHANGE, there(OURS), None, ""),
        (CHANGE, there(LATER), "already", ""),
        (CHANGE, None, "refused", "is gone"),
        (CHANGE, there(BY_HAND), "refused", "made by hand"),
        (CHANGE, there(marked(BY_HAND, "prod", "op1")), "refused", "op1 for prod"),
        (CHANGE, there(OTHER_WAY), "refused", "gateway is 172.16.1.9, not 172.16.1.7"),
        (CHANGE, BROKEN, "refused", "two rows"),
        (REMOVE, there(OURS), None, ""),
        (REMOVE, None, "already", ""),
        (REMOVE, there(BY_HAND), "refused", "made by hand"),
        (REMOVE, there(LATER), "refused", "gateway"),
        (REMOVE, BROKEN, "refused", "two rows"),
        (ADOPT, there(BY_HAND), None, ""),
        (ADOPT.inverse(), there(ADOPT.after), None, ""),  # type: ignore[arg-type]
        (Step(target="fw", before=BY_HAND, after=None), there(BY_HAND), "refused", "only what carries its mark"),
        (Step(target="fw", before=BY_HAND, after=LATER), there(BY_HAND), "refused", "only what carries its mark"),
    ],
)
def test_before_writing(step: Step, now: Seen, outcome: str | None, words: str) -> None:
    decided = before_writing(step, now)
    assert (decided.kind if decided else None) == outcome
    assert words in (decided.detail if decided else "")


def test_a_row_number_that_was_taken_meanwhile_is_refused() -> None:
    decided = before_writing(CREATE, None, row_taken=True)
    assert decided is not None
    assert decided.kind == "refused"
    assert "row 1000" in decided.detail


@pytest.mark.parametrize(
    ("step", "answered", "now", "outcome"),
    [
        (CREATE, "yes", there(OURS), "applied"),
        (CREATE, "yes", there(BY_HAND), "unknown"),
        (CREATE, "yes", None, "unknown"),
        (CREATE, "yes", there(OTHER_WAY), "unknown"),
        (CREATE, "yes", BROKEN, "unknown"),
        (CREATE, "no", there(OURS), "applied"),
        (CREATE, "no", there(BY_HAND), "already"),
        (CREATE, "no", None, "refused"),
        (CREATE, "no", there(OTHER_WAY), "refused"),
        (CREATE, "no", BROKEN, "refused"),
        (CREATE, "nothing", there(OURS), "applied"),
        (CREATE, "nothing", there(BY_HAND), "unknown"),
        (CREATE, "nothing", None, "unknown"),
        (CREATE, "nothing", there(OTHER_WAY), "unknown"),
        (CREATE, "nothing", BROKEN, "unknown"),
        (CHANGE, "yes", there(LATER), "applied"),
        (CHANGE, "yes", there(OURS), "unknown"),
        (CHANGE, "no", there(LATER), "applied"),
        (CHANGE, "no", there(OTHER_WAY), "refused"),
        (CHANGE, "no", there(OURS), "refused"),
        (CHANGE, "nothing", there(OURS), "unknown"),
        (CHANGE, "nothing", None, "unknown"),
        (REMOVE, "yes", None, "applied"),
        (REMOVE, "yes", there(OURS), "unknown"),
        (REMOVE, "no", None, "already"),
        (REMOVE, "no", there(OURS), "refused"),
        (REMOVE, "nothing", None, "applied"),
        (REMOVE, "nothing", there(OURS), "unknown"),
    ],
)
def test_after_writing(step: Step, answered: Answered, now: Seen, outcome: str) -> None:
    assert after_writing(step, now, answered, "the device's words").kind == outcome
