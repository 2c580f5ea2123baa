"""Zones, forwarders, cache and settings.

Parameters, positions and parameter sets follow the published reference of the module (Windows Server 2022).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from lab.windows_dns.powershell.binding import Parameter
from lab.windows_dns.powershell.command import Cmdlet, Invocation, cmdlet
from lab.windows_dns.powershell.conversion import convert, to_text
from lab.windows_dns.powershell.values import CimInstance, PSArray, UInt32
from lab.windows_dns.state import Zone
from lab.windows_dns.zones import DnsFailure, normal

from .caller import Caller, agreed, cim_error, dns_cmdlet
from .testing import test_dns_server

P = Parameter
_SCOPES = ("Forest", "Domain", "Legacy", "Custom")
_NAME = P("Name", "string", mandatory=True, position=1, aliases=("ZoneName",), from_property=True)
_REMOTE = (
    P("ComputerName", "string", aliases=("Cn",)),
    P("CimSession", aliases=("Session",)),
    P("ThrottleLimit", "int"),
    P("AsJob", "switch"),
)
# What a zone of one type has and one of another has not.
_OF_SOME_ZONES = ("ForwarderTimeout", "MasterServers", "UseRecursion", "DynamicUpdate")
_FORWARDER = "PS_DnsServerConditionalForwarderZone"


def zone_instance(zone: Zone) -> CimInstance:
    """A zone as CIM object. MasterServers carries extended type data, as arrays of CIM properties do."""
    forwarder = zone.type == "Forwarder"
    masters = PSArray(convert(master, "ipaddress") for master in zone.masters)
    masters.wrapped = True
    reverse = normal(zone.name).endswith((".in-addr.arpa", ".ip6.arpa"))
    properties: list[tuple[str, Any]] = [
        ("NotifyServers", None),
        ("SecondaryServers", None),
        ("DistinguishedName", _distinguished_name(zone)),
        ("IsAutoCreated", zone.auto_created),
        ("IsDsIntegrated", zone.ds_integrated),
        ("IsPaused", False),
        ("IsReadOnly", False),
        ("IsReverseLookupZone", reverse),
        ("IsShutdown", False),
        ("IsSigned", None if forwarder else False),
        ("ZoneFile", None if forwarder or zone.ds_integrated or zone.auto_created else f"{zone.name}.dns"),
        ("ZoneName", zone.name),
        ("ZoneType", zone.type),
        ("DirectoryPartitionName", zone.partition),
        ("ReplicationScope", zone.scope),
    ]
    if forwarder:
        properties += [
            ("ForwarderTimeout", UInt32(zone.timeout)),
            ("MasterServers", masters),
            ("UseRecursion", zone.use_recursion),
        ]
    elif zone.type in ("Secondary", "Stub"):
        properties.append(("MasterServers", masters))
    else:
        properties.append(("DynamicUpdate", "Secure" if zone.ds_integrated else "None"))
    name = "DnsServerConditionalForwarderZone" if forwarder else f"DnsServer{zone.type}Zone"
    return CimInstance(name, properties, _OF_SOME_ZONES)


def _distinguished_name(zone: Zone) -> str | None:
    return f"DC={zone.name},cn=MicrosoftDNS,{zone.partition or 'DC=DomainDnsZones'}" if zone.ds_integrated else None


async def _get_zone(run: Invocation, caller: Caller) -> None:
    if run["Name"] is None:
        for zone in sorted(caller.server.zones, key=lambda each: normal(each.name)):
            run.emit(zone_instance(zone))
        return
    for name in run["Name"]:
        found = caller.server.zones.get(name)
        if found is None:
            run.error(cim_error(run, 9601, "get", name, "PS_DnsServerZone"))
        else:
            run.emit(zone_instance(found))


def _storage(caller: Caller, scope: str | None, partition: str | None) -> dict[str, Any]:
    """Where a zone is kept, after the checks of the server."""
    settings = caller.server.settings
    if scope is None:
        if partition is not None:
            raise DnsFailure(9901)
        return {"ds_integrated": False, "scope": "None", "partition": None}
    if not settings.has_directory:
        raise DnsFailure(9717)
    proper = next(each for each in _SCOPES if each.lower() == scope.lower())
    if proper == "Custom":
        if partition is None or partition.lower() not in (each.lower() for each in settings.partitions):
            raise DnsFailure(9901)
    elif partition is not None:
        raise DnsFailure(9901)
    else:
        names = {"Domain": "DomainDnsZones", "Forest": "ForestDnsZones", "Legacy": ""}
        partition = ".".join(filter(None, (names[proper], settings.domain)))
    return {"ds_integrated": True, "scope": proper, "partition": partition}


def _texts(addresses: Iterable[Any]) -> list[str]:
    return [to_text(address) for address in addresses]


async def _add_forwarder(run: Invocation, caller: Caller) -> None:
    name, zones = run["Name"], caller.server.zones
    _check_name(name)
    existing = zones.get(name)
    if existing is not None:
        if existing.auto_created:
            raise DnsFailure(9610)
        raise DnsFailure(caller.server.settings.duplicate_code if existing.type == "Forwarder" else 9609)
    storage = _storage(caller, run["ReplicationScope"], run["DirectoryPartitionName"])
    zone = Zone(
        name=name.rstrip("."),
        masters=_texts(run["MasterServers"]),
        timeout=5 if run["ForwarderTimeout"] is None else run["ForwarderTimeout"],
        use_recursion=bool(run["UseRecursion"]),
        **storage,
    )
    if run["WhatIf"] or run["Confirm"]:
        run.interp.console.out(f"What if: Adding the conditional forwarder {name}\r\n")
        return
    zones.put(zone)
    if run["PassThru"]:
        run.emit(zone_instance(zone))


def _check_name(name: str) -> None:
    stripped = name.rstrip(".")
    labels = stripped.split(".")
    if not stripped or len(stripped.encode()) > 253 or any(not label or len(label.encode()) > 63 for label in labels):
        raise DnsFailure(87)
    if any(char.isspace() or ord(char) < 32 for char in stripped):
        raise DnsFailure(9560)


async def _set_forwarder(run: Invocation, caller: Caller) -> None:
    zones = caller.server.zones
    zone = zones.require(run["Name"])
    if zone.type != "Forwarder":
        raise DnsFailure(9611)
    update: dict[str, Any] = {}
    if run["ReplicationScope"] is not None:
        if not zone.ds_integrated:
            # The storage of a zone cannot be changed in place: remove and add.
            raise DnsFailure(9603)
        update = _storage(caller, run["ReplicationScope"], run["DirectoryPartitionName"])
    if run["MasterServers"] is not None:
        update["masters"] = _texts(run["MasterServers"])
    if run["ForwarderTimeout"] is not None:
        update["timeout"] = run["ForwarderTimeout"]
    if run["UseRecursion"] is not None:
        update["use_recursion"] = run["UseRecursion"]
    changed = zone.model_copy(update=update)
    zones.put(changed)
    if run["PassThru"]:
        run.emit(zone_instance(changed))


async def _remove_zone(run: Invocation, caller: Caller) -> None:
    zone = caller.server.zones.require(run["Name"])
    if not await agreed(run, caller, "remove_question", zone=zone.name):
        return
    caller.server.zones.remove(zone.name)
    if run["PassThru"]:
        run.emit(zone_instance(zone))


async def _clear_cache(run: Invocation, caller: Caller) -> None:
    if not await agreed(run, caller, "clear_question"):
        return
    caller.server.cache.clear()
    caller.server.record("", None, None)


async def _get_cache(run: Invocation, caller: Caller) -> None:
    settings = caller.server.settings
    run.emit(
        CimInstance(
            "DnsServerCache",
            [
                ("MaxTTL", timedelta(seconds=settings.max_cache_ttl)),
                ("MaxNegativeTTL", timedelta(seconds=settings.max_negative_ttl)),
                ("MaxKBSize", 0),
                ("EnablePollutionProtection", True),
                ("LockingPercent", 100),
                ("StoreEmptyAuthenticationResponse", True),
                ("IgnorePolicies", False),
            ],
        )
    )


async def _show_cache(run: Invocation, caller: Caller) -> None:
    for name, kind, left, data in caller.server.cache.view():
        run.emit(
            CimInstance(
                "DnsServerResourceRecord",
                [
                    ("HostName", name),
                    ("RecordType", kind),
                    ("TimeToLive", timedelta(seconds=left)),
                    ("RecordData", data),
                ],
            )
        )


async def _get_server_forwarder(run: Invocation, caller: Caller) -> None:
    settings = caller.server.settings
    addresses = PSArray(convert(address, "ipaddress") for address in settings.forwarders)
    addresses.wrapped = True
    run.emit(
        CimInstance(
            "DnsServerForwarder",
            [
                ("UseRootHint", settings.use_root_hints),
                ("Timeout", UInt32(settings.forwarders_timeout)),
                ("EnableReordering", True),
                ("IPAddress", addresses),
                ("ReorderedIPAddress", addresses),
            ],
        )
    )


async def _get_recursion(run: Invocation, caller: Caller) -> None:
    timeout = UInt32(int(caller.server.settings.recursion_timeout))
    run.emit(
        CimInstance(
            "DnsServerRecursion",
            [
                ("AdditionalTimeout", UInt32(4)),
                ("RetryInterval", UInt32(3)),
                ("Timeout", timeout),
                ("Enable", caller.server.settings.recursion),
                ("SecureResponse", True),
            ],
        )
    )


async def _get_setting(run: Invocation, caller: Caller) -> None:
    settings = caller.server.settings
    properties: list[tuple[str, Any]] = [
        ("ComputerName", caller.server.fqdn),
        ("MajorVersion", 10),
        ("MinorVersion", 0),
        ("BuildNumber", 20348),
        ("IsReadOnlyDC", False),
        ("EnableDnsSec", True),
        ("EnableIPv6", True),
        ("ListeningIPAddress", PSArray(settings.addresses)),
        ("AllIPAddress", PSArray(settings.addresses)),
    ]
    if run["All"]:
        properties.append(("DsAvailable", settings.has_directory))
    run.emit(CimInstance("DnsServerSetting", properties))


def _cmdlet(
    name: str, right: str, key: str, cim_class: str, work: Any, *parameters: Parameter, **options: Any
) -> Cmdlet:
    wrapped = dns_cmdlet(right, key, cim_class, work)
    return cmdlet(name, wrapped, *parameters, *_REMOTE, module="DnsServer", module_function=True, **options)


def _in(set_name: str, **details: Any) -> dict[str, Any]:
    return {"sets": frozenset({set_name}), **details}


_ADD = ("FileForwardLookupZone", "ADForwardLookupZone")
_SET = ("Parameters", "ADZone")
_TIMEOUT: dict[str, Any] = {"position": 3, "limits": (0, 15), "from_property": True}
DNS_SERVER: tuple[Cmdlet, ...] = (
    _cmdlet(
        "Get-DnsServerZone",
        "read",
        "list",
        "PS_DnsServerZone",
        _get_zone,
        P("Name", "string[]", position=1, aliases=("ZoneName",), from_property=True),
        P("VirtualizationInstance", "string"),
        per_object=True,
    ),
    _cmdlet(
        "Add-DnsServerConditionalForwarderZone",
        "write",
        "add",
        _FORWARDER,
        _add_forwarder,
        _NAME,
        P("MasterServers", "ipaddress[]", mandatory=True, position=2, from_property=True),
        P("ForwarderTimeout", "uint32", **_TIMEOUT),
        P("UseRecursion", "switch", from_property=True),
        P("LoadExisting", "switch"),
        P("PassThru", "switch"),
        P("ReplicationScope", "string", **_in("ADForwardLookupZone", allowed=_SCOPES)),
        P("DirectoryPartitionName", "string", **_in("ADForwardLookupZone")),
        sets=_ADD,
        default_set="FileForwardLookupZone",
        should_process=True,
        per_object=True,
    ),
    _cmdlet(
        "Set-DnsServerConditionalForwarderZone",
        "write",
        "set",
        _FORWARDER,
        _set_forwarder,
        _NAME,
        P("MasterServers", "ipaddress[]", **_in("Parameters", position=2)),
        P("ForwarderTimeout", "uint32", **_in("Parameters", position=3, limits=(0, 15))),
        P("UseRecursion", "bool", **_in("Parameters", position=4)),
        P("ReplicationScope", "string", **_in("ADZone", allowed=_SCOPES, mandatory=True)),
        P("DirectoryPartitionName", "string", **_in("ADZone")),
        P("PassThru", "switch"),
        sets=_SET,
        default_set="Parameters",
        should_process=True,
        per_object=True,
    ),
    _cmdlet(
        "Remove-DnsServerZone",
        "write",
        "remove",
        "PS_DnsServerZone",
        _remove_zone,
        _NAME,
        P("Force", "switch"),
        P("PassThru", "switch"),
        P("VirtualizationInstance", "string"),
        should_process=True,
        per_object=True,
    ),
    _cmdlet(
        "Clear-DnsServerCache",
        "write",
        "clear",
        "PS_DnsServerCache",
        _clear_cache,
        P("Force", "switch"),
        P("CacheScope", "string"),
        should_process=True,
    ),
    _cmdlet("Get-DnsServerCache", "read", "settings", "PS_DnsServerCache", _get_cache),
    _cmdlet("Show-DnsServerCache", "read", "settings", "PS_DnsServerCache", _show_cache),
    _cmdlet("Get-DnsServerForwarder", "read", "settings", "PS_DnsServerForwarder", _get_server_forwarder),
    _cmdlet("Get-DnsServerSetting", "read", "settings", "PS_DnsServerSetting", _get_setting, P("All", "switch")),
    _cmdlet("Get-DnsServerRecursion", "read", "settings", "PS_DnsServerRecursion", _get_recursion),
    _cmdlet(
        "Test-DnsServer",
        "read",
        "settings",
        "PS_DnsServerValidity",
        test_dns_server,
        P("IPAddress", "ipaddress[]", mandatory=True, position=1, from_property=True),
        P("Context", "string", **_in("Context", position=2, allowed=("DnsServer", "Forwarder", "RootHints"))),
        P("ZoneName", "string", **_in("ZoneMaster", mandatory=True)),
        sets=("Context", "ZoneMaster"),
        default_set="Context",
    ),
)
