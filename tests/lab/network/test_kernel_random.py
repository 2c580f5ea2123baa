"""Two opinions about the same firewall: the simulator's evaluation of packets, and the kernel's.

Random configurations are given to `lab.fortigate` and, through `kernel_firewall`, to nftables; random packets are
asked of the one and sent through the other. They were written independently: any difference is a mistake in one.
"""

import os
import random
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from lab.fortigate.clock import Clock
from lab.fortigate.device import Device
from lab.fortigate.packets import Packet, Reason, Verdict
from lab.network.kernel_firewall import Program
from lab.network.kernel_firewall_apply import apply, counters
from lab.network.kernel_firewall_objects import Tables
from lab.network.kernel_fortigate import tables_of
from lab.network.kernel_injection import Emerged, Injection, Probe, injection
from lab.network.kernel_requirements import missing

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(missing() is not None, reason=f"no kernel network here: {missing()}"),
]

LEGS = ("one", "two", "three", "four")
NETWORKS = {name: IPv4Network(f"10.{number}.0.0/24") for number, name in enumerate(LEGS, 1)}
ROUTED = [
    IPv4Network(text) for text in ("10.68.0.0/16", "10.68.4.0/24", "172.20.0.0/16", "172.20.4.222/32", "0.0.0.0/0")
]
GATEWAYS = {name: [network[10], network[11]] for name, network in NETWORKS.items()}
SEEDS = range(int(os.environ.get("K8SNET_RANDOM_SEEDS", "40")))
PACKETS = 200
MONDAY_NOON = 1_750_075_200.0  # 2025-06-16 12:00 UTC: what schedules let through must not depend on today


@dataclass
class Dice:
    """Everything random in one configuration."""

    random: random.Random

    def maybe(self, probability: float) -> bool:
        return self.random.random() < probability

    def some(self, choices: list[str], most: int = 3) -> list[str]:
        return self.random.sample(choices, min(len(choices), self.random.randint(1, most)))

    def wide(self, everything: str, choices: list[str], most: int) -> list[str]:
        """Often everything: a policy that names something rare in each column meets no packet."""
        return [everything] if self.maybe(0.4) else self.some(choices, most)

    def address(self) -> IPv4Address:
        network = self.random.choice([*NETWORKS.values(), *NETWORKS.values(), *ROUTED])
        if network.prefixlen == 0:
            return IPv4Address(self.random.choice(["198.51.100.7", "203.0.113.9", "10.200.1.1"]))
        if network.prefixlen == 32:
            return network[0]
        return network[self.random.choice([5, 6, 7, 10, 20, 33, 100, 130, 200])]

    def ports(self) -> str:
        low = self.random.choice([1, 22, 53, 80, 443, 1000, 6000])
        text = str(low) if self.maybe(0.4) else f"{low}-{low + self.random.randint(1, 9000)}"
        return text + (":1-30000" if self.maybe(0.2) else ":20000-65535" if self.maybe(0.1) else "")


