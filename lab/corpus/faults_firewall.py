"""Faults of the firewall: routes, policies, the objects they are made of, and its API."""

from collections.abc import Callable
from typing import Any

from lab.corpus.fault import ADDRESSED, HEADLESS, SPREAD, Fault
from lab.corpus.office import Office

_ROUTES, _POLICIES, _ADDRESSES = "router/static", "firewall/policy", "firewall/address"
_TO_SERVICES, _TO_PODS = 1000, 1001
_FOR_DNS, _FOR_OFFICE = 1000, 1001
_DEAD, _OTHER_NODE = "172.16.1.77", "172.16.1.107"

Change = Callable[[Office], None]


def _delete(table: str, *keys: int) -> Change:
    def apply(office: Office) -> None:
        for key in keys:
            office.device.delete(table, key)

    return apply


def _set(table: str, key: int | str, **fields: Any) -> Change:
    body = {name.replace("_", "-"): value for name, value in fields.items()}

    def apply(office: Office) -> None:
        office.device.update(table, key, body)

    return apply


def _names(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def _add_route(dst: str, gateway: str = "0.0.0.0", **fields: Any) -> Change:
    def apply(office: Office) -> None:
        number = 50 if dst.startswith("10.") else 51
        office.device.create(_ROUTES, {"seq-num": number, "dst": dst, "gateway": gateway, "device": "Test"} | fields)

    return apply


def _lead_away(office: Office) -> None:
    """What comes from the office for the cluster's networks takes the way to the internet."""
    body = {
        "seq-num": 1,
        "input-device": _names("internal"),
        "dst": [{"subnet": "10.68.0.0/255.255.0.0"}, {"subnet": "172.20.0.0/255.255.0.0"}],
        "gateway": "192.0.2.1",
        "output-device": "wan1",
    }
    office.device.create("router/policy", body)


def _deny(service: str) -> Change:
    """A policy in front of all others."""

    def apply(office: Office) -> None:
        if service == "redis-only":
            office.device.create("firewall.service/custom", {"name": service, "tcp-portrange": "6379"})
        _in_front(office, 50, "internal", "office", service)

    return apply


def _deny_questions(office: Office) -> None:
    """A policy in front of all others, against a part of what a DNS server asks."""
    office.device.create("firewall.service/custom", {"name": "questions", "udp-portrange": "53"})
    _in_front(office, 51, "dmz", "all", "questions")


def _in_front(office: Office, number: int, interface: str, source: str, service: str) -> None:
    body = {
        "policyid": number,
        "name": f"quarantine-{interface}",
        "srcintf": _names(interface),
        "dstintf": _names("Test"),
        "srcaddr": _names(source),
        "dstaddr": _names("all"),
        "action": "deny",
        "schedule": "always",
        "service": _names(service),
    }
    office.device.create(_POLICIES, body)
    office.device.move(_POLICIES, number, 1, after=False)


def _dns_service(**ranges: str) -> Change:
    def apply(office: Office) -> None:
        body = {"name": "half-dns"} | {name.replace("_", "-"): value for name, value in ranges.items()}
        office.device.create("firewall.service/custom", body)
        office.device.update(_POLICIES, _FOR_DNS, {"service": _names("half-dns")})

    return apply


def _arm(kind: str) -> Change:
    def apply(office: Office) -> None:
        office.firewall.faults.arm(kind, count=None)

    return apply


def _unplug(office: Office) -> None:
    office.device.set_link("Test", up=False)


def _forget_user(office: Office) -> None:
    office.device.update("system/api-user", "k8snet", {"api-key": "another-key-than-the-bots-0000"})


def _blind_user(office: Office) -> None:
    office.device.update("system/accprofile", "net-assistant", {"fwgrp": "none", "netgrp": "none"})


FIREWALL: tuple[Fault, ...] = (
    Fault("no route to services", "K8SNET-RT-01", "route-services", _delete(_ROUTES, _TO_SERVICES)),
    Fault("no route to pods", "K8SNET-RT-03", "route-pods", _delete(_ROUTES, _TO_PODS), (HEADLESS,)),
    Fault("no routes at all", "K8SNET-RT-01", "routes", _delete(_ROUTES, _TO_SERVICES, _TO_PODS)),
    Fault(
        "services routed to another node",
        "K8SNET-RT-02",
        "route-services",
        _set(_ROUTES, _TO_SERVICES, gateway=_OTHER_NODE),
    ),
    Fault("services routed to nobody", "K8SNET-RT-02", "route-services", _set(_ROUTES, _TO_SERVICES, gateway=_DEAD)),
    Fault(
        "pods routed to another node",
        "K8SNET-RT-02",
        "route-pods",
        _set(_ROUTES, _TO_PODS, gateway=_OTHER_NODE),
        (HEADLESS,),
    ),
    Fault("pods routed to nobody", "K8SNET-RT-02", "route-pods", _set(_ROUTES, _TO_PODS, gateway=_DEAD), (HEADLESS,)),
    Fault(
        "services routed by another interface",
        "K8SNET-RT-04",
        "route-services",
        _set(_ROUTES, _TO_SERVICES, device="dmz", gateway="172.16.2.77"),
    ),
    Fault(
        "pods routed by another interface",
        "K8SNET-RT-04",
        "route-pods",
        _set(_ROUTES, _TO_PODS, device="dmz", gateway="172.16.2.77"),
        (HEADLESS,),
    ),
    Fault("a second route to services", "K8SNET-RT-06", "route-services", _add_route("10.68.0.0/16", _OTHER_NODE)),
    Fault("a second route to pods", "K8SNET-RT-06", "route-pods", _add_route("172.20.0.0/16", _DEAD), (HEADLESS,)),
    Fault(
        "route to services switched off",
        "K8SNET-RT-06",
        "route-services",
        _set(_ROUTES, _TO_SERVICES, status="disable"),
    ),
    Fault("a narrower route elsewhere", "K8SNET-RT-02", "route-services", _add_route("10.68.0.0/24", _OTHER_NODE)),
    Fault(
        "a narrower blackhole",
        "K8SNET-RT-05",
        "route-services",
        _add_route("10.68.0.0/24", blackhole="enable", device=""),
    ),
    Fault("a policy route to the internet", "K8SNET-RT-07", "policy-route", _lead_away),
    Fault("cable to the nodes unplugged", "K8SNET-FW-03", "interface", _unplug),
    Fault("interface to the nodes down", "K8SNET-FW-03", "interface", _set("system/interface", "Test", status="down")),
    Fault("no policy for the office", "K8SNET-POL-01", "office-policy", _delete(_POLICIES, _FOR_OFFICE)),
    Fault(
        "the office's policy disabled", "K8SNET-POL-03", "office-policy", _set(_POLICIES, _FOR_OFFICE, status="disable")
    ),
    Fault("the office's policy denies", "K8SNET-POL-02", "office-policy", _set(_POLICIES, _FOR_OFFICE, action="deny")),
    Fault(
        "the office's policy for UDP only",
        "K8SNET-POL-03",
        "office-policy",
        _set(_POLICIES, _FOR_OFFICE, service=_names("ALL_UDP")),
    ),
    Fault(
        "the office's policy for TCP only",
        "K8SNET-POL-03",
        "office-policy",
        _set(_POLICIES, _FOR_OFFICE, service=_names("ALL_TCP")),
        ("echo-udp.default",),
    ),
    Fault(
        "the office's policy on another interface",
        "K8SNET-POL-03",
        "office-policy",
        _set(_POLICIES, _FOR_OFFICE, srcintf=_names("dmz")),
    ),
    Fault(
        "the office's policy to pods only",
        "K8SNET-POL-03",
        "office-policy",
        _set(_POLICIES, _FOR_OFFICE, dstaddr=_names("k8s_POD_CIDR")),
        ADDRESSED,
    ),
    Fault(
        "the office's policy to services only",
        "K8SNET-POL-03",
        "office-policy",
        _set(_POLICIES, _FOR_OFFICE, dstaddr=_names("k8s_SERVICE_CIDR")),
        (HEADLESS,),
    ),
    Fault(  # of the same part as the object: turning around what was changed may well let the office in again
        "the office's policy turned around",
        "K8SNET-POL-03",
        "object-office",
        _set(_POLICIES, _FOR_OFFICE, srcaddr_negate="enable"),
    ),
    Fault(  # where another fault has changed what would be moved, too, moving it would mend nothing
        "a deny in front",
        "K8SNET-POL-05",
        "shadow",
        _deny("ALL"),
        also=("K8SNET-POL-02",),
        shows=("K8SNET-POL-05",),
    ),
    Fault("a deny in front for one port", "K8SNET-POL-02", "shadow", _deny("redis-only"), (HEADLESS,)),
    Fault(
        "the services' address object changed",
        "K8SNET-POL-04",
        "object-services",
        _set(_ADDRESSES, "k8s_SERVICE_CIDR", subnet="10.69.0.0 255.255.0.0"),
        ADDRESSED,
    ),
    Fault(
        "the pods' address object changed",
        "K8SNET-POL-04",
        "object-pods",
        _set(_ADDRESSES, "k8s_POD_CIDR", subnet="172.20.0.0 255.255.255.0"),
        (HEADLESS,),
    ),
    Fault(
        "the office's address object changed",
        "K8SNET-POL-04",
        "object-office",
        _set(_ADDRESSES, "office-hq", subnet="172.16.8.0 255.255.255.0"),
    ),
    Fault("a deny in front for the DNS server", "K8SNET-DNS-21", "shadow-dns", _deny_questions),
    Fault("no policy for DNS", "K8SNET-DNS-03", "dns-policy", _delete(_POLICIES, _FOR_DNS)),
    Fault("DNS policy disabled", "K8SNET-DNS-03", "dns-policy", _set(_POLICIES, _FOR_DNS, status="disable")),
    Fault("DNS policy for UDP only", "K8SNET-DNS-07", "dns-policy", _dns_service(udp_portrange="53")),
    Fault("DNS policy for TCP only", "K8SNET-DNS-03", "dns-policy", _dns_service(tcp_portrange="53")),
    Fault(
        "the DNS server's address object changed",
        "K8SNET-POL-04",
        "object-dns",
        _set(_ADDRESSES, "k8snet-dns-dc1", subnet="172.16.2.4 255.255.255.255"),
    ),
    Fault(
        "kube-dns' address object changed",
        "K8SNET-POL-04",
        "object-kube-dns",
        _set(_ADDRESSES, "k8snet-qa-kube-dns", subnet="10.68.0.3 255.255.255.255"),
    ),
    Fault("the office may not ask DNS", "K8SNET-DNS-10", "office-to-dns", _delete(_POLICIES, 2, 3)),
    Fault("firewall's API refuses connections", "K8SNET-FW-01", "firewall-api", _arm("refuse"), kind="blind"),
    Fault("firewall's API hangs", "K8SNET-FW-01", "firewall-api", _arm("hang-before"), kind="blind"),
    Fault("firewall's API answers nonsense", "K8SNET-FW-01", "firewall-api", _arm("garble"), kind="blind"),
    Fault("firewall's token revoked", "K8SNET-FW-02", "firewall-api", _forget_user, kind="blind"),
    Fault("firewall's rights taken away", "K8SNET-FW-02", "firewall-api", _blind_user, kind="blind"),
    Fault(
        "the office's policy hides clients",
        "K8SNET-FW-04",
        "office-policy",
        _set(_POLICIES, _FOR_OFFICE, nat="enable"),
        (SPREAD,),
        kind="harmless",
    ),
)
