"""Their JSON. Fields that k8snet does not look at are ignored; numbers may come as text; a missing field has the
device's default. Names follow FortiOS, with `_` for `-`."""

from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

Switch = Literal["enable", "disable"]


def _hyphens(name: str) -> str:
    return name.replace("_", "-")


class Wire(BaseModel):
    """A JSON object of theirs."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=_hyphens, populate_by_name=True, coerce_numbers_to_str=True
    )


class Envelope(BaseModel):
    """What surrounds every answer. Some fields are missing on some releases, and from answers of the monitor."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    status: Literal["success", "error"]
    http_method: str = ""
    results: Any = None
    vdom: str = ""
    path: str = ""
    name: str = ""
    error: int | None = None
    cli_error: str = ""
    serial: str
    version: str


def _names(value: Any, key: str = "name") -> Any:
    """A list of references: `[{"name": "a", "q_origin_key": "a"}]`."""
    if not isinstance(value, list):
        return value
    return [item[key] if isinstance(item, dict) and key in item else item for item in value]


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


@lru_cache(4096)
def network(text: str) -> IPv4Network:
    """`10.0.0.0 255.0.0.0` or `10.0.0.0/8`; host bits mean nothing there. Raises ValueError."""
    return IPv4Network("/".join(text.split()), strict=False)


def _networks(value: Any) -> Any:
    """A list of subnets: `[{"subnet": "10.0.0.0/255.0.0.0"}]`."""
    subnets = _names(value, key="subnet")
    return [network(str(one)) for one in subnets] if isinstance(subnets, list) else subnets


Networks = Annotated[tuple[IPv4Network, ...], BeforeValidator(_networks)]
Ids = Annotated[tuple[str, ...], BeforeValidator(partial(_names, key="id"))]
Mask = Annotated[str, BeforeValidator(lambda mask: "" if mask in ("0", "0x00") else mask)]
"""Empty where packets of every type of service are meant."""


class LimitedRow(Wire):
    """A row of firewall/policy, as far as it is for some people, machines or types of service only, of whatever
    address."""

    users: Names = ()
    groups: Names = ()
    fsso_groups: Names = ()
    scim_users: Names = ()
    scim_groups: Names = ()
    src_vendor_mac: Ids = ()
    ztna_status: Switch = "disable"
    sgt_check: Switch = "disable"
    reputation_minimum: int = 0
    tos_mask: Mask = ""

    @property
    def limited(self) -> bool:
        return any(getattr(self, name) != field.default for name, field in LimitedRow.model_fields.items())


class AddressRow(Wire):
    """A row of firewall/address."""

    name: str
    type: str = "ipmask"
    subnet: str = "0.0.0.0 0.0.0.0"
    comment: str = ""


class AddressGroupRow(Wire):
    """A row of firewall/addrgrp."""

    name: str
    type: str = "default"
    category: str = "default"
    member: Names = ()
    exclude: Switch = "disable"
    comment: str = ""


class RouteRow(Wire):
    """A row of router/static."""

    seq_num: int
    status: Switch = "enable"
    dst: str = "0.0.0.0 0.0.0.0"
    src: str = "0.0.0.0 0.0.0.0"
    gateway: str = "0.0.0.0"  # noqa: S104 - the device's "none", nobody binds to it
    distance: int = 10
    device: str = ""
    comment: str = ""
    blackhole: Switch = "disable"
    dynamic_gateway: Switch = "disable"
    dstaddr: str = ""
    internet_service: int = 0
    internet_service_custom: str = ""
    internet_service_fortiguard: str = ""
    vrf: int | str = 0
    sdwan: Switch = "disable"
    sdwan_zone: Names = ()


class PlacedRow(Wire):
    """A row of firewall/policy when only its place counts."""

    policyid: int
    name: str = ""


class OwnedRow(PlacedRow):
    """A row of firewall/policy when it counts who made it."""

    comments: str = ""


class EarlierRow(LimitedRow):
    """A row of firewall/policy, as far as it matters which packets it takes from the rows after it, and what becomes of
    them."""

    policyid: int
    name: str = ""
    action: str = "deny"
    status: Switch = "enable"
    srcintf: Names = ()
    dstintf: Names = ()
    srcaddr: Names = ()
    dstaddr: Names = ()
    service: Names = ()
    schedule: str = ""
    srcaddr_negate: Switch = "disable"
    dstaddr_negate: Switch = "disable"
    service_negate: Switch = "disable"
    internet_service: Switch = "disable"
    internet_service_src: Switch = "disable"
    nat: Switch = "disable"
    utm_status: Switch = "disable"
    comments: str = ""


