"""Rows about the firewall's ways: its interface towards the nodes, its static routes, policy routes before them."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network

from bot.model.causes.row import Row
from bot.model.causes.signals import belied, held, leads_to_nodes, led_away, proven
from bot.model.describe import detour_line, held_line, route_line
from bot.model.diagnosis import Evidence, Held
from bot.model.probes import DetourAnswer, RouteAnswer
from bot.model.resources import Route
from bot.model.wording import marked, tr
from bot.model.words import key_line


def _interface_down(e: Evidence) -> Sequence[str]:
    if leads_to_nodes(e, e.gateway.route) is not False:
        return ()
    assert e.gateway.route is not None  # or nothing would be known about it
    return (route_line(e.firewall, e.gateway.route),)


def _astray(e: Evidence, networks: Sequence[IPv4Network]) -> list[RouteAnswer]:
    """Look-ups in these networks that do not lead to the nodes, though the nodes themselves can be reached."""
    if not e.cluster_exposed or _interface_down(e):
        return []
    carried = {reply.address for reply in e.connections} if belied(e) else set()
    return [
        route
        for route in e.routes
        if any(route.destination in network for network in networks)
        and leads_to_nodes(e, route) is False
        and route.destination not in carried
    ]


def _row_for(e: Evidence, address: IPv4Address) -> Held | None:
    rows = [one for one in held(e, "route") if isinstance(one.wanted, Route) and address in one.wanted.destination]
    return next(iter(rows), None)


def _missing(networks: Callable[[Evidence], Sequence[IPv4Network]]) -> Callable[[Evidence], Sequence[str]]:
    def applies(e: Evidence) -> Sequence[str]:
        proof = []
        for route in _astray(e, networks(e)):
            row = _row_for(e, route.destination)
            if row is None or (row.actual is None and not row.problem):
                proof += [route_line(e.firewall, route), *([held_line(row)] if row else [])]
        return proof

    return applies


def _other_interface(e: Evidence) -> Sequence[str]:
    proof = []
    for route in _astray(e, (*e.service_networks, *e.pod_networks)):
        row = _row_for(e, route.destination)
        if not (row and isinstance(row.actual, Route) and isinstance(row.wanted, Route)):
            continue
        if row.actual.device != row.wanted.device:
            proof += [route_line(e.firewall, route), held_line(row)]
    return proof


def _inactive(e: Evidence) -> Sequence[str]:
    proof = []
    for route in _astray(e, (*e.service_networks, *e.pod_networks)):
        row = _row_for(e, route.destination)
        if not (row and isinstance(row.actual, Route) and isinstance(row.wanted, Route)):
            continue
        if row.actual.device == row.wanted.device:
            proof += [
                route_line(e.firewall, route),
                tr(
                    "{firewall} has {key} via {gateway}",
                    firewall=e.firewall,
                    key=key_line(row.key),
                    gateway=row.actual.gateway,
                ),
            ]
    return proof


def _led_away(e: Evidence) -> Sequence[str]:
    return [detour_line(e.firewall, one) for one in _of_interest(e) if led_away(e, one)]


def _perhaps_led_away(e: Evidence) -> Sequence[str]:
    unknown = [detour_line(e.firewall, one) for one in _of_interest(e) if one.taken is None]
    return () if _led_away(e) else unknown[:1]


def _of_interest(e: Evidence) -> list[DetourAnswer]:
    """Packets for the cluster's networks whose way nothing on the wire has proven."""
    if not e.cluster_exposed:
        return []
    asking = {server.address: proven(e, server) for server in e.servers}
    through = [one for one in e.detours if one.packet.destination != e.gateway.address]
    return [one for one in through if not asking.get(one.packet.source, belied(e))]


def _unclear_row(e: Evidence) -> Sequence[str]:
    unclear = [one for one in held(e, "route") if one.problem]
    if not unclear:
        return ()
    return [*map(held_line, unclear), *(route_line(e.firewall, route) for route in e.routes)]


def _other_gateway(e: Evidence) -> Sequence[str]:
    if not e.cluster_exposed or e.gateway.address is None:
        return ()
    return [
        tr(
            "{route}, the gateway {name} is {address}",
            route=route_line(e.firewall, route),
            name=e.gateway.name,
            address=e.gateway.address,
        )
        for route in e.routes
        if leads_to_nodes(e, route) and route.gateway is not None and route.gateway != e.gateway.address
    ]


ROUTES: tuple[Row, ...] = (
    Row(
        "K8SNET-FW-03",
        "firewall",
        _interface_down,
        "the firewall's route to the gateway node itself does not leave by the interface towards the nodes",
        marked("the firewall's interface towards the nodes is down, or their network is not on it"),
        marked("Look at the interface and its cable; see `get system interface`."),
    ),
    Row(
        "K8SNET-RT-07",
        "firewall",
        _led_away,
        "a policy route, which counts before static routes, sends packets of the office or of a DNS server elsewhere "
        "than to the gateway, and nothing on the wire proves the contrary",
        marked("a policy route on the firewall leads packets for the cluster another way"),
        marked(
            "Put a policy route before it that stops policy routing (deny) for the cluster's networks, or leave them "
            "out of it; see Network > Policy Routes."
        ),
    ),
    Row(
        "K8SNET-RT-06",
        "firewall",
        _unclear_row,
        "the firewall's static route for a network of the cluster exists several times, or has settings that k8snet "
        "does not make (switched off, blackhole, another table)",
        marked("the firewall's route to the cluster is there twice or was altered, so machines may take another way"),
        marked("Leave exactly the one route that k8snet made, with its settings."),
    ),
    Row(
        "K8SNET-RT-01",
        "firewall",
        _missing(lambda e: e.service_networks),
        "the route look-up for the service network does not lead to the nodes, and no static route is configured",
        marked("the firewall has no route to the service network"),
        marked("Apply the exposure again."),
        fix="expose",
    ),
    Row(
        "K8SNET-RT-03",
        "firewall",
        _missing(lambda e: e.pod_networks),
        "the route look-up for the pod network does not lead to the nodes, and no static route is configured",
        marked("the firewall has no route to the pod network"),
        marked("Apply the exposure again."),
        fix="expose",
    ),
    Row(
        "K8SNET-RT-04",
        "firewall",
        _other_interface,
        "the static route is there, but for another interface than the one towards the nodes",
        marked("the firewall's route leaves by the wrong interface"),
        marked("Find out who changed the route; apply the exposure again to restore it."),
        fix="expose",
    ),
    Row(
        "K8SNET-RT-05",
        "firewall",
        _inactive,
        "the static route is configured as applied, but the route look-up does not use it",
        marked("the firewall's route is configured but not active"),
        marked("Look for a better route, a link monitor that withdrew it, or a next hop off the interface's network."),
    ),
    Row(
        "K8SNET-RT-02",
        "firewall",
        _other_gateway,
        "the route look-up names another next hop than the gateway node's address",
        marked("the firewall's route points at another node than the gateway"),
        marked(
            "Find out who changed the route, or whether the node has a new address; "
            "apply the exposure again to restore it."
        ),
        fix="expose",
    ),
)

ROUTE_DOUBTS: tuple[Row, ...] = (
    Row(
        "K8SNET-RT-08",
        "firewall",
        _perhaps_led_away,
        "policy routes could not be read, or one may match, and no data from the office itself proves the way",
        marked("it cannot be told whether a policy route leads packets for the cluster another way"),
        marked("Give the API user the right that is named, or look at Network > Policy Routes."),
        verdict="undetermined",
    ),
)
