"""Definition of `system/*`: interfaces, zones, link monitors, administrators and global settings."""

from __future__ import annotations

from lab.fortigate import errors
from lab.fortigate.attributes import (
    Attribute,
    Kind,
    Row,
    child_table,
    choice,
    names,
    nested,
    number,
    reference,
    switch,
    text,
)
from lab.fortigate.errors import ConfigError
from lab.fortigate.table import Rows, Table

INTERFACE = "system/interface"
ZONE = "system/zone"
NETWORK_RIGHT = ("netgrp", "cfg")
CONFIG_RIGHT = ("sysgrp", "cfg")
ADMIN_RIGHT = ("sysgrp", "admin")

PERMISSION_GROUPS = (
    "secfabgrp", "ftviewgrp", "authgrp", "sysgrp", "netgrp", "loggrp", "fwgrp", "vpngrp", "utmgrp",
    "wanoptgrp", "wifi",
)  # fmt: skip
SUB_RIGHTS = {
    "fwgrp": ("policy", "address", "service", "schedule", "others"),
    "netgrp": ("cfg", "packet-capture", "route-cfg"),
    "sysgrp": ("admin", "upd", "cfg", "mnt"),
    "loggrp": ("config", "data-access", "report-access", "threat-weight"),
    "utmgrp": ("antivirus", "ips", "webfilter", "application-control", "dnsfilter"),
}


def _one_zone_per_interface(row: Row, rows: Rows) -> None:
    for member in row.get("interface", ()):
        zones = rows.referrers(INTERFACE, member["interface-name"], by=ZONE)
        if set(zones) - {row["name"]}:
            raise errors.missing_reference(member["interface-name"], errors.INVALID_VALUE)


def _members_have_no_policy_of_their_own(row: Row, rows: Rows) -> None:
    for member in row.get("interface", ()):
        if rows.referrers(INTERFACE, member["interface-name"], by="firewall/policy"):
            raise ConfigError(errors.IN_USE, f"Interface {member['interface-name']} is used by a policy")


def _group(name: str) -> Attribute:
    return choice(name, "none read read-write custom" if name in SUB_RIGHTS else "none read read-write")


def _full_access(level: str) -> Row:
    return dict.fromkeys(PERMISSION_GROUPS, level)


_SERVICES = (
    "ping", "https", "ssh", "snmp", "http", "telnet", "fgfm", "radius-acct", "probe-response", "fabric", "ftm",
)  # fmt: skip