class PolicyRow(EarlierRow):
    """A row of firewall/policy with everything that we look at before we take it for one of our policies."""

    ippool: Switch = "disable"
    policy_expiry: Switch = "disable"


class PolicyRouteRow(Wire):
    """A row of router/policy. Nothing given means everything."""

    seq_num: int
    status: Switch = "enable"
    action: Literal["permit", "deny"] = "permit"
    input_device: Names = ()
    input_device_negate: Switch = "disable"
    src: Networks = ()
    srcaddr: Names = ()
    src_negate: Switch = "disable"
    dst: Networks = ()
    dstaddr: Names = ()
    dst_negate: Switch = "disable"
    protocol: int = 0
    start_port: int = 0
    end_port: int = 65535
    start_source_port: int = 0
    end_source_port: int = 65535
    gateway: IPv4Address = IPv4Address(0)  # the device's "none"
    output_device: str = ""
    tos_mask: Mask = ""
    internet_service_id: Ids = ()
    internet_service_custom: Names = ()
    internet_service_fortiguard: Names = ()
    users: Names = ()
    groups: Names = ()


class NamedRow(Wire):
    """A row of any table whose key is a name."""

    name: str


class InterfaceRow(NamedRow):
    """A row of system/interface. `ip` is `address mask`, all zero without one."""

    vdom: str = ""
    status: str = "up"
    ip: str = "0.0.0.0 0.0.0.0"


class ZoneRow(NamedRow):
    """A row of system/zone."""

    intrazone: str = "deny"
    interface: Annotated[tuple[str, ...], BeforeValidator(partial(_names, key="interface-name"))] = ()


class VdomSettings(Wire):
    """The one row of system/settings; an account with few rights is shown less of it."""

    ngfw_mode: Literal["profile-based", "policy-based", "unknown"] = "unknown"


class GlobalSettings(Wire):
    """The one row of system/global."""

    cfg_save: Literal["automatic", "manual", "revert"] = "automatic"
    cfg_revert_timeout: int = 600
    """Seconds."""


class Sdwan(Wire):
    """The one row of system/sdwan."""

    zone: Names = ()


class ServiceRow(NamedRow):
    """A row of firewall.service/custom: ranges such as `1-65535` or `80:1024-65535`, several with blanks between."""

    protocol: str = "TCP/UDP/SCTP"
    protocol_number: int = 0
    tcp_portrange: str = ""
    udp_portrange: str = ""
    sctp_portrange: str = ""


class RouteLookup(Wire):
    """Results of router/lookup: the route itself up to 7.4, a list of entries from 7.6."""

    class Entry(Wire):
        gateway: str = ""
        interface: str = ""

    success: bool
    gateway: str = ""
    interface: str = ""
    entries: tuple[Entry, ...] = ()


# Names in this answer are spelt with underscores, other than in the tables.
class PolicyLookup(BaseModel):
    """Results of firewall/policy-lookup; up to 6.4 only `success` and `policy_id`."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    success: bool
    policy_id: int | None = None
    error_code: str = ""


class Counter(BaseModel):
    """A row of the monitor's firewall/policy; a policy that was never met has no `hit_count`."""

    policyid: int
    hit_count: int = 0
    last_used: int = Field(default=0, ge=0, lt=1 << 32)  # seconds since 1970; its clock may be far off, not that far


class SessionRow(BaseModel):
    """A flow in firewall/session."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    proto: str
    saddr: str = ""
    sport: int = 0
    daddr: str
    dport: int
    policyid: int | None = None
    duration: int = 0  # seconds
    rcvdbyte: int = 0


class SessionList(BaseModel):
    """Results of firewall/session."""

    class Summary(BaseModel):
        matched_count: int | None = None

    details: tuple[SessionRow, ...] = ()
    summary: Summary = Summary()


class Use(Wire):
    """Who refers to an object."""

    path: str
    name: str
    mkey: str


class ObjectUsage(BaseModel):
    """Results of system/object/usage."""

    currently_using: tuple[Use, ...] = ()


ROWS: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(list[dict[str, Any]])
