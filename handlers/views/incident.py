"""The one living message of an incident, and what is said below it. Everything that a yes needs stands in it."""

from collections.abc import Iterator
from datetime import datetime

from bot.model.incident import Incident
from bot.model.journal import (
    Attempted,
    Confirmed,
    Escalated,
    Finished,
    Opened,
    Record,
    Revised,
    Snoozed,
    TurnedBack,
    Verified,
    Withdrawn,
)
from bot.model.picture import Picture
from handlers.views.blocks import Block, actions, button, context, escape, mention, notify, preformatted, section
from handlers.views.lines import candidate_line, step_line

View = tuple[str, list[Block]]
BUTTONS = 3
HEADLINES = {
    "down": ":rotating_light: *The gateway of {cluster} is down: {gateway}*",
    "degraded": ":warning: *No data passes as it should through the gateway of {cluster}: {gateway}*",
    "notice": ":construction: *The gateway of {cluster} needs a look: {gateway}*",
}


def incident_view(incident: Incident) -> View:
    """Fallback text that says everything a decision needs, and the blocks."""
    picture = incident.picture
    text = [_headline(picture), _state(incident), *_called(incident), *_body(incident)]
    return escape("\n".join(line for line in text if line).replace("*", ""))[:3900], list(_blocks(incident))


def said_below(record: Record, incident: Incident) -> str | None:
    """What a record says in the thread, because an edited message notifies nobody; None: nothing."""
    match record.entry:
        case Revised(mention=called) if called:
            return f"{notify(called)} it got worse. {_headline(incident.picture)}"
        case Escalated(mention=called, level=level):
            return f"{notify(called)} nobody has answered yet (call {level}). Please look at the message above."
        case Snoozed(actor=actor, planned=True):
            return f"{mention(actor)} says that it is planned; nobody is called any more."
        case Snoozed(actor=actor, until=until):
            return f"{mention(actor)} snoozed this until {_clock(until)}."
        case Withdrawn(reason=reason):
            return f"Over: {escape(reason)}"
        case Finished(result="done"):
            return "\n".join(["Moved and proven.", *timeline(incident)])
        case Finished(reason=reason):
            return f"Not moved: {escape(reason)}. The buttons above are new."
    return None


def timeline(incident: Incident) -> list[str]:
    """Detected, asked, clicked, moved, proven; with seconds since it began."""
    began = incident.picture.began
    lines = [f"{_clock(began)}  it began"]
    for record in incident.records:
        if what := _milestone(record):
            lines.append(f"{_clock(record.at)}  {what} (+{(record.at - began).total_seconds():.1f} s)")
    return lines


def _milestone(record: Record) -> str:
    match record.entry:
        case Opened():
            return "detected and asked"
        case Escalated(level=level):
            return f"asked again ({level})"
        case Snoozed(planned=planned):
            return "said to be planned" if planned else "snoozed"
        case Confirmed(actor=actor):
            return f"clicked by {mention(actor)}"
        case Attempted(direction="forward", results=results):
            return "moved" if all(one.ending in ("wrote", "was-so") for one in results) else "not written"
        case Verified():
            return "proven" if record.entry.passed else "not proven"
        case TurnedBack():
            return "going back"
        case Finished(result=result):
            return {"done": "done", "rolled-back": "moved back"}.get(result, result)
        case Withdrawn():
            return "over by itself"
    return ""


def _headline(picture: Picture) -> str:
    address = f" ({picture.address})" if picture.address else ""
    return HEADLINES[picture.severity].format(
        cluster=escape(picture.cluster), gateway=escape(picture.gateway) + address
    )


def _state(incident: Incident) -> str:
    match incident.state:
        case "withdrawn":
            return f":white_check_mark: Over: {_why_over(incident)}"
        case "resolved":
            return ":white_check_mark: Moved and proven."
        case "answered":
            return f":gear: Being moved by change {incident.operation}."
    if incident.planned:
        return "Planned, says somebody; nobody is called any more."
    if incident.silenced_until is not None:
        return f"Snoozed until {_clock(incident.silenced_until)}."
    return "Waits for an answer. Nothing is moved without one; if it recovers, this ends by itself."


def _why_over(incident: Incident) -> str:
    entries = (record.entry for record in reversed(incident.records))
    return next((entry.reason for entry in entries if isinstance(entry, Withdrawn)), "")


def _called(incident: Incident) -> list[str]:
    called = incident.opened.mention
    return [notify(called)] if called else []


def _body(incident: Incident) -> Iterator[str]:
    """Every line that a decision needs, plain."""
    picture = incident.picture
    yield "Evidence:"
    yield from (f"  {line}" for line in picture.evidence)
    yield from (f"  {line}" for line in picture.findings)
    yield f"  self-check: {picture.self_check}"
    if picture.recently:
        yield f"  last move: {picture.recently}"
    yield "Candidates:"
    yield from (f"  {candidate_line(one)}" for one in picture.candidates)
    if not picture.eligible:
        yield "  none can carry the routes now: this needs a person at the cluster"
    if picture.steps:
        yield f"Moving to {picture.eligible[0]} changes exactly this, on {', '.join(_targets(picture))}:"
        yield from (f"  {step_line(step)}" for step in picture.steps)
    if picture.problem:
        yield f"What a move would change cannot be told now: {picture.problem}"
    yield from (f"! {warning}" for warning in picture.warnings)
    yield "Not changed: names, DNS servers, policies, other clusters."
    yield "Proven with data through the new gateway, or moved back."


def _targets(picture: Picture) -> list[str]:
    return sorted({step.target for step in picture.steps})


def _blocks(incident: Incident) -> Iterator[Block]:
    called = " ".join(_called(incident))
    yield section("\n".join(filter(None, (_headline(incident.picture), escape(_state(incident)), called))))
    if incident.lasting:
        yield from preformatted(list(_body(incident)))
    yield context("\n".join(timeline(incident)))
    yield context(f"incident {incident.id}, version {incident.version}")
    if incident.state == "open":
        yield _buttons(incident)


def _buttons(incident: Incident) -> Block:
    value = f"{incident.id}.{incident.version}"
    steps = f"{len(incident.picture.steps)} route{'s' * (len(incident.picture.steps) != 1)}"
    moves = [
        button(
            f"Fail over to {node}"[:75],
            f"failover-{number}",
            f"{value}.{node}",
            "primary" if number == 0 else None,
            ("Move the routes?", f"{steps} will point at {node}; open connections to service addresses are reset."),
        )
        for number, node in enumerate(incident.picture.eligible[:BUTTONS])
    ]
    return actions(*moves, button("Snooze", "snooze", value), button("It's planned", "planned", value))


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
