"""A FortiGate's configuration as kernel routes and one nftables ruleset: a pure function.

Written from the vendor's description alone, and on purpose by other means than the simulator's own evaluation
of packets: a random test compares the two. Policies are rules in table order in one ``forward`` chain; each
ends in ``accepted``, ``denied`` or ``refused``. Connections carry the id of their policy as connection mark.

Sessions: replies pass. Packets of the original direction are looked up again whenever they come, which is what
``firewall-session-dirty check-all`` amounts to – a session whose policy is gone ends, all others keep flowing
when rules are replaced; ``check-new`` policies let their sessions live. A TCP connection must begin with SYN.

Not imitated: IPv6, VIPs, address pools, virtual IPs, internet services, users, inspection, and weights of ECMP.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lab.network.kernel_firewall_objects import (
    Objects,
    Row,
    Tables,
    address_match,
    complement,
    enabled,
    references,
    union,
)
from lab.network.kernel_firewall_routes import Leg, Route, active_routes, legs, reachable_through
from lab.network.kernel_firewall_schedules import in_force
from lab.network.kernel_policy_routes import Way, policy_routes

TABLE = "k8snet_firewall"
IMPLICIT_DENY = 0
ENDED = 0xFFFFFFFF
"""Connection mark of a session that a later change has ended; no policy can have this id."""

MANAGEMENT_PORTS = {"https": "tcp dport {https}", "http": "tcp dport 80", "ssh": "tcp dport 22",
                    "ping": "icmp type echo-request"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """What the kernel of the firewall's namespace is to do."""

    legs: tuple[Leg, ...]
    routes: tuple[Route, ...]
    policies: tuple[int, ...]
    """Every policy id with a pair of counters; 0 is the implicit deny."""
    chains: str
    """Body of the table: counters and chains. `transaction` wraps it."""
    carrier: tuple[str, ...] | None
    """The interfaces that were taken to exist and to have a link; None: all."""
    ways: tuple[Way, ...]
    """Where policy routes send what the rules have marked."""
    problems: tuple[str, ...]
    """What could not be expressed and therefore matches nothing."""

    def transaction(self, stale: Collection[int] = ()) -> str:
        """Input of ``nft -f``: replaces all rules at once and keeps counters.

        *stale* are policies whose counters exist but which are gone.
        """
        deletions = [f"delete counter ip {TABLE} {kind}_{policy}" for policy in stale for kind in ("hits", "traffic")]
        return "\n".join(
            [
                f"add table ip {TABLE}",
                f"flush table ip {TABLE}",
                *deletions,
                f"table ip {TABLE} {{\n{self.chains}}}\n",
            ]
        )


def program(
    tables: Tables,
    now: datetime,
    *,
    carrier: Collection[str] | None = None,
    failed_monitors: Collection[str] = (),
    https_port: int = 443,
) -> Program:
    """Translate one VDOM's tables.

    *now* (the device's local time) decides which schedules are in force, *carrier* names the interfaces that
    exist and have a link (default: all), *failed_monitors* the link monitors that get no answers.
    """
    interfaces = legs(tables, carrier)
    routes = active_routes(tables, interfaces, failed_monitors)
    objects = Objects(tables)
    forward: list[str] = []
    settings = (tables.get("system/settings") or [{}])[0]
    decides = settings.get("ngfw-mode") != "policy-based"
    rows = [row for row in tables.get("firewall/policy", ()) if decides and _usable(row, objects)]
    for row in rows:
        if row.get("status", "enable") == "enable" and in_force(row, tables, now, objects.problems):
            forward += _policy(row, objects)
    ids = (IMPLICIT_DENY, *(row["policyid"] for row in rows))
    ways, marking = policy_routes(tables.get("router/policy", ()), objects, interfaces, routes)
    chains = [
        *_counters(ids),
        *(_chain("prerouting", "type filter hook prerouting priority mangle; policy accept;", marking)
          if marking else ()),
        *_chain("forward", "type filter hook forward priority filter; policy drop;", [
            *_session_rules([row["policyid"] for row in rows if row.get("firewall-session-dirty") == "check-new"]),
            *_reverse_path(interfaces, routes, strict=enabled(settings, "strict-src-check")),
            *_intrazone(tables),
            *forward,
            "meta mark set 0 goto denied",
        ]),
        *_verdicts(ids),
        *_chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;",
                _masquerade([row["policyid"] for row in rows if enabled(row, "nat")])),
        *_chain("input", "type filter hook input priority filter; policy drop;",
                _local(interfaces, routes, https_port)),
    ]  # fmt: skip
    links = None if carrier is None else tuple(carrier)
    problems = tuple(dict.fromkeys(objects.problems))
    return Program(interfaces, routes, ids, "\n".join(chains) + "\n", links, ways, problems)


def _usable(row: Row, objects: Objects) -> bool:
    """Whether a policy concerns the IPv4 packets of this network at all."""
    foreign = [key for key in ("internet-service", "internet-service-src") if enabled(row, key)]
    if foreign or row.get("action", "deny") == "ipsec":
        objects.problems.append(f"policy {row['policyid']}: {', '.join(foreign) or 'ipsec'} matches nothing here")
        return False
    return True


