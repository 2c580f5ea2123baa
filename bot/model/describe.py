"""Answers from the wire as evidence: outcome, data, time. One wording for results, reports and audit lines."""

from bot.model.diagnosis import Held, Traffic
from bot.model.probes import ConnectAnswer, DnsAnswer, PolicyAnswer, RouteAnswer
from bot.model.resources import content


def describe(answer: DnsAnswer) -> str:
    """A DNS answer: data or outcome, whose negative answer it is, transport, time."""
    data = ", ".join(str(address) for address in answer.addresses)
    soa = f" (SOA {answer.soa_owner})" if answer.soa_owner else ""
    return f"{data or answer.outcome.upper()}{soa} by {answer.transport} in {answer.elapsed_ms} ms"


def describe_connection(reply: ConnectAnswer) -> str:
    """A connection: outcome, what the peer said, time."""
    said = f" ({reply.spoke}: {reply.peer_says})" if reply.peer_says else ""
    return f"{reply.outcome}{said} in {reply.elapsed_ms} ms"


def dns_line(answer: DnsAnswer) -> str:
    """A question to a DNS server with its answer, as one line of evidence."""
    return f"{answer.server} asked for {answer.name.rstrip('.')}: {describe(answer)}"


def connection_line(reply: ConnectAnswer) -> str:
    """`172.20.4.222:6379/TCP: data (redis: +PONG) in 2 ms`."""
    return f"{reply.address}:{reply.port}/{reply.protocol}: {describe_connection(reply)}"


def route_line(firewall: str, route: RouteAnswer) -> str:
    """What the firewall's route look-up said."""
    if route.found is None:
        said = f"cannot tell: {route.problem}"
    elif not route.found:
        said = "none"
    else:
        said = (f"via {route.gateway}" if route.gateway else "directly") + (
            f" on {route.interface}" if route.interface else ""
        )
    return f"{firewall}'s route to {route.destination}: {said}"


def policy_line(firewall: str, policy: PolicyAnswer) -> str:
    """What the firewall's policy look-up said."""
    flow = f"{policy.source} → {policy.destination}:{policy.port}/{policy.protocol}"
    if policy.allowed is None:
        return f"{firewall} on {flow}: cannot tell: {policy.problem}"
    return f"{firewall} on {flow}: {'accepted' if policy.allowed else 'denied'} by {policy.policy or 'a policy'}"


def traffic_lines(firewall: str, traffic: Traffic) -> list[str]:
    """What the firewall counted and follows of a connection."""
    before, after, sessions = traffic.before, traffic.after, traffic.sessions
    if traffic.counted is None:
        why = before.problem or after.problem or "it was reset"
        counter = f"{firewall}'s counter of policy {before.policy}: cannot tell: {why}"
    else:
        counter = f"{firewall}'s counter of policy {before.policy}: {before.hits} before, {after.hits} after"
    flow = f"{firewall}'s sessions to {sessions.destination}:{sessions.port}/{sessions.protocol}"
    if sessions.count is None:
        return [counter, f"{flow}: cannot tell: {sessions.problem}"]
    return [counter, f"{flow}: {sessions.count}, answered {sessions.answered}"]


def held_line(held: Held) -> str:
    """How what a target holds differs from what it should hold; "" when it does not, or when it was not told."""
    if held.problem:
        return f"{held.target}: {held.problem}"
    if held.actual is None:
        return f"{held.target} has no {held.key}"
    wanted, actual = content(held.wanted).model_dump(mode="json"), content(held.actual).model_dump(mode="json")
    differences = [
        f"{field} is {_plain(actual.get(field))}, applied was {_plain(value)}"
        for field, value in wanted.items()
        if actual.get(field) != value
    ]
    return f"{held.target}, {held.key}: {'; '.join(differences)}" if differences else ""


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
