"""Packet evaluation against a reference that is written as naively as possible."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.fortigate.device import Device
from lab.fortigate.forwarding import Forwarding, evaluate
from lab.fortigate.matching import AddressSet
from lab.fortigate.packets import ICMP, TCP, UDP, Packet
from lab.fortigate.routing import Links

# A small world, so that things collide: addresses 10.0.0.0 to 10.0.0.63, three interfaces.
INTERFACES = {"a": "10.0.0.1/28", "b": "10.0.0.17/28", "c": "10.0.0.33/28"}
GATEWAYS = [IPv4Address(text) for text in ("10.0.0.5", "10.0.0.6", "10.0.0.21", "10.0.0.37", "10.0.0.60")]
SERVICES = {"ALL": None, "ALL_TCP": (TCP, 1, 65535), "HTTP": (TCP, 80, 80), "ALL_UDP": (UDP, 1, 65535)}

hosts = st.integers(0, 63).map(lambda n: IPv4Address("10.0.0.0") + n)
# Few networks, so that routes often lead to the same one.
destinations = st.sampled_from([IPv4Network(text) for text in ("10.0.0.0/26", "10.0.0.48/28", "10.0.0.56/29")])
networks = st.builds(lambda host, length: IPv4Network((host, length), strict=False), hosts, st.integers(26, 32))
interface_names = st.sampled_from(sorted(INTERFACES))
switches = st.sampled_from(["enable", "disable"])


def text(network: IPv4Network) -> str:
    return f"{network.network_address} {network.netmask}"


@st.composite
def configurations(draw):
    addresses = {f"n{i}": net for i, net in enumerate(draw(st.lists(networks, min_size=1, max_size=5)))}
    address_names = st.sampled_from(sorted(addresses))
    groups = {
        f"g{i}": members
        for i, members in enumerate(draw(st.lists(st.lists(address_names, min_size=1, max_size=3), max_size=2)))
    }
    any_address = st.sampled_from([*addresses, *groups])
    lists = st.lists(any_address, min_size=1, max_size=2, unique=True)
    policies = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "srcintf": st.sampled_from([*INTERFACES, "any"]),
                    "dstintf": st.sampled_from([*INTERFACES, "any"]),
                    "srcaddr": lists,
                    "dstaddr": lists,
                    "service": st.sampled_from(sorted(SERVICES)),
                    "action": st.sampled_from(["accept", "deny"]),
                    "status": switches,
                    "srcaddr-negate": switches,
                    "dstaddr-negate": switches,
                    "service-negate": switches,
                }
            ),
            max_size=6,
        )
    )
    routes = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "dst": destinations,
                    "device": interface_names,
                    "gateway": st.sampled_from(GATEWAYS),
                    "distance": st.sampled_from([5, 10]),
                    "priority": st.sampled_from([1, 2]),
                    "status": switches,
                }
            ),
            max_size=5,
        )
    )
    some_networks = st.lists(networks, max_size=1)
    policy_routes = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "input-device": st.lists(interface_names, max_size=2, unique=True),
                    "input-device-negate": switches,
                    "src": some_networks,
                    "srcaddr": st.lists(any_address, max_size=1),
                    "src-negate": switches,
                    "dst": some_networks,
                    "dstaddr": st.lists(any_address, max_size=1),
                    "dst-negate": switches,
                    "action": st.sampled_from(["permit", "permit", "deny"]),
                    "protocol": st.sampled_from([0, 0, TCP, UDP, ICMP]),
                    "start-port": st.sampled_from([0, 80]),
                    "end-port": st.sampled_from([80, 65535]),
                    "gateway": st.sampled_from([IPv4Address("0.0.0.0"), *GATEWAYS]),
                    "output-device": interface_names,
                    "status": switches,
                }
            ),
            max_size=3,
        )
    )
    down = draw(st.frozensets(interface_names, max_size=1))
    return {
        "addresses": addresses,
        "groups": groups,
        "policies": policies,
        "routes": routes,
        "policy-routes": policy_routes,
        "down": down,
    }


@st.composite
def packets(draw):
    protocol = draw(st.sampled_from([TCP, UDP, ICMP]))
    port = 0 if protocol == ICMP else draw(st.sampled_from([1, 79, 80, 81, 65535]))
    return Packet(draw(hosts), draw(hosts), protocol, 1024 if port else 0, port, 8 if protocol == ICMP else None)


def as_tables(world):
    """The world as configuration rows."""
    return {
        "system/interface": [{"name": n, "ip": ip.replace("/28", " 255.255.255.240")} for n, ip in INTERFACES.items()],
        "firewall/address": [{"name": name, "subnet": text(net)} for name, net in world["addresses"].items()],
        "firewall/addrgrp": [
            {"name": name, "member": [{"name": member} for member in members]}
            for name, members in world["groups"].items()
        ],
        "firewall.service/custom": [
            {"name": "ALL", "protocol": "IP"},
            {"name": "ALL_TCP", "tcp-portrange": "1-65535"},
            {"name": "ALL_UDP", "udp-portrange": "1-65535"},
            {"name": "HTTP", "tcp-portrange": "80"},
        ],
        "router/static": [
            {**route, "dst": text(route["dst"]), "gateway": str(route["gateway"]), "seq-num": number}
            for number, route in enumerate(world["routes"], 1)
        ],
        "router/policy": [
            {
                **rule,
                "seq-num": number,
                "input-device": [{"name": name} for name in rule["input-device"]],
                "gateway": str(rule["gateway"]),
                **{side: [{"subnet": str(net)} for net in rule[side]] for side in ("src", "dst")},
                **{side: [{"name": name} for name in rule[side]] for side in ("srcaddr", "dstaddr")},
            }
            for number, rule in enumerate(world["policy-routes"], 1)
        ],
        "firewall/policy": [
            {
                **policy,
                "policyid": number,
                "schedule": "always",
                "srcintf": [{"name": policy["srcintf"]}],
                "dstintf": [{"name": policy["dstintf"]}],
                "srcaddr": [{"name": name} for name in policy["srcaddr"]],
                "dstaddr": [{"name": name} for name in policy["dstaddr"]],
                "service": [{"name": policy["service"]}],
            }
            for number, policy in enumerate(world["policies"], 1)
        ],
    }


def reference_routes(world):
    """(network, gateway, interface, priority) of every active route: one filter after the other."""
    connected = {name: IPv4Network(ip, strict=False) for name, ip in INTERFACES.items() if name not in world["down"]}
    candidates = [(net, None, name, 0, 0) for name, net in connected.items()]
    for route in world["routes"]:
        if route["status"] == "enable" and route["gateway"] in connected.get(route["device"], ()):
            candidates.append((route["dst"], route["gateway"], route["device"], route["distance"], route["priority"]))
    return [
        (net, gateway, interface, priority)
        for net, gateway, interface, distance, priority in candidates
        if distance == min(d for n, _, _, d, _ in candidates if n == net)
    ]


def reference_best(routes, destination):
    matching = [route for route in routes if destination in route[0]]
    longest = [r for r in matching if r[0].prefixlen == max(m[0].prefixlen for m in matching)]
    return [r for r in longest if r[3] == min(item[3] for item in longest)]


def inside(world, names, address):
    return any(address in world["addresses"][member] for name in names for member in world["groups"].get(name, [name]))


def reference_way(world, packet, ingress):
    """(interface, gateway) that the first fitting policy route gives, None where the routing table decides."""
    connected = {name: IPv4Network(ip, strict=False) for name, ip in INTERFACES.items() if name not in world["down"]}

    def fits(rule, side, address):
        if not rule[side] and not rule[f"{side}addr"]:
            return True
        found = any(address in net for net in rule[side]) or inside(world, rule[f"{side}addr"], address)
        return found != (rule[f"{side}-negate"] == "enable")

    for rule in world["policy-routes"]:
        usable = rule["output-device"] in connected and (
            int(rule["gateway"]) == 0 or rule["gateway"] in connected[rule["output-device"]]
        )
        if rule["status"] == "disable" or (rule["action"] == "permit" and not usable):
            continue
        entering = not rule["input-device"] or (ingress in rule["input-device"]) != (
            rule["input-device-negate"] == "enable"
        )
        with_ports = rule["protocol"] in (TCP, UDP)
        service = rule["protocol"] in (0, packet.protocol) and (
            not with_ports or rule["start-port"] <= packet.destination_port <= rule["end-port"]
        )
        if entering and service and fits(rule, "src", packet.source) and fits(rule, "dst", packet.destination):
            if rule["action"] == "deny":
                return None
            return rule["output-device"], rule["gateway"] if int(rule["gateway"]) else packet.destination
    return None


def reference_policy(world, packet, ingress, egress):
    """The number of the first policy that fits, 0 if none does."""
    for number, policy in enumerate(world["policies"], 1):
        if policy["status"] == "disable":
            continue
        if policy["srcintf"] not in (ingress, "any") or policy["dstintf"] not in (egress, "any"):
            continue
        if inside(world, policy["srcaddr"], packet.source) == (policy["srcaddr-negate"] == "enable"):
            continue
        if inside(world, policy["dstaddr"], packet.destination) == (policy["dstaddr-negate"] == "enable"):
            continue
        service = SERVICES[policy["service"]]
        fits = service is None or (
            packet.protocol == service[0] and service[1] <= packet.destination_port <= service[2]
        )
        if fits == (policy["service-negate"] == "enable"):
            continue
        return number
    return 0


@settings(max_examples=300)
@given(configurations(), packets(), interface_names)
def test_evaluation_agrees_with_the_reference(world, packet, ingress):
    verdict = evaluate(as_tables(world), packet, ingress, links=Links(down=world["down"]))
    routes = reference_routes(world)
    own = [IPv4Address(ip.split("/")[0]) for name, ip in INTERFACES.items() if name not in world["down"]]
    back = [route for route in routes if packet.source in route[0]]
    if not back:
        assert verdict.action == "no-route"
    elif all(route[2] != ingress for route in back):
        assert (verdict.action, verdict.policy_id) == ("deny", None)
    elif packet.destination in own:
        assert verdict.egress == ""
    elif (way := reference_way(world, packet, ingress)) is None and not (
        best := reference_best(routes, packet.destination)
    ):
        assert verdict.action == "no-route"
    else:
        hops = {way} if way else {(interface, gateway or packet.destination) for _, gateway, interface, _ in best}
        assert (verdict.egress, verdict.next_hop) in hops
        number = reference_policy(world, packet, ingress, verdict.egress)
        assert verdict.policy_id == number
        assert verdict.action == (world["policies"][number - 1]["action"] if number else "deny")


@given(configurations())
def test_active_routes_agree_with_the_reference(world):
    forwarding = Forwarding(as_tables(world), Links(down=world["down"]))
    found = [
        (route.network, None if route.kind == "connect" else route.gateway, route.interface, route.priority)
        for route in forwarding.routing.routes
    ]
    assert sorted(map(str, found)) == sorted(map(str, reference_routes(world)))


@given(configurations(), packets(), interface_names)
def test_the_same_source_always_takes_the_same_of_several_routes(world, packet, ingress):
    forwarding = Forwarding(as_tables(world))
    other_port = Packet(packet.source, packet.destination, UDP, 7, 7)
    assert forwarding.next_hop(packet) == forwarding.next_hop(other_port)
    assert forwarding.evaluate(packet, ingress) == forwarding.evaluate(packet, ingress)


@given(configurations(), packets(), interface_names)
def test_a_device_with_these_rows_judges_the_same(world, packet, ingress):
    """The same rows, loaded (validated, made sparse) and dumped again, mean the same."""
    tables = as_tables(world)
    unique_routes = {str(sorted(({**row, "seq-num": 0}).items())): row for row in tables["router/static"]}
    tables["router/static"] = list(unique_routes.values())
    once = Device.from_json({"vdoms": {"root": tables}})
    again = Device.from_json(once.to_json())
    expected = evaluate(tables, packet, ingress)
    assert once.evaluate(packet, ingress) == again.evaluate(packet, ingress) == expected


ranges = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], sum(pair))), max_size=6)


@given(ranges, ranges, st.integers(0, 60))
def test_sets_of_addresses(first, second, value):
    def naive(pairs):
        return any(low <= value <= high for low, high in pairs)

    one, other = AddressSet.of(first), AddressSet.of(second)
    assert (value in one) == naive(first)
    assert (value in one.minus(other)) == (naive(first) and not naive(second))
    assert any(IPv4Address(value) in net for net in one.networks()) == naive(first)