def _policy(row: Row, objects: Objects) -> Iterator[str]:
    """One rule: where from, where to, and inside it the services, each ending in the verdict."""
    zones = {zone["name"]: references(zone, "interface", "interface-name")
             for zone in objects.tables.get("system/zone", ())}  # fmt: skip
    where = [
        _devices("iifname", references(row, "srcintf"), zones),
        _devices("oifname", references(row, "dstintf"), zones),
        _addresses("ip saddr", row, "srcaddr", objects),
        _addresses("ip daddr", row, "dstaddr", objects),
    ]
    services = objects.services(references(row, "service"))
    if any(match is None for match in where):
        return
    verdict = f"meta mark set {row['policyid']} goto {_verdict(row)}"
    if enabled(row, "service-negate"):
        inside = [*(f"{match} return" for match in services), verdict]
    else:
        inside = [f"{match} {verdict}" for match in services]
    if inside:
        yield " ".join(match for match in where if match) + " jump {"
        yield from (f"  {line.strip()}" for line in inside)
        yield "}"


def _verdict(row: Row) -> str:
    if row.get("action", "deny") == "accept":
        return "accepted"
    return "refused" if enabled(row, "send-deny-packet") else "denied"


def _devices(selector: str, names: Sequence[str], zones: dict[str, list[str]]) -> str | None:
    if "any" in names:
        return ""
    devices = sorted({device for name in names for device in zones.get(name, [name])})
    quoted = ", ".join(f'"{device}"' for device in devices)
    return f"{selector} {{ {quoted} }}" if devices else None


def _addresses(selector: str, row: Row, attribute: str, objects: Objects) -> str | None:
    found = objects.addresses(references(row, attribute))
    return address_match(selector, complement(found) if enabled(row, f"{attribute}-negate") else found)


def _session_rules(untouched: Sequence[int]) -> Iterator[str]:
    yield "ct state invalid drop"
    yield "ct state related accept"
    yield f"ct mark {ENDED} ct direction reply drop"
    yield f"ct mark {ENDED} tcp flags & (syn | ack) != syn drop"
    yield "ct state established ct direction reply jump replies"
    if untouched:
        yield f"ct state established ct mark {{ {_list(untouched)} }} accept"
    yield "ct state new tcp flags & (fin | syn | rst | ack) != syn drop"


def _reverse_path(interfaces: Sequence[Leg], routes: Sequence[Route], *, strict: bool) -> Iterator[str]:
    """Drop a new connection whose source could not be answered through the interface it came from."""
    for leg in interfaces:
        if not leg.source_check or not leg.up:
            continue
        if strict:
            yield f'ct state new iifname "{leg.name}" fib saddr . iif oif 0 drop'
            continue
        reachable = union(
            (int(prefix.network_address), int(prefix.broadcast_address)) for prefix in reachable_through(leg, routes)
        )
        foreign = address_match("ip saddr", complement(reachable))
        if foreign is not None:
            yield f'ct state new iifname "{leg.name}" {foreign} drop'


def _intrazone(tables: Tables) -> Iterator[str]:
    """Members of a zone with ``intrazone allow`` reach each other; policies are not asked."""
    for zone in tables.get("system/zone", ()):
        members = ", ".join(f'"{name}"' for name in references(zone, "interface", "interface-name"))
        if zone.get("intrazone", "deny") == "allow" and members:
            yield f"iifname {{ {members} }} oifname {{ {members} }} accept"


def _verdicts(ids: Sequence[int]) -> Iterator[str]:
    count_hit = f"ct state new counter name meta mark map {{ {_counter_map('hits', ids)} }}"
    count = f"counter name meta mark map {{ {_counter_map('traffic', ids)} }}"
    yield from _chain("accepted", None, ["ct mark set meta mark", count_hit, count, "accept"])
    end = f"ct state established ct mark set {ENDED}"
    yield from _chain("denied", None, [end, count_hit, count, "drop"])
    yield from _chain("refused", None, [
        end, count_hit, count, "meta l4proto tcp reject with tcp reset", "reject with icmp type admin-prohibited",
    ])  # fmt: skip
    yield from _chain("replies", None, [
        f"counter name ct mark map {{ {_counter_map('traffic', ids)} }}", "accept",
    ])  # fmt: skip


def _masquerade(ids: Sequence[int]) -> Iterator[str]:
    if ids:
        yield f"meta mark {{ {_list(ids)} }} masquerade"


def _local(interfaces: Sequence[Leg], routes: Sequence[Route], https_port: int) -> Iterator[str]:
    """Packets for the firewall itself: only what each interface's ``allowaccess`` names."""
    yield "ct state established,related accept"
    yield 'iifname "lo" accept'
    yield from _reverse_path(interfaces, routes, strict=False)
    for leg in interfaces:
        for name in sorted(leg.access & MANAGEMENT_PORTS.keys()):
            yield f'iifname "{leg.name}" {MANAGEMENT_PORTS[name].format(https=https_port)} accept'


def _counters(ids: Sequence[int]) -> Iterator[str]:
    for policy in ids:
        yield f"  counter hits_{policy} {{ }}"
        yield f"  counter traffic_{policy} {{ }}"


def _counter_map(kind: str, ids: Sequence[int]) -> str:
    return ", ".join(f'{policy} : "{kind}_{policy}"' for policy in ids)


def _chain(name: str, hook: str | None, rules: Sequence[str] | Iterator[str]) -> Iterator[str]:
    yield f"  chain {name} {{"
    yield from (f"    {line}" for line in ([hook] if hook else []))
    yield from (f"    {rule}" for rule in rules)
    yield "  }"


def _list(ids: Sequence[int]) -> str:
    return ", ".join(str(policy) for policy in ids)
