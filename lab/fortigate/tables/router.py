"""Definition of `router/*`."""

from __future__ import annotations

from ipaddress import IPv4Network

from lab.fortigate import errors
from lab.fortigate.attributes import Attribute, Kind, Row, child_table, choice, names, number, reference, switch, text
from lab.fortigate.errors import ConfigError, bad_value
from lab.fortigate.table import Rows, Table, Unique

_ANY = "0.0.0.0 0.0.0.0"


def _has_exit(row: Row, _: Rows) -> None:
    if row.get("blackhole") == "enable" or row.get("sdwan-zone") or row.get("sdwan") == "enable":
        return
    if not row.get("device"):
        raise ConfigError(errors.EMPTY, "device: empty value is not allowed")


def _address_may_route(row: Row, rows: Rows) -> None:
    if not (name := row.get("dstaddr")):
        return
    target = rows.get("firewall/address", name) or rows.get("firewall/addrgrp", name) or {}
    if target.get("allow-routing") != "enable":
        raise errors.missing_reference(name, errors.INVALID_VALUE)
    if row.get("dst", _ANY) != _ANY:
        raise ConfigError(errors.EXCLUSIVE, "dst and dstaddr are mutually exclusive")


def _content(row: Row) -> object:
    """Everything but the number; two routes that agree in this are refused."""
    return frozenset((name, str(value)) for name, value in row.items() if name != "seq-num")


STATIC = Table(
    "router",
    "static",
    "seq-num",
    ("netgrp", "route-cfg"),
    (
        number("seq-num", 0, 4294967295, is_key=True),
        switch("status", "enable"),
        Attribute("dst", Kind.NETWORK, _ANY),
        Attribute("src", Kind.NETWORK, _ANY),
        Attribute("gateway", Kind.ADDRESS, "0.0.0.0"),
        Attribute("preferred-source", Kind.ADDRESS, "0.0.0.0", since=(7, 4)),
        number("distance", 1, 255, 10),
        number("weight", 0, 255, 0),
        number("priority", 0, 65535, 0, until=(7,)),
        number("priority", 0, 65535, 1, since=(7,), until=(7, 0, 4)),
        number("priority", 1, 65535, 1, since=(7, 0, 4)),
        reference("device", "system/interface", size=35),
        text("comment", 255),
        switch("blackhole"),
        switch("dynamic-gateway"),
        switch("sdwan", until=(7, 0, 1)),
        child_table("sdwan-zone", text("name", 79, is_key=True), since=(7, 0, 1)),
        reference("dstaddr", "firewall/address", "firewall/addrgrp"),
        number("internet-service", 0, 4294967295),
        text("internet-service-custom", 64),
        text("internet-service-fortiguard", 64, since=(7, 6, 4)),
        switch("link-monitor-exempt"),
        number("tag", 0, 4294967295, since=(7, 2, 4)),
        number("vrf", 0, 31, until=(7,)),
        number("vrf", 0, 511, since=(7,)),
        switch("bfd"),
    ),
    zero_key_refused=True,
    rules=(_has_exit, _address_may_route),
    unique=(
        Unique(
            _content,
            errors.DUPLICATE_CONTENT,
            "Duplicated entry.\nobject set operator error, -15 discard the setting",
        ),
    ),
)


def _subnets_are_networks(row: Row, _: Rows) -> None:
    """`10.0.0.0/255.0.0.0` or `10.0.0.0/8`."""
    for name in ("src", "dst"):
        for item in row.get(name, ()):
            try:
                IPv4Network(item["subnet"].replace(" ", "/"), strict=False)
            except ValueError:
                raise bad_value(item["subnet"], errors.INVALID_VALUE) from None


def _leads_somewhere(row: Row, _: Rows) -> None:
    """A gateway, an interface or both; only one that ends the search needs neither."""
    to_nobody = row.get("gateway", "0.0.0.0") == "0.0.0.0" and not row.get("output-device")
    if row.get("action", "permit") == "permit" and to_nobody:
        raise ConfigError(errors.EMPTY, "output-device: empty value is not allowed")


# Columns as in the vendor's CLI reference (6.2 to 7.6); which of them may be empty together is assumed.
POLICY = Table(
    "router",
    "policy",
    "seq-num",
    ("netgrp", "route-cfg"),
    (
        number("seq-num", 0, 65535, is_key=True),
        names("input-device", "system/interface"),
        switch("input-device-negate"),
        child_table("src", text("subnet", 79, is_key=True)),
        names("srcaddr", "firewall/address", "firewall/addrgrp"),
        switch("src-negate"),
        child_table("dst", text("subnet", 79, is_key=True)),
        names("dstaddr", "firewall/address", "firewall/addrgrp"),
        switch("dst-negate"),
        choice("action", "deny permit", "permit"),
        number("protocol", 0, 255),
        number("start-port", 0, 65535),
        number("end-port", 0, 65535, 65535),
        number("start-source-port", 0, 65535),
        number("end-source-port", 0, 65535, 65535),
        Attribute("gateway", Kind.ADDRESS, "0.0.0.0"),
        reference("output-device", "system/interface", size=35),
        text("tos", 10, default="0x00"),
        text("tos-mask", 10, default="0x00"),
        switch("status", "enable"),
        text("comments", 255),
        child_table("internet-service-id", number("id", 0, 4294967295, is_key=True)),
        child_table("internet-service-custom", text("name", 79, is_key=True)),
        child_table("internet-service-fortiguard", text("name", 79, is_key=True), since=(7, 6, 4)),
        child_table("users", text("name", 79, is_key=True), since=(7, 6, 3)),
        child_table("groups", text("name", 79, is_key=True), since=(7, 6, 3)),
    ),
    ordered=True,
    zero_key_refused=True,
    rules=(_subnets_are_networks, _leads_somewhere),
)

TABLES = [STATIC, POLICY]
