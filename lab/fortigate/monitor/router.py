"""`monitor/router/*`: active routes."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network
from typing import Any

from lab.fortigate.attributes import Row
from lab.fortigate.monitor.endpoint import Endpoint, Question
from lab.fortigate.routing import Route

ROUTE_RIGHT = ("netgrp", "route-cfg")
STATISTICS_RIGHT = ("sysgrp", "cfg")


def _row(route: Route) -> Row:
    return {
        "ip_version": 4,
        "type": route.kind,
        "ip_mask": str(route.network),
        "distance": route.distance,
        "metric": 0,
        "priority": route.priority,
        "vrf": route.vrf,
        "gateway": str(route.gateway),
        "non_rc_gateway": "0.0.0.0",
        "interface": route.interface,
    }


def _routes(question: Question) -> list[Row]:
    rows = [_row(route) for route in question.device.forwarding(question.vdom).routing.routes]
    tests = []
    for name in ("ip_mask", "gateway", "type", "interface"):
        if wanted := question.parameter(name):
            value = str(ip_network(wanted, strict=False)) if name == "ip_mask" else wanted
            tests.append((name, value))
    combine = any if question.parameter("operator") == "or" else all
    if tests:
        rows = [row for row in rows if combine(row[name] == value for name, value in tests)]
    start = max(question.integer("start", 0), 0)
    cap = question.device.profile.monitor_row_cap
    return rows[start : start + min(max(question.integer("count", cap), 0), cap)]


def _lookup(question: Question) -> Row:
    destination = IPv4Address(question.parameter("destination").partition("/")[0])
    routes = question.device.forwarding(question.vdom).routing.best(destination)
    if question.device.profile.lookup_entries:
        return {
            "success": bool(routes),
            "error_message": "" if routes else "No route found",
            "entries": [_row(route) for route in routes],
        }
    if not routes:
        return {"success": False}
    first = routes[0]
    return {
        "success": True,
        "network": str(first.network),
        "gateway": str(first.gateway),
        "interface": first.interface,
    }


def _statistics(question: Question) -> Any:
    total = len(question.device.forwarding(question.vdom).routing.routes)
    return {"total_lines": total, "total_lines_ipv4": total, "total_lines_ipv6": 0}


ENDPOINTS = {
    "router/ipv4": Endpoint(_routes, ROUTE_RIGHT),
    "router/lookup": Endpoint(_lookup, ROUTE_RIGHT),
    "router/statistics": Endpoint(_statistics, STATISTICS_RIGHT),
}
