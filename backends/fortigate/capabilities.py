"""What differs between FortiOS releases, decided in this one place from the version in an answer's envelope."""

import re
from typing import NamedTuple

from bot.model.value import Value
from bot.model.wording import tr

OLDEST = (6, 4, 2)  # the first release with numeric comparison in filters; before 6.4 policies were in two tables

_SERVICE_BY_NAME = "internet-service-fortiguard"
# With the release that brought each, from the vendor's published schemas.
_LIMITING = {
    "users": OLDEST,
    "groups": OLDEST,
    "fsso-groups": OLDEST,
    "scim-users": (7, 6, 4),
    "scim-groups": (7, 6, 4),
    "src-vendor-mac": OLDEST,
    "ztna-status": (7, 0, 0),
    "sgt-check": (7, 0, 1),
    "reputation-minimum": OLDEST,
    "tos-mask": OLDEST,
}


class SessionTable(NamedTuple):
    """A list of sessions, and the names of its filters for destination address and port."""

    table: str
    address: str
    port: str


class Capabilities(Value):
    """A FortiOS release and what follows from it. Releases after 7.6 are taken to behave like 7.6."""

    version: tuple[int, int, int]

    @classmethod
    def of(cls, text: str) -> "Capabilities":
        """From the envelope's text, such as `v7.4.4`. Raises ValueError for anything else."""
        match = re.fullmatch(r"v?(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[ ,-].*)?", text)
        if match is None:
            raise ValueError(tr("{text!r} is not a FortiOS version", text=text[:40]))
        major, minor, patch = map(int, match.groups())
        return cls(version=(major, minor, patch))

    def __str__(self) -> str:
        return "FortiOS " + ".".join(map(str, self.version))

    @property
    def supported(self) -> bool:
        return self.version >= OLDEST

    @property
    def route_columns(self) -> tuple[str, ...]:
        """Columns of a static route that exist in this release beside those that exist in all."""
        sdwan = ("sdwan-zone",) if self.version >= (7, 0, 1) else ("sdwan",)
        return (*sdwan, _SERVICE_BY_NAME) if self.version >= (7, 6, 4) else sdwan

    @property
    def counts_one_policy(self) -> bool:
        """Whether hit counters can be asked of one policy; before, those of all come at once, in megabytes."""
        return self.version >= (7, 6, 0)

    @property
    def sessions(self) -> SessionTable:
        """Where sessions are listed."""
        if self.version >= (7, 6, 0):
            return SessionTable("firewall/sessions", "dstaddr", "dstport")
        return SessionTable("firewall/session", "destination", "destport")

    @property
    def limiting_columns(self) -> tuple[str, ...]:
        """Columns by which a policy is for some people, machines or types of service only; see `LimitedRow`."""
        return tuple(name for name, since in _LIMITING.items() if self.version >= since)

    @property
    def policy_columns(self) -> tuple[str, ...]:
        """Columns of a policy that exist in this release beside those that exist in all."""
        expiry = ("policy-expiry",) if self.version >= (7, 2, 0) else ()
        return (*self.limiting_columns, *expiry)

    @property
    def policy_route_columns(self) -> tuple[str, ...]:
        """Columns of a policy route that exist in this release beside those that exist in all."""
        people = ("users", "groups") if self.version >= (7, 6, 3) else ()
        return (*people, _SERVICE_BY_NAME) if self.version >= (7, 6, 4) else people
