"""Whether a policy is reached at all: new ones go to the end of the list, and the first match wins."""

from ipaddress import IPv4Address, IPv4Network

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backends.fortigate.client import Client
from backends.fortigate.mapping import Found
from backends.fortigate.oracle import Oracle
from backends.fortigate.reading import Reader
from backends.fortigate.urls import TableUrl, lookups
from bot.model.errors import Rejected
from bot.model.facts import Protocol
from bot.model.resources import Address, AddressGroup, Key, Policy

_USUAL_PORT = 443
_DEEPEST = 4  # groups within groups


class ServiceRow(BaseModel):
    """A row of firewall.service/custom: ranges such as `1-65535` or `80:1024-65535`, several with blanks between."""

    model_config = ConfigDict(extra="ignore")

    protocol: str = "TCP/UDP/SCTP"
    tcp: str = Field("", alias="tcp-portrange")
    udp: str = Field("", alias="udp-portrange")


class CannotTell(Exception):
    """Why no sample packet could be made."""


class Shadowing:
    """Sends one sample packet of a policy through the firewall's own policy look-up."""

    def __init__(self, client: Client, reader: Reader, oracle: Oracle) -> None:
        self._client = client
        self._reader = reader
        self._oracle = oracle

    async def of(self, policy: Policy) -> str | None:
        """None when the sample packet ends at this policy; otherwise who decides before it, or why that is not known.

        One packet proves a shadow, but not that every packet gets through.
        """
        try:
            source, destination = await self._host(policy.sources[0]), await self._host(policy.destinations[0])
            protocol, port = await self._service(policy.services[0])
        except (CannotTell, Rejected) as reason:
            return f"it was not checked whether policy {policy.name} is reached: {reason}"
        interface = policy.source_interfaces[0]
        answer = await self._oracle.policy(interface, source, destination, protocol, port)
        if answer.policy == policy.name:
            return None
        packet = f"{protocol} from {source} ({interface}) to {destination} port {port}"
        if answer.allowed is None:
            return f"it is not known whether policy {policy.name} is reached by {packet}: {answer.problem}"
        return (
            f"policy {policy.name} is not reached by {packet}: {answer.policy} decides before it. "
            f"Move {policy.name} above it (config firewall policy / move)"
        )

    async def _host(self, name: str, depth: int = 0) -> IPv4Address:
        keys = (Key(kind="address", name=name), Key(kind="address-group", name=name))
        for there in (await self._reader.find(keys)).values():
            match there:
                case Found(resource=Address(network=network)):
                    return _first_host(network)
                case Found(resource=AddressGroup(members=[first, *_])) if depth < _DEEPEST:
                    return await self._host(first, depth + 1)
        raise CannotTell(f"{name} is no network that a sample address could be taken from")

    async def _service(self, name: str) -> tuple[Protocol, int]:
        [lookup] = lookups("name", [name])
        query = (*lookup, ("format", "name|protocol|tcp-portrange|udp-portrange"))
        for row in await self._client.rows(TableUrl("firewall.service/custom"), query):
            if row.get("name") != name:
                continue
            try:
                service = ServiceRow.model_validate(row)
                if service.protocol == "IP":
                    return "TCP", _USUAL_PORT
                if service.protocol == "TCP/UDP/SCTP" and (service.tcp or service.udp):
                    return ("TCP", _port(service.tcp)) if service.tcp else ("UDP", _port(service.udp))
            except (ValidationError, ValueError):
                break
        raise CannotTell(f"service {name} has no TCP or UDP port to sample")


def _first_host(network: IPv4Network) -> IPv4Address:
    if network.prefixlen == 0:
        raise CannotTell("the address covers everything")
    return network.network_address if network.prefixlen >= 31 else network[1]


def _port(ranges: str) -> int:
    """The usual port if it is within the first range, else the range's lowest. Raises ValueError."""
    low, _, high = ranges.split()[0].partition(":")[0].partition("-")
    return _USUAL_PORT if int(low) <= _USUAL_PORT <= int(high or low) else int(low)
