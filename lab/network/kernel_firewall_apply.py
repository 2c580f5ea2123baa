"""Brings the kernel of the firewall's namespace to what its configuration says, changing only what differs.

Rules are replaced in one transaction, routes one prefix at a time; connections and counters live on. Calling it
again without a change does nothing but confirm.
"""

import json
import subprocess
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from lab.network.kernel_firewall import TABLE, Program, program
from lab.network.kernel_firewall_objects import Tables
from lab.network.kernel_firewall_routes import BLACKHOLE, NO_GATEWAY, Hop, Leg, Route, active_routes, legs
from lab.network.kernel_policy_routes import FIRST_MARK, Way

ROUTING = ("router/static", "firewall/address", "firewall/addrgrp", "system/link-monitor")
"""The tables that decide which static routes are active."""
Run = Callable[[Sequence[str], str], Awaitable["subprocess.CompletedProcess[str]"]]
"""Runs a command with a given input in the firewall's namespace."""


class KernelRefused(RuntimeError):
    """``ip`` or ``nft`` did not accept what it was given; the message has its words."""


@dataclass(frozen=True, slots=True)
class PolicyCounters:
    """What the kernel counted for one policy."""

    hits: int
    """Sessions begun, or for a denying policy packets of new sessions."""
    packets: int
    """Packets of both directions."""
    bytes: int


@dataclass(frozen=True, slots=True)
class _Device:
    up: bool
    carrier: bool
    addresses: frozenset[IPv4Interface]


async def apply(
    run: Run,
    tables: Tables,
    now: datetime,
    *,
    failed_monitors: Collection[str] = (),
    unplugged: Collection[str] = (),
    https_port: int = 443,
) -> Program:
    """Translate the tables and apply the result; arguments as in `kernel_firewall.program`.

    Interfaces that the namespace does not have count as down; those in *unplugged* are taken down.
    """
    devices = await _devices(run)
    wanted = legs(tables, devices.keys() - set(unplugged))
    if batch := list(_link_changes(wanted, devices)):
        await _ip(run, batch)
        devices = await _devices(run)
    carrier = [name for name, device in devices.items() if device.carrier]
    result = program(tables, now, carrier=carrier, failed_monitors=failed_monitors, https_port=https_port)
    stale = (await counters(run)).keys() - set(result.policies)
    await _checked(run, ["nft", "-f", "-"], result.transaction(sorted(stale)))
    batch = [*_route_changes(result.routes, await routes(run)), *_way_changes(result.ways, await _ways(run))]
    if batch:
        await _ip(run, batch)
    return result


async def reroute(
    run: Run,
    before: Program,
    routing: Tables,
    everything: Callable[[], Tables],
    now: datetime,
    *,
    failed_monitors: Collection[str] = (),
    https_port: int = 443,
) -> Program | None:
    """After a change of static routes alone: one command instead of five, as a device does not start anew for a row.

    *routing* are the tables that decide about routes (`ROUTING`), *everything* gives all of them. None, and nothing
    is done, when more than routes differs from what was applied *before*.
    """
    if before.ways:
        return None  # they may lead by one of these routes
    ways = active_routes(routing, before.legs, failed_monitors)
    if _ends(ways) == _ends(before.routes):
        result = replace(before, routes=ways)  # rules tell networks and devices apart, never next hops
    else:
        result = program(
            everything(), now, carrier=before.carrier, failed_monitors=failed_monitors, https_port=https_port
        )
        if (result.chains, result.legs) != (before.chains, before.legs):
            return None
    if batch := list(_route_changes(result.routes, {route.prefix: route.hops for route in before.routes})):
        await _ip(run, batch)
    return result


def _ends(routes: Sequence[Route]) -> list[tuple[IPv4Network, frozenset[str], list[str]]]:
    """Everything about routes but their next hops."""
    return [(route.prefix, route.devices, [hop.device for hop in route.hops]) for route in routes]


async def counters(run: Run) -> dict[int, PolicyCounters]:
    """The counters by policy id; 0 is the implicit deny. Empty before the first `apply`."""
    listed = await run(["nft", "-j", "list", "counters", "table", "ip", TABLE], "")
    if listed.returncode != 0:
        return {}
    found = {
        item["counter"]["name"]: item["counter"] for item in json.loads(listed.stdout)["nftables"] if "counter" in item
    }
    return {
        int(name.removeprefix("hits_")): PolicyCounters(
            hits=counter["packets"],
            packets=found[name.replace("hits", "traffic")]["packets"],
            bytes=found[name.replace("hits", "traffic")]["bytes"],
        )
        for name, counter in found.items()
        if name.startswith("hits_")
    }


