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
from bot.model.people import ITSELF
from bot.model.picture import Picture
from bot.model.wording import listed, marked, tr, tr_n
from bot.model.words import word
from handlers.lines.overview import candidate_line
from handlers.lines.plan import step_lines
from handlers.text import clip_lines
from handlers.views.blocks import (
    Block,
    actions,
    button,
    context,
    escape,
    mention,
    notify,
    preformatted,
    section,
    sendable,
)

View = tuple[str, list[Block]]
BUTTONS = 3
STEPS_LIMIT = 6000  # characters
HEADLINES = {
    "down": marked(":rotating_light: *The gateway of {cluster} is down: {gateway}*"),
    "degraded": marked(":warning: *No data passes as it should through the gateway of {cluster}: {gateway}*"),
    "notice": marked(":construction: *The gateway of {cluster} needs a look: {gateway}*"),
}
OVER = {  # nobody shall take it for one that waits
    "down": marked(":white_check_mark: *The gateway of {cluster} was down: {gateway}*"),
    "degraded": marked(":white_check_mark: *No data passed as it should through the gateway of {cluster}: {gateway}*"),
    "notice": marked(":white_check_mark: *The gateway of {cluster} needed a look: {gateway}*"),
}


def incident_view(incident: Incident) -> View:
    """Fallback text that says everything a decision needs, and the blocks."""
    said = [_headline(incident).replace("*", ""), escape(_state(incident)), *_called(incident)]
    rest = map(escape, _body(incident)) if incident.lasting else timeline(incident)
    return sendable("\n".join([*said, *rest]), list(_blocks(incident)))


def said_below(record: Record, incident: Incident) -> str | None:
    """What a record says in the thread, because an edited message notifies nobody; None: nothing."""
    match record.entry:
        case Revised(mention=called) if called:
            return tr("{called} it got worse. {headline}", called=notify(called), headline=_headline(incident))
        case Escalated(mention=called, level=level):
            return tr(
                "{called} nobody has answered yet (call {level}). Please look at the message above.",
                called=notify(called),
                level=level,
            )
        case Snoozed(actor=actor, planned=True):
            return tr("{person} says that it is planned; nobody is called any more.", person=mention(actor))
        case Snoozed(actor=actor, until=until):
            return tr("{person} snoozed this until {time}.", person=mention(actor), time=_clock(until))
        case Withdrawn(reason=reason):
            return "\n".join([tr("Over: {reason}", reason=escape(reason)), *timeline(incident)])
        case Finished(result="done"):
            return "\n".join([tr("Moved and proven."), *timeline(incident)])
        case Finished(reason=reason):
            said = tr("Not moved: {reason}. The buttons above are new.", reason=escape(reason))
            return "\n".join([said, *timeline(incident)])
    return None


def timeline(incident: Incident) -> list[str]:
    """Detected, asked, clicked, moved, proven; with seconds since it began."""
    began = incident.picture.began
    stations = [(record.at, what) for record in incident.records if (what := _milestone(record))]
    if incident.told_at is not None:
        stations.insert(1, (incident.told_at, tr("asked")))
    lines = [tr("{time}  it began", time=_clock(began))]
    for at, what in sorted(stations, key=lambda station: station[0]):
        lines.append(f"{_clock(at)}  {what} (+{(at - began).total_seconds():.1f} s)")
    return [*lines, *_from_yes_to_proof(incident)]


def _from_yes_to_proof(incident: Incident) -> Iterator[str]:
    """How long the last yes took to become true."""
    yes = [record.at for record in incident.records if isinstance(record.entry, Confirmed)]
    proven = [record.at for record in incident.records if isinstance(record.entry, Verified) and record.entry.passed]
    if yes and proven and proven[-1] >= yes[-1]:
        yield tr("{seconds:.1f} s from yes to proof", seconds=(proven[-1] - yes[-1]).total_seconds())


def _milestone(record: Record) -> str:
    match record.entry:
        case Opened():
            return tr("detected")
        case Escalated(level=level):
            return tr("asked again ({level})", level=level)
        case Snoozed(planned=planned):
            return tr("said to be planned") if planned else tr("snoozed")
        case Confirmed(actor=actor) if actor == ITSELF:
            return tr("nobody was asked: it moves by itself")
        case Confirmed(actor=actor):
            return tr("clicked by {person}", person=mention(actor))
        case Attempted(direction="forward", results=results):
            return tr("moved") if all(one.ending in ("wrote", "was-so") for one in results) else tr("not written")
        case Verified():
            return tr("proven") if record.entry.passed else tr("not proven")
        case TurnedBack():
            return tr("going back")
        case Finished(result=result):
            return tr("moved back") if result == "rolled-back" else word(result)
        case Withdrawn():
            return tr("over by itself")
    return ""


