"""`monitor/system/*`: status, interfaces, cluster, who uses an object, backup."""

from __future__ import annotations

from typing import Any

from lab.fortigate import errors
from lab.fortigate.access import new_token
from lab.fortigate.attributes import Row
from lab.fortigate.backup import backup
from lab.fortigate.errors import ConfigError
from lab.fortigate.matching import network
from lab.fortigate.monitor.endpoint import Endpoint, PlainText, Question

CONFIG_RIGHT = ("sysgrp", "cfg")
ADMIN_RIGHT = ("sysgrp", "admin")
MAINTENANCE_RIGHT = ("sysgrp", "mnt")
NETWORK_RIGHT = ("netgrp", "cfg")


def _status(question: Question) -> Row:
    if not question.device.profile.status_details:
        return {}
    return {
        "model_name": "FortiGate",
        "model_number": "VM64",
        "model": "FGVM64",
        "hostname": question.device.hostname,
        "log_disk_status": "not_available",
    }


def _is_up(question: Question, row: Row) -> bool:
    return row.get("status", "up") == "up" and row["name"] not in question.device.links(question.vdom).down


def _interfaces(question: Question) -> dict[str, Row]:
    result = {}
    wanted = question.parameter("interface_name")
    for name, row in question.device.vdoms[question.vdom].rows("system/interface").items():
        kind = row.get("type", "physical")
        if kind in ("vlan", "aggregate") and not question.call.query.flag(f"include_{kind}"):
            continue
        if wanted in ("", name):
            result[str(name)] = _interface(question, row)
    return result


def _interface(question: Question, row: Row) -> Row:
    ip = row.get("ip", "0.0.0.0 0.0.0.0")
    up = _is_up(question, row)
    sent, received = _traffic(question, row["name"])
    return {
        "id": row["name"],
        "name": row["name"],
        "alias": row.get("alias", ""),
        "mac": row.get("macaddr", "00:00:00:00:00:00"),
        "ip": ip.split()[0],
        "mask": network(ip).prefixlen,
        "link": up,
        "speed": 1000.0 if up else 0.0,
        "duplex": 1 if up else 0,
        "tx_packets": sent[0],
        "rx_packets": received[0],
        "tx_bytes": sent[1],
        "rx_bytes": received[1],
        "tx_errors": 0,
        "rx_errors": 0,
    }


