"""What came back from the wire, in the words of the diagnosis."""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from bot.model.facts import Protocol
from bot.model.value import Value

DnsTransport = Literal["udp", "tcp"]
DnsOutcome = Literal[
    "answer",  # NOERROR with addresses
    "nodata",  # NOERROR without: the name exists, this type does not
    "nxdomain",
    "servfail",
    "refused-rcode",  # the server answered REFUSED
    "timeout",  # silence
    "refused",  # nobody listens: ICMP port unreachable or RST
    "unreachable",  # ICMP host or net unreachable
    "malformed",  # something answered, but not DNS, or not to our question
]
ConnectOutcome = Literal[
    "data",  # bytes came back, or our byte was acknowledged: the path carries data both ways
    "handshake-only",  # connected, but no data came back: proves nothing about the path
    "timeout",
    "refused",
    "host-unreachable",
    "net-unreachable",
    "reset",  # accepted, then cut before any data
]


class DnsAnswer(Value):
    """One question to one server over one transport. `soa_owner` is the owner of the SOA in the authority section:
    it tells whose negative answer this is ("." means: no forwarder matched)."""

    server: IPv4Address
    name: str
    transport: DnsTransport
    outcome: DnsOutcome
    addresses: tuple[IPv4Address, ...] = ()
    aliases: tuple[str, ...] = ()  # CNAME targets, in order
    soa_owner: str | None = None
    truncated: bool = False
    ttl_s: int | None = None
    elapsed_ms: int
    detail: str = ""


class ConnectAnswer(Value):
    """One connection with data on it. `peer_says` is a short, printable proof of what answered, `source` the address
    that the connection started from, where that is known."""

    address: IPv4Address
    port: int
    protocol: Protocol
    outcome: ConnectOutcome
    spoke: str = ""  # the application protocol the probe tried, such as "redis"; "" when the port tells none
    peer_says: str = ""
    source: IPv4Address | None = None
    elapsed_ms: int


class PingAnswer(Value):
    """One ICMP echo. `answered` is None when it could not be sent, or cannot be told; `problem` says why."""

    address: IPv4Address
    answered: bool | None
    elapsed_ms: int = 0
    problem: str = ""


class HitsAnswer(Value):
    """How often packets began a flow at a policy since its counters were reset, as the firewall counts.

    `hits` is None when it cannot tell; `problem` says why. `last_used` is the firewall's clock.
    """

    policy: str
    hits: int | None
    last_used: datetime | None = None
    problem: str = ""


class SessionsAnswer(Value):
    """Flows to one port that the firewall follows at the moment; `answered` of them got something back.

    `count` is None when it cannot tell; `problem` says why.
    """

    destination: IPv4Address
    protocol: Protocol
    port: int
    count: int | None
    answered: int = 0
    problem: str = ""


class OpenSessions(Value):
    """Flows to some networks, let through by some policies, that the firewall follows at the moment.

    `count` is None when it cannot tell; `problem` says why. When `complete` is false there are more than were counted.
    """

    count: Mapping[IPv4Network, int] | None
    complete: bool = True
    problem: str = ""


class ClearedSessions(Value):
    """What became of flows that the firewall was to forget, as it lists them afterwards.

    `left` is None when the list could not be read again; `problem` says what kept the others open.
    """

    cleared: int
    left: int | None
    problem: str = ""


class RouteAnswer(Value):
    """The firewall's word on the way to a destination. `found` is None when it cannot tell; `problem` says why."""

    destination: IPv4Address
    found: bool | None
    interface: str = ""
    gateway: IPv4Address | None = None
    problem: str = ""


class Packet(Value):
    """The first packet of a connection, and by which interface it comes to the firewall."""

    interface: str
    source: IPv4Address
    destination: IPv4Address
    protocol: Protocol
    port: int


class DetourAnswer(Value):
    """Whether a rule of the firewall sends a packet its own way before the routes are looked at.

    `taken` is None when it cannot tell; `problem` says why. `row` is the rule's number, where there is one.
    """

    packet: Packet
    taken: bool | None
    row: int = 0
    interface: str = ""
    gateway: IPv4Address | None = None
    problem: str = ""


class PolicyAnswer(Value):
    """What the firewall would do with a packet. `allowed` is None when it cannot tell; `problem` says why."""

    source: IPv4Address
    destination: IPv4Address
    protocol: Protocol
    port: int
    allowed: bool | None
    policy: str = ""  # "implicit deny", or the policy's name or number
    problem: str = ""
