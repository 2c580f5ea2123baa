"""An office whose DNS server forwards a cluster's names to masters that behave as a test wants."""

from typing import Any

import dns.message

from lab.windows_dns import State, VirtualClock, Zone
from tests.lab.windows_dns.clients import Masters, office_state

ZONE = "svc.cluster.local"
NAME = f"redis.default.{ZONE}"
ADD = "Add-DnsServerConditionalForwarderZone"


def office(*zones: Zone, **settings: Any) -> State:
    state = office_state(**settings)
    state.zones += zones
    return state


def forwarder(*masters: str, name: str = ZONE, **details: Any) -> Zone:
    return Zone(name=name, masters=list(masters), **details)


def masters(**table: Any) -> Masters:
    """Masters by the last byte of their address: `m2=…` is 10.68.0.2."""
    return Masters(VirtualClock(), {f"10.68.0.{name[1:]}": reply for name, reply in table.items()})


def soa_owner(response: dns.message.Message) -> str:
    return next(rrset.name.to_text() for rrset in response.authority)
