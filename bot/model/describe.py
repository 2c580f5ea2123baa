"""Answers from the wire as evidence: outcome, data, time. One wording for results, reports and audit lines."""

from bot.model.diagnosis import Held, Traffic
from bot.model.probes import ConnectAnswer, DetourAnswer, DnsAnswer, PolicyAnswer, RouteAnswer
from bot.model.resources import content
from bot.model.wording import clauses, listed, tr
from bot.model.words import key_line, word


def describe(answer: DnsAnswer) -> str:
    """A DNS answer: data or outcome, whose negative answer it is, transport, time."""
    data = listed(answer.addresses)
    soa = f" (SOA {answer.soa_owner})" if answer.soa_owner else ""
    return tr(
        "{data}{soa} by {transport} in {elapsed_ms} ms",
        data=data or word(answer.outcome).upper(),
        soa=soa,
        transport=answer.transport,
        elapsed_ms=answer.elapsed_ms,
    )


def describe_connection(reply: ConnectAnswer) -> str:
    """A connection: outcome, what the peer said, time."""
    says = word(reply.peer_says) if reply.outcome == "handshake-only" else reply.peer_says
    said = f" ({reply.spoke}: {says})" if says else ""
    return tr("{outcome}{said} in {elapsed_ms} ms", outcome=word(reply.outcome), said=said, elapsed_ms=reply.elapsed_ms)


def dns_line(answer: DnsAnswer) -> str:
    """A question to a DNS server with its answer, as one line of evidence."""
    return tr(
        "{server} asked for {name}: {said}", server=answer.server, name=answer.name.rstrip("."), said=describe(answer)
    )


def connection_line(reply: ConnectAnswer) -> str:
    """`172.20.4.222:6379/TCP: data (redis: +PONG) in 2 ms`."""
    return f"{reply.address}:{reply.port}/{reply.protocol}: {describe_connection(reply)}"


def route_line(firewall: str, route: RouteAnswer) -> str:
    """What the firewall's route look-up said."""
    if route.found is None:
        said = tr("cannot tell: {problem}", problem=route.problem)
    elif not route.found:
        said = tr("none")
    else:
        said = (tr("via {gateway}", gateway=route.gateway) if route.gateway else tr("directly")) + (
            tr(" on {interface}", interface=route.interface) if route.interface else ""
        )
    return tr(
        "{firewall}'s route to {destination}: {said}", firewall=firewall, destination=route.destination, said=said
    )


def detour_line(firewall: str, detour: DetourAnswer) -> str:
    """Which policy route takes a packet, or why that is not known."""
    packet = detour.packet
    flow = f"{packet.source} → {packet.destination}:{packet.port}/{packet.protocol}"
    if detour.taken is None:
        return tr("{firewall} on {flow}: cannot tell: {problem}", firewall=firewall, flow=flow, problem=detour.problem)
    way = [tr("via {gateway}", gateway=detour.gateway)] if detour.gateway else [tr("directly")]
    way += [tr("on {interface}", interface=detour.interface)] if detour.interface else []
    return tr(
        "{firewall} on {flow}: policy route {row} sends it {way}",
        firewall=firewall,
        flow=flow,
        row=detour.row,
        way=" ".join(way),
    )


def policy_line(firewall: str, policy: PolicyAnswer) -> str:
    """What the firewall's policy look-up said."""
    flow = f"{policy.source} → {policy.destination}:{policy.port}/{policy.protocol}"
    if policy.allowed is None:
        return tr("{firewall} on {flow}: cannot tell: {problem}", firewall=firewall, flow=flow, problem=policy.problem)
    by = word(policy.policy) if policy.policy == "implicit deny" else policy.policy or tr("a policy")
    if policy.allowed:
        return tr("{firewall} on {flow}: accepted by {policy}", firewall=firewall, flow=flow, policy=by)
    return tr("{firewall} on {flow}: denied by {policy}", firewall=firewall, flow=flow, policy=by)


def traffic_lines(firewall: str, traffic: Traffic) -> list[str]:
    """What the firewall counted and follows of a connection."""
    before, after, sessions = traffic.before, traffic.after, traffic.sessions
    if traffic.counted is None:
        why = before.problem or after.problem or tr("it was reset")
        counted = tr("cannot tell: {problem}", problem=why)
    else:
        counted = tr("{before} before, {after} after", before=before.hits, after=after.hits)
    if sessions.count is None:
        followed = tr("cannot tell: {problem}", problem=sessions.problem)
    else:
        followed = tr("{count}, answered {answered}", count=sessions.count, answered=sessions.answered)
    return [
        tr("{firewall}'s counter of policy {policy}: {said}", firewall=firewall, policy=before.policy, said=counted),
        tr(
            "{firewall}'s sessions to {destination}:{port}/{protocol}: {said}",
            firewall=firewall,
            destination=sessions.destination,
            port=sessions.port,
            protocol=sessions.protocol,
            said=followed,
        ),
    ]


def held_line(held: Held) -> str:
    """How what a target holds differs from what it should hold; "" when it does not, or when it was not told."""
    if held.problem:
        return f"{held.target}: {held.problem}"
    if held.actual is None:
        return tr("{target} has no {key}", target=held.target, key=key_line(held.key))
    wanted, actual = content(held.wanted).model_dump(mode="json"), content(held.actual).model_dump(mode="json")
    differences = [
        tr(
            "{field} is {actual}, applied was {wanted}",
            field=field,
            actual=_plain(actual.get(field)),
            wanted=_plain(value),
        )
        for field, value in wanted.items()
        if actual.get(field) != value
    ]
    if not differences:
        return ""
    return tr(
        "{target}, {key}: {differences}", target=held.target, key=key_line(held.key), differences=clauses(differences)
    )


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
