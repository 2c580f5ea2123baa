"""An incident on one line, for status and the Home tab."""

from bot.model.incident import Incident
from bot.model.wording import tr
from bot.model.words import word
from handlers.lines.day import duration


def open_line(incident: Incident) -> str:
    """One that lasts: what, since when, and who has to do something."""
    picture = incident.picture
    return tr(
        "✗ incident {id}: {gateway} is {severity} since {began:%H:%M:%S} UTC; {state}",
        id=incident.id,
        gateway=picture.gateway,
        severity=word(picture.severity),
        began=picture.began,
        state=_waits(incident),
    )


def _waits(incident: Incident) -> str:
    if incident.state == "answered":
        return tr("being moved by change {operation}", operation=incident.operation)
    if incident.planned:
        return tr("said to be planned")
    if incident.silenced_until is not None:
        return tr("snoozed until {time:%H:%M:%S} UTC", time=incident.silenced_until)
    return tr("waits for an answer in the chat")


def past_line(incident: Incident) -> str:
    """An incident that is over: what it was, how long, how it ended."""
    picture = incident.picture
    lasted = (incident.records[-1].at - picture.began).total_seconds()
    ended = tr("moved") if incident.state == "resolved" else tr("over by itself")
    return tr(
        "{began} UTC: {gateway} of {cluster} {severity} for {lasted}; {ended}",
        began=f"{picture.began:%Y-%m-%d %H:%M:%S}",
        gateway=picture.gateway,
        cluster=picture.cluster,
        severity=word(picture.severity),
        lasted=duration(lasted),
        ended=ended,
    )
