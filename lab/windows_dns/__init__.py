"""A Windows DNS server that nobody owns: WS-Management on one side, DNS on the other, one zone table between them."""

from .clock import Clock, RealClock, VirtualClock
from .faults import Fault, Faults
from .replication import Directory
from .running import Opened, Running, running
from .server import Server
from .state import Account, Settings, State, Zone, article_state
from .upstream import SocketUpstream, Upstream

__all__ = [
    "Account",
    "Clock",
    "Directory",
    "Fault",
    "Faults",
    "Opened",
    "RealClock",
    "Running",
    "Server",
    "Settings",
    "SocketUpstream",
    "State",
    "Upstream",
    "VirtualClock",
    "Zone",
    "article_state",
    "running",
]
