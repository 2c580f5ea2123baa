"""Definition of `firewall.service/*` and `firewall.schedule/*`, with what a factory-fresh device contains."""

from __future__ import annotations

from dataclasses import replace

from lab.fortigate import errors
from lab.fortigate.attributes import Attribute, Kind, Row, choice, names, number, switch, text
from lab.fortigate.errors import ConfigError
from lab.fortigate.table import Rows, Table
from lab.fortigate.tables.firewall import UUID, no_cycle

SERVICE = "firewall.service/custom"
SERVICE_GROUP = "firewall.service/group"
SERVICE_RIGHT = ("fwgrp", "service")
SCHEDULE_RIGHT = ("fwgrp", "schedule")


def _service_not_group(row: Row, rows: Rows) -> None:
    if rows.get(SERVICE_GROUP, row["name"]):
        raise ConfigError(errors.SERVICE_GROUP_NAME_CLASH, "Service and service group can not use the same name")


def _group_not_service(row: Row, rows: Rows) -> None:
    if rows.get(SERVICE, row["name"]):
        raise ConfigError(errors.SERVICE_GROUP_NAME_CLASH, "Service and service group can not use the same name")


def _has_members(row: Row, _: Rows) -> None:
    if not row.get("member"):
        raise ConfigError(errors.EMPTY, "Member list can not be empty")


def port_ranges(value: str) -> list[tuple[int, int, int, int]]:
    """`"80 8000-8100:1024-65535"` as (low, high, source low, source high), or `ValueError`."""
    ranges = []
    for item in value.split():
        destination, _, source = item.partition(":")
        bounds: list[int] = []
        for part in (destination, source or "0-65535"):
            low, separator, high = part.partition("-")
            bounds += [int(low), int(high) if separator else int(low)]
        if not (0 <= bounds[0] <= bounds[1] <= 65535 and 0 <= bounds[2] <= bounds[3] <= 65535):
            raise ValueError(item)
        ranges.append((bounds[0], bounds[1], bounds[2], bounds[3]))
    return ranges


def _ports_are_ranges(row: Row, _: Rows) -> None:
    for name in ("tcp-portrange", "udp-portrange", "sctp-portrange"):
        try:
            port_ranges(row.get(name, ""))
        except ValueError:
            raise errors.bad_value(row[name], errors.INVALID_VALUE) from None


def _service(name: str, category: str, tcp: str = "", udp: str = "") -> Row:
    ports = {"tcp-portrange": tcp, "udp-portrange": udp}
    return {"name": name, "category": category} | {key: value for key, value in ports.items() if value}


def _icmp(name: str, icmp_type: int | None = None) -> Row:
    row: Row = {"name": name, "category": "Network Services", "protocol": "ICMP"}
    return row if icmp_type is None else row | {"icmptype": icmp_type}


def _protocol(name: str, protocol_number: int, category: str = "General") -> Row:
    return {"name": name, "category": category, "protocol": "IP", "protocol-number": protocol_number}


def _group(name: str, members: str) -> Row:
    return {"name": name, "member": [{"name": member} for member in members.split()]}


BUILT_IN_SERVICES: tuple[Row, ...] = (
    _protocol("ALL", 0),
    {"name": "ALL_TCP", "category": "General", "tcp-portrange": "1-65535"},
    {"name": "ALL_UDP", "category": "General", "udp-portrange": "1-65535"},
    {"name": "ALL_ICMP", "category": "General", "protocol": "ICMP"},
    {"name": "ALL_ICMP6", "category": "General", "protocol": "ICMP6"},
    _protocol("GRE", 47, "Tunneling"),
    _protocol("AH", 51, "Tunneling"),
    _protocol("ESP", 50, "Tunneling"),
    _protocol("OSPF", 89, "Network Services"),
    _service("BGP", "Network Services", "179"),
    _service("DHCP", "Network Services", udp="67-68"),
    _service("DNS", "Network Services", "53", "53"),
    _service("FTP", "File Access", "21"),
    _service("HTTP", "Web Access", "80"),
    _service("HTTPS", "Web Access", "443"),
    _service("IKE", "Tunneling", udp="500 4500"),
    _service("IMAP", "Email", "143"),
    _service("IMAPS", "Email", "993"),
    _icmp("PING", 8),
    _icmp("TIMESTAMP", 13),
    _icmp("INFO_REQUEST", 15),
    _icmp("INFO_ADDRESS", 17),
    _service("KERBEROS", "Authentication", "88 464", "88 464"),
    _service("LDAP", "Authentication", "389"),
    _service("LDAP_UDP", "Authentication", udp="389"),
    _service("MS-SQL", "General", "1433 1434"),
    _service("MYSQL", "General", "3306"),
    _service("NFS", "File Access", "111 2049", "111 2049"),
    _service("NTP", "Network Services", "123", "123"),
    _service("POP3", "Email", "110"),
    _service("RADIUS", "Authentication", udp="1812 1813"),
    _service("RDP", "Remote Access", "3389"),
    _service("SAMBA", "File Access", "139"),
    _service("SIP", "VoIP, Messaging & Other Applications", "5060", "5060"),
    _service("SMB", "File Access", "445"),
    _service("SMTP", "Email", "25"),
    _service("SMTPS", "Email", "465"),
    _service("SNMP", "Network Services", "161-162", "161-162"),
    _service("SQUID", "Web Proxy", "3128"),
    _service("SSH", "Remote Access", "22"),
    _service("SYSLOG", "Network Services", udp="514"),
    _service("TELNET", "Remote Access", "23"),
    _service("TFTP", "File Access", udp="69"),
    _service("TRACEROUTE", "Network Services", udp="33434-33535"),
    _service("VNC", "Remote Access", "5900"),
    _service("WINS", "Remote Access", "1512", "1512"),
)

