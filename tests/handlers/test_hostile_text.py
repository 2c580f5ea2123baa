"""Whatever others write (reasons, names, devices' errors) cannot call a channel, hide, or break a message."""

import asyncio
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.choosing import Choice
from bot.engine.overview import Overview
from bot.model.commands import Check, Expose
from bot.model.diagnosis import Finding, Part, Report
from bot.model.incident import Incident
from bot.model.journal import Asked, Finished, Record, TurnedBack
from bot.model.operation import Operation
from bot.model.people import Permission
from handlers.parse import MAX_LENGTH
from handlers.views import answers, form, history
from handlers.views.audit import audit_line
from handlers.views.blocks import escape, sendable
from handlers.views.home import Waiting, home_view, refused_view
from handlers.views.incident import incident_view
from handlers.views.operation import operation_view, plan_file, unseen_view
from lab.slack.blocks import message_problems, view_problems
from tests.handlers.stories import INCIDENT_STATES, change_story, incident_story
from tests.office import DANA

NASTY = [
    "<!channel>",
    "<!here>",
    "<@U0OMAR0001>",
    "<https://evil.example|kubectl>",
    "&lt;!channel&gt;",
    "&amp;",
    "``` out of the box",
    "\u202egnp.exe",
    "a\u200bb\u2066c\ufeff",
    "\U000e0041\U000e0042",
    "x" * 4000,
    "\x00\x1b[31m",
    "@channel #general",
    "\n\n",
]
hostile = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=20)), max_size=6).map("".join)
OURS = re.compile(r"<@[UW]\w+>|<#C\w+>|<!date\^\d+\^[^|>]*\|[^<>]*>|<!subteam\^S\w+>")
UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)


def strings(node: Any, kind: str = "") -> Iterator[tuple[str, str]]:
    """Every text that is shown, with the type of its text object."""
    match node:
        case {"type": str() as own, "text": str() as text}:
            yield own, text
        case dict():
            for value in node.values():
                yield from strings(value, kind)
        case list():
            for value in node:
                yield from strings(value, kind)


def harmless(text: str, blocks: list[dict[str, Any]], surface: str = "message") -> None:
    for kind, shown in [("mrkdwn", text), *strings(blocks)]:
        assert not UNSEEN.search(shown), (kind, shown)
        if kind == "mrkdwn":
            rest = OURS.sub("", shown)
            assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", rest), rest
    if surface == "message":
        assert len(text) <= 4000
        assert message_problems(blocks) == []
    else:
        assert [problem for block in blocks for problem in view_problems(block)] == []


@cache
def operations() -> tuple[Operation, ...]:
    async def told() -> tuple[Operation, ...]:
        return tuple([await change_story(name) for name in ("awaiting", "rolled-back", "cancelled")])

    return asyncio.run(told())


def spoilt(operation: Operation, text: str) -> Operation:
    """The same operation as it would be if everything that others may write were this text."""
    command = operation.request.command.model_copy(update={"reason": text, "namespace": text})
    request = operation.request.model_copy(update={"command": command})
    records = [
        record.model_copy(update={"entry": record.entry.model_copy(update={"reason": text})})
        if isinstance(record.entry, Finished | TurnedBack)
        else record
        for record in operation.records
    ]
    plan = operation.plan
    assert plan is not None
    plan = plan.model_copy(update={"command": command, "warnings": (text, text)})
    return operation.model_copy(update={"request": request, "records": tuple(records), "plan": plan})


@given(text=hostile)
def test_a_change_cannot_be_told_wrongly(text: str) -> None:
    for operation in operations():
        bad = spoilt(operation, text)
        harmless(*operation_view(bad))
        harmless(*operation_view(bad, text))
        harmless(*sendable(*unseen_view(bad)))
        assert bad.plan is not None
        assert not UNSEEN.search(plan_file(bad.plan)[1])
        harmless(*sendable(*history.history_view([bad] * 30, text)))
        world = {bad.id: bad}
        for record in bad.records:
            line = audit_line(record, world)
            assert not UNSEEN.search(line)
            assert not re.search(r"[<>]", OURS.sub("", line))


