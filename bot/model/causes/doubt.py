"""Rows about what could not be told: who could not be asked, which signal is missing, what contradicts what."""

from collections.abc import Callable, Sequence

from bot.model.causes.row import Row
from bot.model.causes.signals import allowed, cut_off, leads_to_nodes, lines, proven, route_for
from bot.model.causes.traffic import conclusive
from bot.model.describe import policy_line, route_line, traffic_lines
from bot.model.diagnosis import Evidence, Unread
from bot.model.wording import marked, tr

PROBES = "probes"


def _unread(matches: Callable[[Evidence, Unread], bool]) -> Callable[[Evidence], Sequence[str]]:
    def applies(e: Evidence) -> Sequence[str]:
        return list(dict.fromkeys(f"{one.system}: {one.problem}" for one in e.unread if matches(e, one)))

    return applies


def _is_firewall(e: Evidence, one: Unread) -> bool:
    return one.system == e.firewall


def _late_probe(one: Unread) -> bool:
    return one.system == PROBES and one.kind == "late"


def _is_api(e: Evidence, one: Unread) -> bool:
    return one.system == e.cluster


def _wire_proves(e: Evidence) -> bool:
    """Names and data pass, and they do from an office: nobody needs the firewall's word for it."""
    return e.carried and e.in_office is True and all(proven(e, server) for server in e.servers)


def _no_look_up(e: Evidence) -> Sequence[str]:
    """Look-ups that ended without a word, where nothing on the wire speaks for them."""
    if _wire_proves(e):
        return ()
    flows = [*e.policies, *(p for s in e.servers for p in (s.policy_udp, s.policy_tcp) if p is not None)]
    astray = [r for r in e.routes if leads_to_nodes(e, r) is False]
    return [
        *(route_line(e.firewall, route) for route in e.routes if route.found is None),
        *(policy_line(e.firewall, policy) for policy in flows if policy.allowed is None and not astray),
    ]


def _denied_yet_carried(e: Evidence) -> Sequence[str]:
    if not e.carried:
        return ()
    against: list[str] = [
        policy_line(e.firewall, policy)
        for policy in e.policies
        if policy.allowed is False and any(_is(policy.destination, policy.port, c) for c in e.connections)
    ]
    against += [
        route_line(e.firewall, route)
        for route in e.routes
        if leads_to_nodes(e, route) is False and any(c.address == route.destination for c in e.connections)
    ]
    return [*against, *lines(*e.connections)] if against else ()


def _is(address: object, port: int, reply: object) -> bool:
    return (getattr(reply, "address", None), getattr(reply, "port", None)) == (address, port)


def _carried_without_pods(e: Evidence) -> Sequence[str]:
    if not e.carried or e.service is None or e.service.ready_endpoints:
        return ()
    return [*lines(*e.connections), tr("the API has no ready endpoint")]


def _cleared_yet_silent(e: Evidence) -> Sequence[str]:
    """Firewall and gateway give their word for everything, and no packet comes back from anything."""
    if not e.connections or any(c.outcome not in ("timeout", "host-unreachable") for c in e.connections):
        return ()
    cleared = [policy for policy in e.policies if allowed(e, policy)]
    if len(cleared) < len(e.policies) or not cleared or e.samples:
        return ()
    traffic = conclusive(e)
    if traffic is not None and traffic.let_out is not None:
        return ()  # the firewall's counters place it
    counted = [] if traffic is None else traffic_lines(e.firewall, traffic)
    return [*(policy_line(e.firewall, policy) for policy in cleared[:2]), *lines(*e.connections)[:2], *counted]


def _quiet(e: Evidence) -> Sequence[str]:
    return lines(*(c for c in e.connections if c.outcome == "handshake-only" and not c.spoke))


def _unprobed(e: Evidence) -> Sequence[str]:
    return e.unprobed


def _nothing_probed(e: Evidence) -> Sequence[str]:
    if e.connections or e.unprobed or not e.expected or (e.service and not e.service.ready_endpoints):
        return ()
    if e.service is not None and not e.known_ports:
        return (tr("{name} has no ports in the API", name=e.name),)
    return () if e.service is not None else (tr("no port is known to connect to: add one after a colon"),)


def _not_resolved(e: Evidence) -> Sequence[str]:
    if e.readable or e.expected or e.address is not None:
        return ()
    return (tr("no DNS server told an address of {name} either", name=e.full_name),)


def _partly_read(e: Evidence) -> Sequence[str]:
    return e.unreadable


def _vantage_foreign(e: Evidence) -> Sequence[str]:
    if e.in_office is not False or e.source is None:
        return ()
    if e.policies and all(allowed(e, policy) for policy in e.policies):
        return ()
    return (tr("probes start from {source}, which is in no office network", source=e.source),)


def _no_route_known(e: Evidence) -> Sequence[str]:
    if _wire_proves(e):
        return ()
    return [
        tr("no route look-up for {address}", address=address)
        for address in e.expected[:2]
        if route_for(e, address) is None
    ]