def _headline(incident: Incident) -> str:
    picture = incident.picture
    address = f" ({picture.address})" if picture.address else ""
    return tr(
        (HEADLINES if incident.lasting else OVER)[picture.severity],
        cluster=escape(picture.cluster),
        gateway=escape(picture.gateway) + address,
    )


def _state(incident: Incident) -> str:
    match incident.state:
        case "withdrawn":
            return tr("Over: {reason}", reason=_why_over(incident))
        case "resolved" if _by_itself(incident):
            return tr("Moved and proven. Nobody was asked: `auto` is on.")
        case "resolved":
            return tr("Moved and proven.")
        case "answered":
            return tr(":gear: Being moved by change {operation}.", operation=incident.operation)
    if incident.planned:
        return tr("Planned, says somebody; nobody is called any more.")
    if incident.silenced_until is not None:
        return tr("Snoozed until {time}.", time=_clock(incident.silenced_until))
    return tr("Waits for an answer. If it recovers, this ends by itself.")


def _by_itself(incident: Incident) -> bool:
    """Whether the move that ended it was the bot's own."""
    yes = [record.entry.actor for record in incident.records if isinstance(record.entry, Confirmed)]
    return bool(yes) and yes[-1] == ITSELF


def _why_over(incident: Incident) -> str:
    entries = (record.entry for record in reversed(incident.records))
    return next((entry.reason for entry in entries if isinstance(entry, Withdrawn)), "")


def _called(incident: Incident) -> list[str]:
    called = incident.opened.mention
    return [notify(called)] if called else []


def _body(incident: Incident) -> Iterator[str]:
    """Every line that a decision needs, plain."""
    picture = incident.picture
    yield tr("Evidence:")
    yield from (f"  {line}" for line in picture.evidence)
    yield from (f"  {line}" for line in picture.findings)
    yield tr("  self-check: {self_check}", self_check=picture.self_check)
    if picture.recently:
        yield tr("  last move: {move}", move=picture.recently)
    yield tr("Candidates:")
    yield from (f"  {candidate_line(one)}" for one in picture.candidates)
    if not picture.eligible:
        yield tr("  none can carry the routes now: this needs a person at the cluster")
    if picture.steps:
        yield tr(
            "Moving to {node} changes exactly this, on {targets}:",
            node=picture.eligible[0],
            targets=listed(_targets(picture)),
        )
        yield from (f"  {line}" for line in clip_lines(step_lines(picture.steps), STEPS_LIMIT))
    if picture.problem:
        yield tr("What a move would change cannot be told now: {problem}", problem=picture.problem)
    yield from (f"! {warning}" for warning in picture.warnings)
    yield tr("Not changed: names, DNS servers, policies, other clusters.")
    yield tr("Proven with data through the new gateway, or moved back.")


def _targets(picture: Picture) -> list[str]:
    return sorted({step.target for step in picture.steps})


def _blocks(incident: Incident) -> Iterator[Block]:
    called = " ".join(_called(incident))
    yield section("\n".join(filter(None, (_headline(incident), escape(_state(incident)), called))))
    if incident.lasting:
        yield from preformatted(list(_body(incident)))
    yield context("\n".join(timeline(incident)))
    yield context(tr("incident {id}, version {version}", id=incident.id, version=incident.version))
    if incident.state == "open":
        yield _buttons(incident)


def _buttons(incident: Incident) -> Block:
    value = f"{incident.id}.{incident.version}"
    moves = [
        button(
            tr("Fail over to {node}", node=node)[:75],
            f"failover-{number}",
            f"{value}.{node}",
            "primary" if number == 0 else None,
            (
                tr("Move the routes?"),
                tr_n(
                    "{count} route will point at {node}; open connections to service addresses are reset.",
                    "{count} routes will point at {node}; open connections to service addresses are reset.",
                    len(incident.picture.steps),
                    node=node,
                ),
            ),
        )
        for number, node in enumerate(incident.picture.eligible[:BUTTONS])
    ]
    return actions(*moves, button(tr("Snooze"), "snooze", value), button(tr("It's planned"), "planned", value))


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
