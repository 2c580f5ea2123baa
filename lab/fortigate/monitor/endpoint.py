"""What one monitor endpoint is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from lab.fortigate.access import ANY_ACCOUNT
from lab.fortigate.attributes import FOREVER, Version
from lab.fortigate.call import Call
from lab.fortigate.device import Device
from lab.fortigate.profile import Profile


class PlainText(str):
    """An answer that is not JSON."""

    __slots__ = ()


@dataclass(frozen=True)
class Question:
    """One call on one VDOM."""

    device: Device
    call: Call
    vdom: str

    def parameter(self, name: str, default: str = "") -> str:
        return self.call.query.get(name, default)

    def address(self, name: str) -> IPv4Address:
        """A required address; raises `ValueError`, which is answered with 400."""
        return IPv4Address(self.parameter(name))

    def integer(self, name: str, default: int) -> int:
        number = self.call.query.number(name)
        return default if number is None else number


@dataclass(frozen=True)
class Endpoint:
    """`answer` gives the results (None: an envelope without any); `writes` needs the right to write.

    `method_or_rule` is the HTTP method, or what tells it from the firmware version.
    """

    answer: Callable[[Question], Any]
    right: tuple[str, str] = ANY_ACCOUNT
    method_or_rule: str | Callable[[Profile], str] = "GET"
    writes: bool = False
    since: Version = ()
    until: Version = FOREVER

    def exists_in(self, version: Version) -> bool:
        return self.since <= version < self.until

    def method(self, profile: Profile) -> str:
        return self.method_or_rule(profile) if callable(self.method_or_rule) else self.method_or_rule