TABLES = [
    Table(
        "system",
        "interface",
        "name",
        NETWORK_RIGHT,
        (
            text("name", 15, is_key=True),
            text("vdom", 31, "root"),
            number("vrf", 0, 511),
            choice("mode", "static dhcp pppoe"),
            number("distance", 1, 255, 5),
            number("priority", 0, 65535, 1),
            Attribute("ip", Kind.HOST, "0.0.0.0 0.0.0.0"),
            Attribute("allowaccess", Kind.CHOICES, "", options=_SERVICES, until=(7, 0, 1)),
            Attribute("allowaccess", Kind.CHOICES, "", options=(*_SERVICES, "speed-test"), since=(7, 0, 1)),
            switch("fail-detect"),
            switch("arpforward", "enable"),
            choice("src-check", "enable disable"),
            switch("icmp-send-redirect", "enable"),
            choice("status", "up down"),
            switch("netbios-forward"),
            choice("type", "physical vlan aggregate redundant tunnel vdom-link loopback hard-switch switch"),
            switch("mtu-override"),
            number("mtu", 68, 65535, 1500),
            text("alias", 25),
            text("description", 255),
            choice("role", "lan wan dmz undefined", "undefined"),
            text("snmp-index", 10, "0"),
            text("macaddr", 17, "00:00:00:00:00:00"),
            text("speed", 10, "auto"),
            reference("interface", INTERFACE, size=15),
            number("vlanid", 0, 4094),
            switch("device-identification"),
            switch("monitor-bandwidth"),
            switch("preserve-session-route"),
            choice("defaultgw", "enable disable"),
            child_table("secondaryip", number("id", 0, 4294967295, is_key=True),
                        Attribute("ip", Kind.HOST, "0.0.0.0 0.0.0.0")),
            TAGS := child_table("tagging", text("name", 63, is_key=True)),
        ),
    ),
    Table(
        "system",
        "zone",
        "name",
        NETWORK_RIGHT,
        (
            text("name", 35, is_key=True),
            TAGS,
            text("description", 127, since=(6, 4)),
            choice("intrazone", "allow deny", "deny"),
            child_table("interface", reference("interface-name", INTERFACE, size=79, is_key=True)),
        ),
        rules=(_one_zone_per_interface, _members_have_no_policy_of_their_own),
    ),
    Table(
        "system",
        "sdwan",
        "",
        NETWORK_RIGHT,
        (
            switch("status"),
            child_table("zone", text("name", 35, is_key=True)),
        ),
        singleton=True,
        built_in=({"zone": [{"name": "virtual-wan-link"}]},),
    ),
    Table(
        "system",
        "link-monitor",
        "name",
        NETWORK_RIGHT,
        (
            text("name", 35, is_key=True),
            choice("addr-mode", "ipv4 ipv6"),
            reference("srcintf", INTERFACE, size=15),
            choice("server-config", "default individual", since=(7, 0, 1)),
            child_table("server", text("address", 79, is_key=True)),
            choice("protocol", "ping tcp-echo udp-echo http twamp", until=(7, 4, 1)),
            choice("protocol", "ping tcp-echo udp-echo http https twamp", since=(7, 4, 1)),
            number("port", 1, 65535, 0),
            Attribute("gateway-ip", Kind.ADDRESS, "0.0.0.0"),
            child_table("route", Attribute("subnet", Kind.NETWORK, "", is_key=True), since=(7,)),
            Attribute("source-ip", Kind.ADDRESS, "0.0.0.0"),
            text("http-get", 1024, "/"),
            text("http-agent", 1024, "Chrome/ Safari/"),
            text("http-match", 1024),
            number("interval", 20, 3600000, 500),
            number("probe-timeout", 20, 5000, 500),
            number("failtime", 1, 3600, 5),
            number("recoverytime", 1, 3600, 5),
            number("probe-count", 5, 30, 30),
            number("ha-priority", 1, 50, 1),
            number("fail-weight", 0, 255, since=(7, 0, 1)),
            switch("update-cascade-interface", "enable"),
            switch("update-static-route", "enable"),
            switch("update-policy-route", "enable", since=(7, 0, 1)),
            switch("status", "enable"),
        ),
    ),
    Table(
        "system",
        "settings",
        "",
        CONFIG_RIGHT,
        (
            text("comments", 255),
            choice("opmode", "nat transparent"),
            choice("ngfw-mode", "profile-based policy-based"),
            choice("central-nat", "enable disable", "disable"),
            switch("strict-src-check"),
            switch("asymroute"),
            choice(
                "v4-ecmp-mode",
                "source-ip-based weight-based usage-based source-dest-ip-based",
            ),
            switch("gui-allow-unnamed-policy"),
            switch("allow-subnet-overlap"),
        ),
        singleton=True,
        built_in=({},),
    ),
    Table(
        "system",
        "global",
        "",
        CONFIG_RIGHT,
        (
            text("hostname", 35),
            text("alias", 35),
            text("timezone", 63, "04"),
            number("admin-sport", 1, 65535, 443),
            number("admin-port", 1, 65535, 80),
            number("admintimeout", 1, 480, 5),
            number("admin-lockout-threshold", 1, 10, 3),
            number("admin-lockout-duration", 1, 2147483647, 60),
            choice("cfg-save", "automatic manual revert"),
            number("cfg-revert-timeout", 10, 4294967295, 600),
            switch("rest-api-key-url-query", since=(7, 4, 5)),
            choice("vdom-mode", "no-vdom split-vdom multi-vdom", until=(7, 0, 13)),
            choice("vdom-mode", "no-vdom multi-vdom", since=(7, 0, 13)),
            number("refresh", 0, 4294967295),
            text("language", 20, "english"),
        ),
        global_scope=True,
        singleton=True,
        built_in=({},),
    ),
    Table(
        "system",
        "vdom",
        "name",
        ADMIN_RIGHT,
        (
            text("name", 11, is_key=True),
            text("short-name", 11),
            number("vcluster-id", 0, 4294967295),
            number("flag", 0, 4294967295),
        ),
        global_scope=True,
    ),
    Table(
        "system",
        "accprofile",
        "name",
        ADMIN_RIGHT,
        (
            text("name", 35, is_key=True),
            choice("scope", "vdom global"),
            text("comments", 255),
            *(_group(name) for name in PERMISSION_GROUPS),
            *(
                nested(f"{name}-permission", *(choice(right, "none read read-write") for right in rights))
                for name, rights in SUB_RIGHTS.items()
            ),
            switch("admintimeout-override"),
            number("admintimeout", 1, 480, 10),
        ),
        global_scope=True,
        built_in=(
            {"name": "super_admin", "scope": "global"} | _full_access("read-write"),
            {"name": "super_admin_readonly", "scope": "global"} | _full_access("read"),
            {"name": "prof_admin"} | _full_access("read-write"),
        ),
    ),
    Table(
        "system",
        "api-user",
        "name",
        ADMIN_RIGHT,
        (
            text("name", 35, is_key=True),
            text("comments", 255),
            Attribute("api-key", Kind.SECRET, "", size=128),
            reference("accprofile", "system/accprofile", size=35),
            names("vdom", "system/vdom"),
            text("schedule", 35),
            text("cors-allow-origin", 269),
            switch("peer-auth"),
            text("peer-group", 35),
            child_table(
                "trusthost",
                number("id", 0, 4294967295, is_key=True),
                choice("type", "ipv4-trusthost ipv6-trusthost"),
                Attribute("ipv4-trusthost", Kind.NETWORK, "0.0.0.0 0.0.0.0"),
                text("ipv6-trusthost", 43, "::/0"),
            ),
        ),
        global_scope=True,
    ),
]  # fmt: skip
