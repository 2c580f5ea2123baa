"""Codes of the model that people read as words. A type cannot be marked for the catalogues, so they are marked here."""

from bot.model.resources import Key
from bot.model.wording import marked, tr

WORDS = (
    # stations and verdicts of a path
    marked("office DNS"),
    marked("firewall"),
    marked("gateway"),
    marked("cluster"),
    marked("service"),
    # how a change and its steps end
    marked("wrote"),
    marked("was-so"),
    marked("not-written"),
    marked("failed"),
    marked("unclear"),
    marked("requested"),
    marked("planned"),
    marked("unplannable"),
    marked("confirmed"),
    marked("denied"),
    marked("cancelled"),
    marked("expired"),
    marked("stale"),
    marked("intended"),
    marked("attempted"),
    marked("verified"),
    marked("measured"),
    marked("cleared"),
    marked("turned-back"),
    marked("stuck"),
    marked("resumed"),
    marked("finished"),
    marked("announced"),
    marked("audited"),
    marked("asked"),
    marked("incident-opened"),
    marked("incident-revised"),
    marked("incident-escalated"),
    marked("incident-snoozed"),
    marked("incident-withdrawn"),
    marked("incident-shown"),
    marked("done"),
    marked("rolled-back"),
    marked("nothing-to-do"),
    marked("released"),
    marked("awaiting"),
    marked("running"),
    marked("undoing"),
    # answers from the wire; what tells them apart in code is the code itself
    marked("answer"),
    marked("nodata"),
    marked("nxdomain"),
    marked("servfail"),
    marked("refused-rcode"),
    marked("timeout"),
    marked("refused"),
    marked("unreachable"),
    marked("malformed"),
    marked("data"),
    marked("handshake-only"),
    marked("host-unreachable"),
    marked("net-unreachable"),
    marked("reset"),
    marked("no answer"),
    marked("implicit deny"),
    # gateways
    marked("notice"),
    marked("degraded"),
    marked("down"),
    # what stands on a target, and what a step does to it
    marked("address"),
    marked("address-group"),
    marked("route"),
    marked("policy"),
    marked("position"),
    marked("forwarder"),
    marked("cache"),
    marked("accept"),
    marked("deny"),
    marked("create"),
    marked("change"),
    marked("remove"),
)


def key_line(key: Key) -> str:
    """A resource by kind and name."""
    if key.kind == "cache":
        return tr("cache of every name")
    if key.kind == "position":
        return tr("position of policy {name}", name=key.name)
    return f"{word(key.kind)} {key.name}"


def word(code: str) -> str:
    """What people read for a code of the model; a code that is nobody's word stays as it is."""
    return tr(code)