_PORTS = {"when": ("protocol", frozenset({"TCP/UDP/SCTP", "TCP/UDP/UDP-Lite/SCTP"}))}
_OTHER_PROTOCOLS = "ICMP ICMP6 IP HTTP FTP CONNECT SOCKS-TCP SOCKS-UDP ALL"
_ICMP = {"when": ("protocol", frozenset({"ICMP", "ICMP6"}))}
_UUID = replace(UUID, since=(7, 4, 2))
_HELPERS = "auto disable ftp tftp ras h323 tns mms sip pptp rtsp dns-udp dns-tcp pmap rsh dcerpc mgcp"
_DAYS = "sunday monday tuesday wednesday thursday friday saturday none"

TABLES = [
    Table(
        "firewall.service",
        "custom",
        "name",
        SERVICE_RIGHT,
        (
            text("name", 79, is_key=True),
            _UUID,
            switch("proxy"),
            text("category", 63),
            choice("protocol", f"TCP/UDP/SCTP {_OTHER_PROTOCOLS}", until=(7, 6)),
            choice("protocol", f"TCP/UDP/UDP-Lite/SCTP {_OTHER_PROTOCOLS}", since=(7, 6)),
            choice("helper", _HELPERS),
            text("iprange", 255, "0.0.0.0", **_PORTS),
            text("fqdn", 255, **_PORTS),
            number("protocol-number", 0, 254, 0, when=("protocol", frozenset({"IP"}))),
            number("icmptype", 0, 4294967295, "", **_ICMP),
            number("icmpcode", 0, 255, "", **_ICMP),
            text("tcp-portrange", 3000, **_PORTS),
            text("udp-portrange", 3000, **_PORTS),
            text("udplite-portrange", 3000, since=(7, 6), **_PORTS),
            text("sctp-portrange", 3000, **_PORTS),
            number("tcp-halfclose-timer", 0, 86400),
            number("tcp-halfopen-timer", 0, 86400),
            number("tcp-timewait-timer", 0, 300),
            number("tcp-rst-timer", 5, 300, 0, since=(7,)),
            number("udp-idle-timer", 0, 86400),
            text("session-ttl", 10, "0"),
            choice("check-reset-range", "disable strict default", "default"),
            text("comment", 255),
            number("color", 0, 32),
            switch("visibility", "enable", until=(7, 2, 3)),
            choice("app-service-type", "disable app-id app-category"),
            switch("fabric-object", since=(6, 4, 4)),
        ),
        rules=(_service_not_group, _ports_are_ranges),
        built_in=BUILT_IN_SERVICES,
    ),
    Table(
        "firewall.service",
        "group",
        "name",
        SERVICE_RIGHT,
        (
            text("name", 79, is_key=True),
            _UUID,
            switch("proxy"),
            names("member", SERVICE, SERVICE_GROUP),
            text("comment", 255),
            number("color", 0, 32),
            switch("fabric-object", since=(6, 4, 4)),
        ),
        rules=(_group_not_service, _has_members, no_cycle(SERVICE_GROUP)),
        built_in=(
            _group("Email Access", "DNS IMAP IMAPS POP3 SMTP SMTPS"),
            _group("Web Access", "DNS HTTP HTTPS"),
            _group("Windows AD", "DNS KERBEROS LDAP LDAP_UDP SAMBA SMB"),
        ),
    ),
    Table(
        "firewall.schedule",
        "recurring",
        "name",
        SCHEDULE_RIGHT,
        (
            text("name", 31, is_key=True),
            Attribute("start", Kind.TIME, "00:00"),
            Attribute("end", Kind.TIME, "00:00"),
            Attribute("day", Kind.CHOICES, "none", options=tuple(_DAYS.split())),
            number("color", 0, 32),
            switch("fabric-object", since=(6, 4, 4)),
        ),
        built_in=(
            {"name": "always", "day": "sunday monday tuesday wednesday thursday friday saturday"},
            {"name": "none", "day": "none"},
            {"name": "default-darrp-optimize", "start": "01:00", "end": "01:30",
             "day": "sunday monday tuesday wednesday thursday friday saturday"},
        ),
    ),
    Table(
        "firewall.schedule",
        "onetime",
        "name",
        SCHEDULE_RIGHT,
        (
            text("name", 31, is_key=True),
            Attribute("start", Kind.MOMENT, "00:00 2001/01/01"),
            Attribute("end", Kind.MOMENT, "00:00 2001/01/01"),
            number("color", 0, 32),
            number("expiration-days", 0, 100, 3),
            switch("fabric-object", since=(6, 4, 4)),
        ),
    ),
    Table(
        "firewall.schedule",
        "group",
        "name",
        SCHEDULE_RIGHT,
        (
            text("name", 31, is_key=True),
            names("member", "firewall.schedule/recurring", "firewall.schedule/onetime"),
            number("color", 0, 32),
            switch("fabric-object", since=(6, 4, 4)),
        ),
        rules=(_has_members,),
    ),
]  # fmt: skip
