"""The article's firewall before anything was done for Kubernetes.

The office (internal) already reaches the two server networks (Test with the cluster's nodes, dmz
with the DNS server) and the Internet; nothing is known about the pods' or the services' network.
"""

from __future__ import annotations

import copy
from typing import Any

OFFICE = "172.16.0.0/24"
NODES = "172.16.1.0/24"
SERVERS = "172.16.2.0/24"
DNS_SERVER = "172.16.2.3/32"


def _policy(number: int, name: str, path: str, addresses: str, service: str, **more: Any) -> dict[str, Any]:
    source_interface, destination_interface = path.split(" -> ")
    source, destination = addresses.split(" -> ")
    return {
        "policyid": number,
        "name": name,
        "srcintf": [{"name": source_interface}],
        "dstintf": [{"name": destination_interface}],
        "srcaddr": [{"name": source}],
        "dstaddr": [{"name": destination}],
        "action": "accept",
        "schedule": "always",
        "service": [{"name": service}],
        **more,
    }


_ROOT = {
    "system/interface": [
        {"name": "wan1", "ip": "192.0.2.2 255.255.255.252", "role": "wan", "status": "up"},
        {"name": "internal", "ip": "172.16.0.254 255.255.255.0", "role": "lan", "status": "up",
         "alias": "office", "allowaccess": "ping https ssh"},
        {"name": "Test", "ip": "172.16.1.254 255.255.255.0", "role": "lan", "status": "up",
         "alias": "test room", "allowaccess": "ping"},
        {"name": "dmz", "ip": "172.16.2.254 255.255.255.0", "role": "dmz", "status": "up",
         "alias": "servers", "allowaccess": "ping https"},
    ],
    "firewall/address": [
        {"name": "office", "subnet": OFFICE, "associated-interface": "internal"},
        {"name": "test-servers", "subnet": NODES, "associated-interface": "Test"},
        {"name": "dmz-servers", "subnet": SERVERS, "associated-interface": "dmz"},
        {"name": "dns-server", "subnet": DNS_SERVER, "associated-interface": "dmz"},
    ],
    "router/static": [{"seq-num": 1, "gateway": "192.0.2.1", "device": "wan1"}],
    "firewall/policy": [
        _policy(1, "office-to-test", "internal -> Test", "office -> test-servers", "ALL"),
        _policy(2, "office-to-dns", "internal -> dmz", "office -> dns-server", "DNS"),
        _policy(3, "office-to-dmz", "internal -> dmz", "office -> dmz-servers", "ALL"),
        _policy(4, "test-to-dns", "Test -> dmz", "test-servers -> dns-server", "DNS"),
        _policy(5, "test-to-office", "Test -> internal", "test-servers -> office", "ALL"),
        _policy(6, "dmz-to-office", "dmz -> internal", "dmz-servers -> office", "PING"),
        _policy(7, "office-to-internet", "internal -> wan1", "office -> all", "ALL", nat="enable"),
    ],
}  # fmt: skip

_ASSISTANT = {
    "name": "net-assistant",
    "fwgrp": "custom",
    "fwgrp-permission": {
        "address": "read-write", "policy": "read-write", "service": "read", "schedule": "read",
    },
    "netgrp": "custom",
    "netgrp-permission": {"cfg": "read", "route-cfg": "read-write"},
    "sysgrp": "custom",
    "sysgrp-permission": {"cfg": "read"},
}  # fmt: skip


def state(token: str, *, user: str = "k8snet", profile: str = "net-assistant") -> dict[str, Any]:
    """A fresh state with one API user, who may come from this host only.

    `net-assistant` is the smallest access profile for addresses, routes and policies.
    """
    return {
        "version": "v7.4.4",
        "build": 2662,
        "serial": "FGVMEVARTICLE001",
        "hostname": "office-firewall",
        "api_users": [
            {"name": user, "token": token, "accprofile": profile, "vdom": ["root"], "trusthost": ["127.0.0.1/32"]}
        ],
        "accprofiles": [copy.deepcopy(_ASSISTANT)],
        "vdoms": {"root": copy.deepcopy(_ROOT)},
        "units": [
            {"serial": "FGVMEVARTICLE001", "hostname": "office-firewall", "priority": 200},
            {"serial": "FGVMEVARTICLE002", "hostname": "office-firewall-2", "priority": 100},
        ],
    }