def _traffic(question: Question, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(packets, bytes) of the living sessions sent and received by an interface."""
    sent, received = [0, 0], [0, 0]
    for session in question.device.sessions(question.vdom).alive(question.device.clock.now()):
        forth, back = (
            (session.sent_packets, session.sent_bytes),
            (session.received_packets, session.received_bytes),
        )
        for total, interface, amount in (
            (received, session.verdict.ingress, forth),
            (sent, session.verdict.egress, forth),
            (received, session.verdict.egress, back),
            (sent, session.verdict.ingress, back),
        ):
            if interface == name:
                total[0] += amount[0]
                total[1] += amount[1]
    return (sent[0], sent[1]), (received[0], received[1])


def _available(question: Question) -> list[Row]:
    configuration = question.device.vdoms[question.vdom]
    result = []
    for name, row in configuration.rows("system/interface").items():
        in_zone = bool(configuration.referrers("system/interface", name, by="system/zone"))
        result.append(
            {
                "name": name,
                "alias": row.get("alias", ""),
                "vdom": question.vdom,
                "type": row.get("type", "physical"),
                "is_physical": row.get("type", "physical") == "physical",
                "is_zone": False,
                "is_zone_member": in_zone,
                "is_used": configuration.reference_count("system/interface", name) > 0,
                "valid_in_policy": not in_zone,
                "status": row.get("status", "up"),
                "link": "up" if _is_up(question, row) else "down",
                "role": row.get("role", "undefined"),
                "ipv4_addresses": _address(row),
            }
        )
    for name in configuration.rows("system/zone"):
        used = configuration.reference_count("system/zone", name) > 0
        result.append(
            {"name": name, "vdom": question.vdom, "type": "zone", "is_zone": True, "is_used": used,
             "valid_in_policy": True}
        )  # fmt: skip
    return result


def _address(row: Row) -> list[Row]:
    ip, mask = row.get("ip", "0.0.0.0 0.0.0.0").split()
    if ip == "0.0.0.0":
        return []
    return [{"ip": ip, "netmask": mask, "cidr_netmask": network(f"{ip} {mask}").prefixlen}]


def _usage(question: Question) -> Row:
    name = f"{question.parameter('q_path')}/{question.parameter('q_name')}"
    if name not in question.device.tables:
        raise ConfigError(errors.NOT_FOUND, f"no table {name}")
    configuration = question.device.configuration(question.vdom, name)
    text = question.parameter("mkey")
    key = int(text) if question.device.tables[name].integer_key and text.isdigit() else text
    currently = []
    for user_table, user_key in configuration.users(name, key):
        table = question.device.tables[user_table]
        currently.append(
            {
                "path": table.path,
                "name": table.name,
                "mkey": user_key,
                "attribute": _attribute_naming(configuration.rows(user_table)[user_key], key),
                "static": False,
                "vdom": question.vdom,
            }
        )
    return {"currently_using": currently, "can_use": []}


def _attribute_naming(row: Row, key: Any) -> str:
    for name, value in row.items():
        if value == key and name != "name":
            return name
        if isinstance(value, list) and any(key in member.values() for member in value):
            return name
    return ""


def _link_monitors(question: Question) -> dict[str, Row]:
    result = {}
    failed = question.device.links(question.vdom).failed_monitors
    for name, row in question.device.vdoms[question.vdom].rows("system/link-monitor").items():
        watching = "down" if name in failed else "up"
        state = watching if row.get("status", "enable") == "enable" else "disable"
        lost = 100 if state == "down" else 0
        result[str(name)] = {
            row.get("srcintf", ""): {
                "status": state,
                "latency": 0.0 if lost else 1.0,
                "jitter": 0.0,
                "packet_loss": lost,
                "packet_sent": 100,
                "packet_received": 100 - lost,
                "session": 0,
                "tx_bandwidth": 0,
                "rx_bandwidth": 0,
                "state_changed": int(question.device.clock.now()),
            }
        }
    return result


def _ha_peers(question: Question) -> list[Row]:
    modern = question.device.profile.version >= (7, 0)
    return [
        {
            "serial_no": unit.serial,
            "vcluster_id": 0,
            "priority": unit.priority,
            "hostname": unit.hostname,
            "primary" if modern else "master": unit == question.device.unit,
        }
        for unit in question.device.units
    ]


def _save(_: Question) -> Row:
    return {}


def _backup(question: Question) -> PlainText:
    scope = question.parameter("scope")
    if question.call.method == "POST":
        scope = question.call.json_object().get("scope", scope)
    if scope not in ("global", "vdom"):
        raise ValueError(scope)
    vdoms = list(question.device.vdoms) if scope == "global" else [question.vdom]
    return PlainText(backup(question.device, vdoms, with_global=scope == "global"))


def _generate_key(question: Question) -> Row:
    name = str(question.call.json_object().get("api-user", ""))
    if question.device.shared.get("system/api-user", name) is None:
        raise ConfigError(errors.NOT_FOUND, f"no API user {name}")
    token = new_token()
    question.device.update("system/api-user", name, {"api-key": token})
    return {"access_token": token}


ENDPOINTS = {
    "system/status": Endpoint(_status),
    "system/interface": Endpoint(_interfaces, NETWORK_RIGHT),
    "system/available-interfaces": Endpoint(_available),
    "system/object/usage": Endpoint(_usage),
    "system/link-monitor": Endpoint(_link_monitors, CONFIG_RIGHT),
    "system/ha-peer": Endpoint(_ha_peers, CONFIG_RIGHT),
    "system/config/backup": Endpoint(_backup, MAINTENANCE_RIGHT, lambda profile: profile.backup_method),
    "system/config/save": Endpoint(_save, CONFIG_RIGHT, "POST", writes=True),
    "system/api-user/generate-key": Endpoint(_generate_key, ADMIN_RIGHT, "POST", writes=True),
}