@given(text=hostile)
def test_an_answer_cannot_be_told_wrongly(text: str) -> None:
    harmless(*sendable(*answers.sentence_view(text)))
    harmless(*sendable(*answers.checking_view(Check(name=text))))
    harmless(*sendable(*answers.cut_short_view(Check(name=text[:MAX_LENGTH]))))
    asked = Asked(actor=DANA, command=Expose(namespace=text, reason=text), channel="C1", answer=text, allowed=False)
    record = Record(seq=1, at="2026-03-02T09:00:00Z", entry=asked, previous="0" * 64, hash="0" * 64)
    assert not re.search(r"[<>]", audit_line(record, {}))


@given(text=hostile)
def test_a_check_cannot_be_told_wrongly(text: str) -> None:
    finding = Finding(
        code="K8SNET-DNS-01",
        hop="office DNS",
        verdict="failed",
        explanation=text,
        evidence=(text, text),
        remedy=text,
        fix="expose",
    )
    report = Report(
        name=text,
        cluster=text[:15],  # the settings allow no more, Kubernetes 63, a command 1000
        namespace=text[:63],
        verdict="failed",
        summary=text,
        hops=(("office DNS", "failed"),),
        findings=(finding,) * 20,
        proof=(text,) * 20,
        notes=(text,) * 3,
        parts=(Part(name=text, verdict="failed", code="K8SNET-DNS-01", sentence=text),) * 60,
        vantage=text,
    )
    command = Check(name=text[:1000])
    harmless(*sendable(*answers.report_view(report, command)))
    harmless(*sendable(*answers.report_view(report, command, whole=True)))
    assert not UNSEEN.search(answers.details_file(report)[1])
    if (details := answers.details_view(report)) is not None:
        harmless(*sendable(*details))


@cache
def incidents() -> tuple[Incident, ...]:
    async def told() -> tuple[Incident, ...]:
        return tuple([await incident_story(name) for name in INCIDENT_STATES])

    return asyncio.run(told())


def spoilt_incident(incident: Incident, text: str) -> Incident:
    """The same incident as if nodes, devices and the API had said this; names of nodes have 253 letters at most."""
    picture = incident.picture
    candidates = tuple(
        one.model_copy(update={"node": text[:253] or "x", "against": (), "notes": (text,)})
        for one in picture.candidates
    )
    said = {"gateway": text, "evidence": (text,) * 9, "self_check": text, "problem": text, "warnings": (text,)}
    spoilt = picture.model_copy(update={**said, "candidates": candidates, "findings": (text,), "recently": text})
    return incident.model_copy(update={"picture": spoilt})


@given(text=hostile)
def test_an_incident_cannot_be_told_wrongly(text: str) -> None:
    for incident in incidents():
        harmless(*incident_view(spoilt_incident(incident, text)))


@given(text=hostile)
def test_a_form_cannot_be_told_wrongly(text: str) -> None:
    harmless("", [form.refusal(text)], "view")
    choice = Choice(cluster="qa", namespaces=(), exposed=frozenset(), problem=text)
    harmless("", [form.filled([choice], ["hq"], "C0NETOPS01")], "view")


@given(text=hostile)
def test_a_home_tab_cannot_be_told_wrongly(text: str) -> None:
    picture = Overview(clusters=(), exposures=(), under_way=(), records=0, head="")
    bad = [spoilt(operation, text) for operation in operations()]
    waiting = [Waiting(operation=bad[0], why_not=text), Waiting(operation=bad[0], why_not="")]
    view = home_view(("developer",), frozenset(Permission), waiting, picture, bad, escape(text))
    harmless("", [view], "view")
    harmless("", [refused_view(text)], "view")