DOUBTS: tuple[Row, ...] = (
    Row(
        "K8SNET-BOT-01",
        "service",
        _unread(lambda e, one: (one.system == PROBES and one.kind != "late") or cut_off(e)),
        "probes could not be sent at all; or nobody answers: no API, no DNS server, no node",
        marked("this bot's own host could not send its probes, so the path was not walked"),
        marked("Look at the network of the bot's host, or at the proxy that its probes start from."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-FW-01",
        "firewall",
        _unread(lambda e, one: _is_firewall(e, one) and one.kind != "rejected"),
        "the firewall's API did not answer in time",
        marked("the firewall cannot be asked, so its routes and policies are not known"),
        marked("Look at the firewall's administrative address and the way to it from the bot's host."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-FW-02",
        "firewall",
        _unread(lambda e, one: _is_firewall(e, one) and one.kind == "rejected"),
        "the firewall's API refuses to answer",
        marked("the firewall does not let k8snet look"),
        marked("Check the API token, its trusted hosts and the rights of its profile."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-API-01",
        "cluster",
        _unread(lambda e, one: _is_api(e, one) and one.kind != "rejected"),
        "the cluster's API did not answer in time",
        marked("the cluster's API cannot be reached, so what the path should look like is not known"),
        marked("Look at the API server and the way to it from the bot's host."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-API-02",
        "cluster",
        _unread(lambda e, one: _is_api(e, one) and one.kind == "rejected"),
        "the cluster's API refuses to answer",
        marked("the cluster's API does not accept our account or does not let it read"),
        marked("Renew the credentials in the kubeconfig, or give the account the rights in deploy/kubernetes."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-API-03",
        "cluster",
        _partly_read,
        "parts of the cluster's facts could not be read",
        marked("the cluster told only a part of what a check needs"),
        marked("Give the account the missing right, or write the missing fact into app.yaml."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-ASK-01",
        "firewall",
        _denied_yet_carried,
        "the firewall's look-ups say no, and data passes all the same",
        marked("what the firewall says and what happens contradict each other"),
        marked(
            "Look at the firewall's sessions: this host may take another way than the office, or an old session "
            "lives on."
        ),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-ASK-03",
        "service",
        _carried_without_pods,
        "the API has no ready endpoint, and data passes all the same",
        marked("what the cluster says and what happens contradict each other"),
        marked("Look at the service's EndpointSlices: they may be out of date."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-ASK-04",
        "gateway",
        _cleared_yet_silent,
        "the firewall's look-ups clear the way, nothing comes back, and there was nothing to compare with",
        marked("the firewall lets the office through, and still nothing comes back"),
        marked("Look at the firewall's sessions and at the gateway's interface; check another service of the cluster."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-ASK-05",
        "firewall",
        _no_look_up,
        "a route or policy look-up gave no answer, and the wire does not prove the hop either",
        marked("the firewall could not say whether it lets the office through"),
        marked("The text names the reason: an older release, a missing right, or an interface's name in app.yaml."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-ASK-06",
        "firewall",
        _vantage_foreign,
        "probes start from an address outside the office networks, and the firewall did not clear the office's way",
        marked("what this host can reach does not tell what the office can reach"),
        marked("Run the bot in an office network, or let its probes start from there (probes.vantage)."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-PATH-03",
        "service",
        _quiet,
        "the connection opens, and neither the protocol nor an acknowledgement proves data",
        marked("connected, but this port's protocol is unknown, so data could not be proven"),
        marked("Name the port after its protocol (redis, http, …) in the service."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-PATH-04",
        "service",
        _unprobed,
        "the port is UDP or SCTP without a protocol that answers",
        marked("silence of such a port means nothing, so it could not be proven"),
        marked("Try the program itself; the firewall's answer above tells whether packets pass."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-PATH-06",
        "service",
        _nothing_probed,
        "an address is known but no port to connect to",
        marked("there was no port to connect to"),
        marked("Add the port after a colon."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-PATH-07",
        "office DNS",
        _not_resolved,
        "the API could not be read and no DNS server resolves the name",
        marked("without the cluster's API and without an answer from DNS there is no address to go to"),
        marked("Check again when one of them answers."),
        verdict="undetermined",
    ),
    Row(
        "K8SNET-ASK-02",
        "cluster",
        _unread(lambda e, one: one.system not in (PROBES, e.cluster, e.firewall) or _late_probe(one)),
        "a question was not answered before the check's time was up, or a device could not be asked",
        marked("something could not be asked"),
        marked("Check again; the text names what was asked and of whom."),
        verdict="undetermined",
        fix="check again",
    ),
    Row(
        "K8SNET-ASK-07",
        "firewall",
        _no_route_known,
        "there is no route look-up for an address of the service",
        marked("the firewall's route to the service is not known"),
        marked("Check that the firewall can be asked."),
        verdict="undetermined",
    ),
)