async def routes(run: Run) -> dict[IPv4Network, tuple[Hop, ...]]:
    """The static routes that the kernel has now."""
    listed = await _json(run, ["ip", "-j", "route", "show", "proto", "static"])
    found: dict[IPv4Network, tuple[Hop, ...]] = {}
    for row in listed:
        prefix = IPv4Network("0.0.0.0/0" if row["dst"] == "default" else row["dst"])
        if row.get("type") == "blackhole":
            found[prefix] = (Hop(BLACKHOLE, NO_GATEWAY),)
        else:
            hops = row.get("nexthops") or [row]
            found[prefix] = tuple(sorted(Hop(hop["dev"], IPv4Address(hop.get("gateway", "0.0.0.0"))) for hop in hops))
    return found


async def _ways(run: Run) -> frozenset[int]:
    """The marks that have a table of their own now."""
    rules = await _json(run, ["ip", "-j", "rule", "show"])
    return frozenset(mark for rule in rules if (mark := int(rule.get("fwmark", "0"), 16)) >= FIRST_MARK)


def _way_changes(wanted: Sequence[Way], present: Collection[int]) -> Iterator[str]:
    """Tables are filled each time: an interface that was down has lost them."""
    for mark in sorted({*present} - {way.mark for way in wanted}):
        yield f"rule del fwmark {mark} lookup {mark}"
        yield f"route flush table {mark}"
    for way in wanted:
        scope = " scope link" if way.hop.gateway == NO_GATEWAY else ""
        yield f"route replace default {_hop(way.hop)}{scope} table {way.mark}"
        if way.mark not in present:
            yield f"rule add fwmark {way.mark} lookup {way.mark}"


async def _devices(run: Run) -> dict[str, _Device]:
    return {
        row["ifname"]: _Device(
            up="UP" in row["flags"],
            carrier="LOWER_UP" in row["flags"],
            addresses=frozenset(
                IPv4Interface(f"{info['local']}/{info['prefixlen']}")
                for info in row["addr_info"]
                if info["family"] == "inet"
            ),
        )
        for row in await _json(run, ["ip", "-j", "address"])
        if row["ifname"] != "lo"
    }


def _link_changes(wanted: Iterable[Leg], devices: dict[str, _Device]) -> Iterator[str]:
    for leg in wanted:
        device = devices.get(leg.name)
        if device is None:
            continue
        for address in sorted(device.addresses - set(leg.addresses)):
            yield f"address del {address} dev {leg.name}"
        for address in leg.addresses:
            if address not in device.addresses:
                yield f"address add {address} brd + dev {leg.name}"
        if leg.up != device.up:
            yield f"link set {leg.name} {'up' if leg.up else 'down'}"


def _route_changes(wanted: Sequence[Route], present: dict[IPv4Network, tuple[Hop, ...]]) -> Iterator[str]:
    by_prefix = {route.prefix: route.hops for route in wanted}
    for prefix in present.keys() - by_prefix.keys():
        kind = "blackhole " if present[prefix][0].device == BLACKHOLE else ""
        yield f"route del {kind}{prefix} proto static"
    for prefix, hops in by_prefix.items():
        if present.get(prefix) != hops:
            yield f"route replace {_route(prefix, hops)}"


def _route(prefix: IPv4Network, hops: Sequence[Hop]) -> str:
    if hops[0].device == BLACKHOLE:
        return f"blackhole {prefix} proto static"
    if len(hops) == 1:
        return f"{prefix} proto static {_hop(hops[0])}"
    return " ".join([f"{prefix} proto static", *(f"nexthop {_hop(hop)}" for hop in hops)])


def _hop(hop: Hop) -> str:
    via = "" if hop.gateway == NO_GATEWAY else f"via {hop.gateway} "
    return f"{via}dev {hop.device}"


async def _ip(run: Run, batch: Sequence[str]) -> None:
    await _checked(run, ["ip", "-batch", "-"], "\n".join(batch) + "\n")


async def _json(run: Run, argv: Sequence[str]) -> Any:
    return json.loads((await _checked(run, argv, "")).stdout or "[]")


async def _checked(run: Run, argv: Sequence[str], stdin: str) -> "subprocess.CompletedProcess[str]":
    done = await run(argv, stdin)
    if done.returncode != 0:
        raise KernelRefused(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done
