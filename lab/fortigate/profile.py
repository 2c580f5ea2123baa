"""What differs between firmware versions, in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from lab.fortigate.attributes import Version

RELEASES = {"6.4": ("v6.4.14", 2093), "7.0": ("v7.0.15", 632), "7.4": ("v7.4.4", 2662), "7.6": ("v7.6.6", 3652)}
"""The release that stands for each family when only the family is asked for, with its build."""


@dataclass(frozen=True)
class Profile:
    """The behaviour of one firmware version, e.g. `Profile("v7.4.4")`."""

    release: str

    @cached_property
    def version(self) -> Version:
        match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)", self.release)
        if not match:
            raise ValueError(f"not a FortiOS version: {self.release!r}; write it like v7.4.4")
        return tuple(int(part) for part in match.groups())

    @property
    def token_in_url(self) -> bool:
        """Whether `?access_token=` works without switching it on (until 7.4.4)."""
        return self.version < (7, 4, 5)

    @property
    def cli_error(self) -> bool:
        return self.version >= (7, 0)

    @property
    def missing_reference(self) -> int:
        """The error code for a value that names an object which does not exist."""
        return -651 if self.version >= (7, 0) else -3

    @property
    def text_key_on_put(self) -> bool:
        """Whether PUT answers an integer key as a string.

        The vendor's Terraform provider takes it for one in its oldest resources only (networking_route_static.go);
        those made for 6.4 and later stop at anything but a number (resource_router_static.go).
        """
        return self.version < (6, 4)

    @property
    def monitor_http_status(self) -> bool:
        return self.version >= (7, 0)

    @property
    def table_sizes(self) -> bool:
        """Whether table reads carry `size`, `matched_count` and `next_idx`."""
        return self.version >= (7, 0)

    @property
    def lookup_entries(self) -> bool:
        """Whether `router/lookup` answers with a list of table rows."""
        return self.version >= (7, 6)

    @property
    def counters_by_policy(self) -> bool:
        """Whether hit counters can be asked of one policy."""
        return self.version >= (7, 6)

    @property
    def policy_lookup_details(self) -> bool:
        return self.version >= (7, 0)

    @property
    def backup_method(self) -> str:
        return "POST" if self.version >= (7, 6) else "GET"

    @property
    def status_details(self) -> bool:
        """Whether `system/status` says more than the envelope does."""
        return self.version >= (7, 0)

    @property
    def monitor_row_cap(self) -> int:
        """Routing monitor lists are cut at this many rows; clients page."""
        return 1000
