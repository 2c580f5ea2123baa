"""Definition of the tables `firewall/*`: addresses, groups, policies.

Limits and defaults are those of the vendor's published schemas.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lab.fortigate import errors
from lab.fortigate.attributes import (
    Attribute,
    Kind,
    Row,
    child_table,
    choice,
    names,
    number,
    reference,
    switch,
    text,
)
from lab.fortigate.errors import ConfigError
from lab.fortigate.table import Rows, Rule, Table, Unique

ADDRESS = "firewall/address"
GROUP = "firewall/addrgrp"
INTERFACE = "system/interface"
ZONE = "system/zone"

ADDRESS_RIGHT = ("fwgrp", "address")
POLICY_RIGHT = ("fwgrp", "policy")

UUID = Attribute("uuid", Kind.UUID, "00000000-0000-0000-0000-000000000000")
_SUB_TYPES = "sdn clearpass-spt fsso ems-tag"
TAGGING = child_table("tagging", text("name", 63), text("category", 63))


def _only(*types: str) -> dict[str, Any]:
    return {"when": ("type", frozenset(types))}


def _skip(*types: str) -> dict[str, Any]:
    return {"skip_unless": ("type", frozenset(types))}


def _range_in_order(row: Row, _: Rows) -> None:
    if row.get("type") != "iprange":
        return
    start, end = (
        tuple(map(int, row.get(name, "0.0.0.0").split("."))) for name in ("start-ip", "end-ip")
    )  # fmt: skip
    if end < start:
        raise ConfigError(errors.RANGE_REVERSED, "End IP cannot be less than start IP")


def _address_not_group(row: Row, rows: Rows) -> None:
    if rows.get(GROUP, row["name"]):
        raise ConfigError(
            errors.ADDRESS_GROUP_NAME_CLASH, "Firewall address and address group can not use the same name"
        )


def _group_not_address(row: Row, rows: Rows) -> None:
    if rows.get(ADDRESS, row["name"]):
        raise ConfigError(
            errors.ADDRESS_GROUP_NAME_CLASH, "Firewall address and address group can not use the same name"
        )


def _has_members(row: Row, _: Rows) -> None:
    if not row.get("member"):
        raise ConfigError(errors.EMPTY, "Member list can not be empty")


def no_cycle(table: str) -> Rule:
    """A rule: a group of this table must not contain itself, directly or through others."""

    def rule(row: Row, rows: Rows) -> None:
        waiting = [member["name"] for member in row.get("member", ())]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name == row["name"]:
                raise ConfigError(errors.INVALID_VALUE, f"Group {name} can not contain itself")
            if name not in seen:
                seen.add(name)
                waiting += [m["name"] for m in (rows.get(table, name) or {}).get("member", ())]

    return rule


TABLES = [
    Table(
        "firewall",
        "address",
        "name",
        ADDRESS_RIGHT,
        (
            text("name", 79, is_key=True),
            UUID,
            Attribute("subnet", Kind.NETWORK, "0.0.0.0 0.0.0.0", **_only("ipmask", "interface-subnet")),
            choice("type", "ipmask iprange fqdn geography wildcard dynamic interface-subnet mac", until=(7, 4)),
            choice(
                "type",
                "ipmask iprange fqdn geography wildcard dynamic interface-subnet mac route-tag",
                since=(7, 4),
            ),
            number("route-tag", 1, 4294967295, 0, since=(7, 4), **_only("route-tag")),
            choice("sub-type", _SUB_TYPES, until=(7, 0, 4)),
            choice("sub-type", f"{_SUB_TYPES} fortivoice-tag fortinac-tag swc-tag", since=(7, 0, 4), until=(7, 4)),
            choice(
                "sub-type",
                f"{_SUB_TYPES} fortivoice-tag fortinac-tag swc-tag device-identification",
                since=(7, 4),
            ),
            choice("clearpass-spt", "unknown healthy quarantine checkup transient infected"),
            child_table("macaddr", text("macaddr", 127, is_key=True), since=(7, 0)),
            Attribute("start-ip", Kind.ADDRESS, "0.0.0.0", **_only("iprange")),
            Attribute("end-ip", Kind.ADDRESS, "0.0.0.0", **_only("iprange")),
            text("fqdn", 255, **_only("fqdn")),
            Attribute("wildcard", Kind.WILDCARD, "0.0.0.0 0.0.0.0", **_only("wildcard")),
            text("country", 2, **_skip("geography")),
            number("cache-ttl", 0, 86400, **_skip("fqdn")),
            text("sdn", 35, **_skip("dynamic")),
            child_table("fsso-group", text("name", 511, is_key=True), **_skip("dynamic")),
            reference("interface", INTERFACE, size=35, **_skip("interface-subnet")),
            text("obj-tag", 255, **_skip("dynamic")),
            text("obj-type", 12, "ip", **_skip("dynamic")),
            text("tenant", 35, **_skip("dynamic")),
            text("organization", 35, **_skip("dynamic")),
            text("epg-name", 255, **_skip("dynamic")),
            text("subnet-name", 255, **_skip("dynamic")),
            text("sdn-tag", 15, **_skip("dynamic")),
            text("policy-group", 15, **_skip("dynamic")),
            text("obj-id", 255, **_skip("dynamic")),
            text("comment", 255),
            reference("associated-interface", INTERFACE, ZONE, size=35),
            number("color", 0, 32),
            text("filter", 2047, **_skip("dynamic")),
            choice("sdn-addr-type", "private public all", **_skip("dynamic")),
            switch("node-ip-only", since=(7, 0), **_skip("dynamic")),
            child_table("list", text("ip", 35, is_key=True)),
            TAGGING,
            switch("allow-routing"),
            switch("passive-fqdn-learning", "enable", since=(7, 6), **_skip("fqdn")),
            switch("fabric-object", since=(6, 4, 4)),
        ),
        rules=(_range_in_order, _address_not_group),
        built_in=(
            {"name": "none", "subnet": "0.0.0.0 255.255.255.255"},
            {"name": "all"},
            {"name": "FIREWALL_AUTH_PORTAL_ADDRESS"},
            {"name": "FABRIC_DEVICE", "comment": "IPv4 addresses of Fabric Devices."},
            {"name": "SSLVPN_TUNNEL_ADDR1", "type": "iprange", "start-ip": "10.212.134.200",
             "end-ip": "10.212.134.210"},
            {"name": "gmail.com", "type": "fqdn", "fqdn": "gmail.com"},
            {"name": "login.microsoft.com", "type": "fqdn", "fqdn": "login.microsoft.com"},
        ),
    ),
    Table(
        "firewall",
        "addrgrp",
        "name",
        ADDRESS_RIGHT,
        (
            text("name", 79, is_key=True),
            choice("type", "default folder"),
            choice("category", "default ztna-ems-tag ztna-geo-tag", since=(7, 0)),
            UUID,
            names("member", ADDRESS, GROUP),
            text("comment", 255),
            switch("exclude"),
            names("exclude-member", ADDRESS, GROUP),
            number("color", 0, 32),
            TAGGING,
            switch("allow-routing"),
            switch("fabric-object", since=(6, 4, 4)),
        ),
        rules=(_group_not_address, _has_members, no_cycle(GROUP)),
    ),
]  # fmt: skip


def _policy_is_complete(row: Row, _: Rows) -> None:
    for name in ("srcintf", "dstintf", "srcaddr", "dstaddr", "service"):
        by_service_name = name in ("dstaddr", "service") and row.get("internet-service") == "enable"
        by_source_name = name == "srcaddr" and row.get("internet-service-src") == "enable"
        by_version_6 = name in ("srcaddr", "dstaddr") and row.get(f"{name}6")
        if not (row.get(name) or by_service_name or by_source_name or by_version_6):
            raise ConfigError(errors.EMPTY, f"{name}: empty value is not allowed")
    if not row.get("schedule"):
        raise ConfigError(errors.EMPTY, "schedule: empty value is not allowed")


def _zone_members_stay_in_zone(row: Row, rows: Rows) -> None:
    for name in ("srcintf", "dstintf"):
        for member in row.get(name, ()):
            if rows.referrers(INTERFACE, member["name"], by=ZONE):
                raise errors.missing_reference(member["name"], errors.INVALID_VALUE)


def expiry(row: Row) -> datetime | None:
    """When a policy stops to apply (local time); None if never. Raises `ValueError`."""
    if row.get("policy-expiry") != "enable":
        return None
    # Naive on purpose: the device's own local time.
    return datetime.strptime(row.get("policy-expiry-date", ""), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007


def _expiry_is_a_date(row: Row, _: Rows) -> None:
    try:
        expiry(row)
    except ValueError:
        raise errors.bad_value(row.get("policy-expiry-date", ""), errors.INVALID_VALUE) from None


def _denied_log(row: Row, _: Rows) -> None:
    if row.get("action", "deny") == "deny" and row.get("logtraffic") == "utm":
        raise errors.bad_value("utm", errors.INVALID_VALUE)


def _default_log(row: Row) -> str:
    return "disable" if row.get("action", "deny") == "deny" else "utm"


_INTERFACES: dict[str, Any] = {"free_names": ("any", "virtual-wan-link")}

POLICIES = Table(
    "firewall",
    "policy",
    "policyid",
    POLICY_RIGHT,
    (
        number("policyid", 0, 4294967294, is_key=True),
        switch("status", "enable"),
        text("name", 35),
        UUID,
        names("srcintf", INTERFACE, ZONE, **_INTERFACES),
        names("dstintf", INTERFACE, ZONE, **_INTERFACES),
        choice("action", "accept deny ipsec", "deny"),
        switch("nat64", since=(7, 0)),
        switch("nat46", since=(7, 0)),
        switch("ztna-status", since=(7, 0)),
        names("srcaddr", ADDRESS, GROUP),
        names("dstaddr", ADDRESS, GROUP),
        child_table("srcaddr6", text("name", 79, is_key=True)),
        child_table("dstaddr6", text("name", 79, is_key=True)),
        switch("internet-service"),
        child_table("internet-service-name", text("name", 79, is_key=True)),
        switch("internet-service-src"),
        child_table("internet-service-src-name", text("name", 79, is_key=True)),
        number("reputation-minimum", 0, 4294967295),
        choice("reputation-direction", "source destination", "destination"),
        child_table("src-vendor-mac", number("id", 0, 4294967295, is_key=True)),
        switch("rtp-nat"),
        switch("send-deny-packet"),
        choice("firewall-session-dirty", "check-all check-new"),
        reference(
            "schedule",
            "firewall.schedule/recurring",
            "firewall.schedule/onetime",
            "firewall.schedule/group",
            size=35,
        ),
        switch("schedule-timeout"),
        switch("policy-expiry", since=(7, 2)),
        text("policy-expiry-date", 19, "0000-00-00 00:00:00", since=(7, 2)),
        names("service", "firewall.service/custom", "firewall.service/group"),
        text("tos", 4, "0x00"),
        text("tos-mask", 4, "0x00"),
        switch("tos-negate"),
        switch("sgt-check", since=(7, 0, 1)),
        child_table("sgt", number("id", 1, 65535, is_key=True), since=(7, 0, 1)),
        switch("anti-replay", "enable"),
        choice("tcp-session-without-syn", "all data-only disable", "disable"),
        switch("geoip-anycast"),
        choice("geoip-match", "physical-location registered-location"),
        switch("dynamic-shaping", since=(7,)),
        switch("passive-wan-health-measurement", since=(7,)),
        switch("utm-status"),
        choice("inspection-mode", "proxy flow", "flow"),
        text("http-policy-redirect", 7, "disable"),
        text("ssh-policy-redirect", 7, "disable"),
        choice("profile-type", "single group"),
        text("profile-group", 35),
        text("profile-protocol-options", 35, "default"),
        text("ssl-ssh-profile", 35, "no-inspection"),
        text("av-profile", 35),
        text("webfilter-profile", 35),
        text("dnsfilter-profile", 35),
        text("emailfilter-profile", 35),
        text("file-filter-profile", 35),
        text("ips-sensor", 35),
        text("application-list", 35),
        text("voip-profile", 35),
        choice("logtraffic", "all utm disable", _default_log),
        switch("logtraffic-start"),
        switch("capture-packet"),
        switch("auto-asic-offload", "enable"),
        switch("nat"),
        switch("permit-any-host"),
        switch("permit-stun-host"),
        switch("fixedport"),
        switch("port-preserve", "enable", since=(7, 4, 4)),
        switch("ippool"),
        child_table("poolname", text("name", 79, is_key=True)),
        text("session-ttl", 10, "0"),
        number("vlan-cos-fwd", 0, 7, 255),
        number("vlan-cos-rev", 0, 7, 255),
        switch("inbound"),
        switch("outbound", "enable"),
        switch("natinbound"),
        switch("natoutbound"),
        switch("wccp"),
        text("ntlm", 7, "disable"),
        text("ntlm-guest", 7, "disable"),
        child_table("groups", text("name", 79, is_key=True)),
        child_table("users", text("name", 79, is_key=True)),
        child_table("fsso-groups", text("name", 511, is_key=True)),
        child_table("scim-users", text("name", 79, is_key=True), since=(7, 6, 4)),
        child_table("scim-groups", text("name", 79, is_key=True), since=(7, 6, 4)),
        text("vpntunnel", 35),
        switch("match-vip", until=(7, 6)),
        switch("match-vip", "enable", since=(7, 6)),
        switch("match-vip-only"),
        switch("diffserv-copy", since=(7, 2, 1)),
        switch("diffserv-forward"),
        switch("diffserv-reverse"),
        text("diffservcode-forward", 6, "000000"),
        text("diffservcode-rev", 6, "000000"),
        number("tcp-mss-sender", 0, 65535),
        number("tcp-mss-receiver", 0, 65535),
        text("comments", 1023),
        text("label", 63),
        text("global-label", 63),
        text("auth-cert", 35),
        text("auth-redirect-addr", 63),
        text("redirect-url", 1023),
        text("identity-based-route", 35),
        switch("block-notification"),
        child_table("custom-log-fields", text("field-id", 35, is_key=True)),
        text("replacemsg-override-group", 35),
        switch("srcaddr-negate"),
        switch("dstaddr-negate"),
        switch("service-negate"),
        switch("internet-service-negate"),
        switch("internet-service-src-negate"),
        switch("timeout-send-rst"),
        switch("captive-portal-exempt"),
        switch("disclaimer"),
        switch("email-collect"),
        text("traffic-shaper", 35),
        text("traffic-shaper-reverse", 35),
        text("per-ip-shaper", 35),
        text("decrypted-traffic-mirror", 35),
    ),
    ordered=True,
    zero_key_refused=True,
    rules=(_policy_is_complete, _zone_members_stay_in_zone, _denied_log, _expiry_is_a_date),
    unique=(
        Unique(
            lambda row: row.get("name") or None,
            errors.DUPLICATE_KEY,
            "Duplicate policy name",
        ),
    ),
)

TABLES.append(POLICIES)