def named(names: list[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def addresses(dice: Dice) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(10):
        base = dice.address()
        kind = dice.random.choice(["ipmask", "ipmask", "ipmask", "iprange", "wildcard", "fqdn"])
        row: dict[str, Any] = {"name": f"address-{number}", "type": kind}
        if kind == "ipmask":
            row["subnet"] = f"{base}/{dice.random.choice([8, 12, 16, 20, 24, 25, 30, 32, 32])}"
        elif kind == "iprange":
            row |= {"start-ip": str(base), "end-ip": str(base + dice.random.randint(0, 2000))}
        elif kind == "wildcard":
            row["wildcard"] = f"{base} {dice.random.choice(['255.0.255.0', '255.255.240.7', '255.255.255.250'])}"
        else:
            row["fqdn"] = "redis.example"
        rows.append(row)
    return rows


def groups(dice: Dice, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups of addresses and of groups. Where the simulator subtracts, it looks at ranges only: no wildcards there."""
    members = [row["name"] for row in objects]
    ranges = [row["name"] for row in objects if row["type"] != "wildcard"]
    rows = []
    for number in range(4):
        row: dict[str, Any] = {"name": f"group-{number}", "member": named(dice.some(members))}
        if dice.maybe(0.4):
            row |= {"member": named(dice.some(ranges))}
            row |= {"exclude": "enable", "exclude-member": named(dice.some(ranges))}
            ranges = [*ranges, row["name"]]
        rows.append(row)
        members = [*members, row["name"]]
    return rows


def services(dice: Dice) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(6):
        row: dict[str, Any] = {"name": f"service-{number}"}
        kind = dice.random.choice(["ports", "ports", "ports", "icmp", "ip"])
        if kind == "ports":
            row |= {f"{transport}-portrange": dice.ports() for transport in dice.some(["tcp", "udp"], 2)}
            if dice.maybe(0.3):
                row["tcp-portrange"] = f"{dice.ports()} {dice.ports()}"
        elif kind == "icmp":
            row |= {"protocol": "ICMP"} | ({"icmptype": dice.random.choice([8, 13])} if dice.maybe(0.7) else {})
            if "icmptype" in row and dice.maybe(0.4):
                row["icmpcode"] = dice.random.choice([0, 1])
        else:
            row |= {"protocol": "IP", "protocol-number": dice.random.choice([0, 6, 50, 89])}
        rows.append(row)
    return rows


def routes(dice: Dice) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(1, dice.random.randint(2, 9)):
        device = dice.random.choice(LEGS)
        row: dict[str, Any] = {"seq-num": number, "device": device, "dst": str(dice.random.choice(ROUTED))}
        row["gateway"] = str(dice.random.choice([*GATEWAYS[device], *GATEWAYS[device], IPv4Address("10.99.0.1")]))
        row["distance"] = dice.random.choice([10, 10, 20])
        row["priority"] = dice.random.choice([1, 1, 5])
        if dice.maybe(0.1):
            row["status"] = "disable"
        if dice.maybe(0.1):
            row |= {"blackhole": "enable", "device": "", "gateway": "0.0.0.0", "distance": 30}
        rows.append(row)
    return without_choices_between_legs(rows)


def without_choices_between_legs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Equal routes only through one leg: which of two legs a flow takes is the kernel's to choose."""
    leg: dict[tuple[str, int, int], str] = {}

    def chosen(row: dict[str, Any]) -> str:
        return leg.setdefault((row["dst"], row["distance"], row["priority"]), row["device"])

    different = {frozenset((k, v) for k, v in row.items() if k != "seq-num"): row for row in rows}  # the device insists
    return [row for row in different.values() if chosen(row) == row["device"]]


def policies(dice: Dice, names: dict[str, list[str]]) -> list[dict[str, Any]]:
    rows = []
    for number in dice.random.sample(range(1, 60), dice.random.randint(4, 20)):
        row: dict[str, Any] = {
            "policyid": number,
            "srcintf": named(dice.wide("any", names["interfaces"], 2)),
            "dstintf": named(dice.wide("any", names["interfaces"], 2)),
            "srcaddr": named(dice.wide("all", names["addresses"], 3)),
            "dstaddr": named(dice.wide("all", names["addresses"], 3)),
            "service": named(dice.wide("ALL", names["services"], 3)),
            "action": dice.random.choice(["accept", "accept", "deny"]),
            "schedule": dice.random.choice(["always", "always", "always", "none", "weekdays", "nights", "either"]),
            "status": dice.random.choice(["enable", "enable", "enable", "disable"]),
        }
        for field in ("srcaddr-negate", "dstaddr-negate", "service-negate", "send-deny-packet"):
            if dice.maybe(0.12):
                row[field] = "enable"
        if row["action"] == "accept" and dice.maybe(0.25):
            row["nat"] = "enable"
        rows.append(row)
    return rows


def policy_routes(dice: Dice, names: list[str]) -> list[dict[str, Any]]:
    rows = []
    for number in range(1, dice.random.choice([1, 1, 2, 3, 4])):
        device = dice.random.choice(LEGS)
        row: dict[str, Any] = {
            "seq-num": number,
            "input-device": named(dice.some(list(LEGS), 2)) if dice.maybe(0.7) else [],
            "srcaddr": named(dice.some(names, 2)) if dice.maybe(0.4) else [],
            "dst": [{"subnet": str(dice.random.choice(ROUTED))}] if dice.maybe(0.6) else [],
            "action": dice.random.choice(["permit", "permit", "permit", "deny"]),
            "gateway": str(dice.random.choice([*GATEWAYS[device], IPv4Address("10.99.0.1"), IPv4Address(0)])),
            "output-device": device,
            "status": dice.random.choice(["enable", "enable", "enable", "disable"]),
        }
        for field in ("input-device-negate", "src-negate", "dst-negate"):
            if dice.maybe(0.15):
                row[field] = "enable"
        if dice.maybe(0.5):
            low = dice.random.choice([0, 22, 80, 443])
            row |= {"protocol": dice.random.choice([1, 6, 6, 17]), "start-port": low, "end-port": low + 5000}
        rows.append(row)
    return rows


def configuration(dice: Dice) -> dict[str, list[dict[str, Any]]]:
    zone = [{"name": "zone", "intrazone": dice.random.choice(["allow", "deny"]),
             "interface": [{"interface-name": "three"}, {"interface-name": "four"}]}]  # fmt: skip
    zones = zone if dice.maybe(0.5) else []
    some_addresses, some_services = addresses(dice), services(dice)
    some_groups = groups(dice, some_addresses)
    names = {
        "interfaces": [*(("one", "two", "zone") if zones else LEGS), "any"],
        "addresses": ["all", *(row["name"] for row in (*some_addresses, *some_groups))],
        "services": ["ALL", "ALL_TCP", "ALL_UDP", "ALL_ICMP", "DNS", "PING", "HTTP", "bundle",
                     *(row["name"] for row in some_services)],
    }  # fmt: skip
    return {
        "system/interface": [
            {"name": name, "ip": f"{network[1]} 255.255.255.0",
             "status": "down" if dice.maybe(0.06) else "up"}
            for name, network in NETWORKS.items()
        ],
        "system/zone": zones,
        "system/settings": [{"strict-src-check": "enable" if dice.maybe(0.2) else "disable"}],
        "firewall/address": some_addresses,
        "firewall/addrgrp": some_groups,
        "firewall.service/custom": some_services,
        "firewall.service/group": [{"name": "bundle", "member": named(["DNS", "service-0", "service-1"])}],
        "firewall.schedule/recurring": [
            {"name": "weekdays", "day": "monday tuesday wednesday thursday friday", "start": "08:00", "end": "18:00"},
            {"name": "nights", "day": "sunday monday", "start": "22:00", "end": "06:00"},
        ],
        "firewall.schedule/group": [{"name": "either", "member": named(["weekdays", "nights"])}],
        "router/static": routes(dice),
        "router/policy": policy_routes(dice, names["addresses"]),
        "firewall/policy": policies(dice, names),
    }  # fmt: skip


def probes(dice: Dice, up: list[str]) -> list[Probe]:
    """Packets that each begin a flow of their own; none is for the firewall itself."""
    own = {network[1] for network in NETWORKS.values()}
    found: dict[frozenset[tuple[IPv4Address, int, int]], Probe] = {}
    portless: frozenset[tuple[IPv4Address, int, int]] = frozenset()
    for _ in range(PACKETS):
        leg = dice.random.choice(up)
        source, destination = dice.address(), dice.address()
        if dice.maybe(0.75):  # mostly from where it belongs: else the reverse path check ends most of them
            source = NETWORKS[leg][dice.random.choice([5, 6, 7, 20, 33, 100, 130, 200])]
        if source == destination or own & {source, destination}:
            continue
        protocol = dice.random.choice([6, 6, 6, 17, 17, 1, 50, 89])
        source_port = dice.random.randint(1, 65535) if protocol in (1, 6, 17) else 0
        destination_port = dice.random.choice([22, 53, 80, 443, 1500, 6379, 9000, 65535]) if protocol in (6, 17) else 0
        probe = Probe(
            leg, source, destination, protocol, source_port, destination_port,
            dice.random.choice([8, 8, 8, 13]), dice.random.choice([0, 0, 1]),
        )  # fmt: skip
        ends = frozenset({(source, source_port, protocol), (destination, destination_port, protocol)})
        if protocol in (1, 6, 17):
            found.setdefault(ends, probe)
        elif not ends & portless:  # without ports, flows that share an end may become one, in both directions
            portless |= ends
            found[ends] = probe
    return list(found.values())


def asked(device: Device, probe: Probe) -> Verdict:
    icmp = probe.protocol == 1
    ports = probe.protocol in (6, 17)
    return device.evaluate(
        Packet(
            probe.source,
            probe.destination,
            probe.protocol,
            probe.source_port if ports else 0,
            probe.destination_port if ports else 0,
            icmp_type=probe.icmp_type if icmp else None,
            icmp_code=probe.icmp_code if icmp else None,
        ),
        probe.leg,
    )


def difference(program: Program, expected: Verdict, seen: Emerged | None) -> str | None:
    """What the two disagree about, in words."""
    if not expected.accepted or seen is None:
        return None if not expected.accepted and seen is None else f"simulator {expected}, kernel {seen}"
    if seen.leg != expected.egress:
        return f"came out of {seen.leg}, not {expected.egress}"
    translated = expected.translated_source
    if translated is not None and seen.source != translated:
        return f"source is {seen.source}, not {translated}"
    hops = {hop.gateway for route in program.routes for hop in route.hops if len(route.hops) > 1}
    if (
        seen.next_hop is not None
        and seen.next_hop != expected.next_hop
        and not {seen.next_hop, expected.next_hop} <= hops
    ):
        return f"sent to {seen.next_hop}, not {expected.next_hop}"
    return None


async def compare(bench: Injection, device: Device, tables: Tables, packets: list[Probe]) -> list[str]:
    now = device.clock.local_time()
    program = await apply(bench.run, tables, now)
    up = [leg.name for leg in program.legs if leg.up]
    await bench.gateways({name: GATEWAYS[name] for name in up})
    before = await counters(bench.run)
    verdicts = [asked(device, probe) for probe in packets]
    emerged = await bench.send(packets)
    after = await counters(bench.run)
    found = [
        f"{probe}: {words}"
        for probe, verdict, seen in zip(packets, verdicts, emerged, strict=True)
        if (words := difference(program, verdict, seen)) is not None
    ]
    decided = Counter(v.policy_id for v in verdicts if v.reason in (Reason.POLICY, Reason.IMPLICIT_DENY))
    hits = {i: after[i].hits - before[i].hits for i in after if after[i].hits != before[i].hits}
    if hits != decided:
        found.append(f"hits by policy: simulator {dict(decided)}, kernel {hits}")
    return found


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_kernel_and_the_simulator_agree_on_every_packet(seed: int) -> None:
    dice = Dice(random.Random(seed))
    tables = configuration(dice)
    device = Device.from_json({"vdoms": {"root": tables}})
    up = [row["name"] for row in tables["system/interface"] if row["status"] == "up"]
    if not up:
        pytest.fail("this seed leaves no leg up: it tests nothing")
    packets = probes(dice, up)
    async with injection(LEGS) as bench:
        differences = await compare(bench, device, tables_of(device), packets)
    assert differences == [], f"seed {seed}: {tables}"


def test_the_packets_meet_every_kind_of_policy() -> None:
    """Agreement on packets that no policy decides would prove little."""
    met: Counter[str] = Counter()
    for seed in range(24):
        dice = Dice(random.Random(seed))
        tables = configuration(dice)
        device = Device.from_json({"vdoms": {"root": tables}}, clock=Clock(frozen_at=MONDAY_NOON))
        rows = {row["policyid"]: row for row in tables["firewall/policy"]}
        up = [row["name"] for row in tables["system/interface"] if row["status"] == "up"]
        packets = probes(dice, up)
        verdicts = [asked(device, probe) for probe in packets]
        for row in device.rows("router/policy"):
            device.update("router/policy", row["seq-num"], {"status": "disable"})
        ways = [(verdict.egress, verdict.next_hop) for verdict in (asked(device, probe) for probe in packets)]
        met["policy route"] += sum((v.egress, v.next_hop) != way for v, way in zip(verdicts, ways, strict=True))
        for row in (rows[verdict.policy_id] for verdict in verdicts if verdict.reason is Reason.POLICY):
            met.update(kinds(row))
    assert met["accept"] > 400
    assert met["deny"] > 200
    assert met["policy route"] > 100
    rare = ("group", "zone", "custom service", "srcaddr-negate", "dstaddr-negate", "service-negate", "nat", "schedule")
    assert {kind: met[kind] for kind in rare if met[kind] < 10} == {}


def kinds(row: dict[str, Any]) -> list[str]:
    """What a policy that decided about a packet is an example of."""
    named_here = [
        ref["name"] for field in ("srcaddr", "dstaddr", "service", "srcintf", "dstintf") for ref in row[field]
    ]
    found = [row["action"], *(field for field, value in row.items() if value == "enable")]
    found += ["group"] * any(name.startswith("group-") for name in named_here)
    found += ["custom service"] * any(name.startswith("service-") or name == "bundle" for name in named_here)
    found += ["zone"] * ("zone" in named_here)
    found += ["schedule"] * (row["schedule"] != "always")
    return found
