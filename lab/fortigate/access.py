"""Who may do what: tokens, trusted hosts, lock-out, access profiles."""

from __future__ import annotations

import hmac
import secrets
import string
from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from lab.fortigate.attributes import Row
from lab.fortigate.call import Call, Refused
from lab.fortigate.configuration import SINGLE
from lab.fortigate.device import Device

ANY_ACCOUNT = ("", "")
"""The right that every authenticated account has."""


@dataclass(frozen=True)
class Account:
    """An authenticated API administrator; `everywhere` with a profile of global scope."""

    name: str
    profile: Row
    vdoms: tuple[str, ...]
    everywhere: bool

    def allows(self, right: tuple[str, str], *, write: bool) -> bool:
        """Whether the profile has the (group, sub-right), for reading or for writing."""
        group, sub_right = right
        if not group:
            return True
        level = self.profile.get(group, "none")
        if level == "custom":
            level = self.profile.get(f"{group}-permission", {}).get(sub_right, "none")
        return level == "read-write" or (level == "read" and not write)


class Access:
    """Authenticates calls. Failures are counted per source address and lock it out for a while."""

    WINDOW = 60.0

    def __init__(self, device: Device) -> None:
        self._device = device
        self._failures: dict[str, list[float]] = defaultdict(list)
        self._locked_until: dict[str, float] = {}

    def authenticate(self, call: Call) -> Account:
        """The account of a call; raises `Refused` with 401, or 429 while its source is locked out."""
        if self._locked_until.get(call.source, 0.0) > self._device.clock.now():
            raise Refused(429)
        token = self._token(call)
        if not token:
            # Not a failed login: the vendor's Ansible collection probes without a token before each task.
            raise Refused(401)
        user = self._user(token) if call.secure else None
        if user is None or not _trusted(user, call.source):
            self._failed(call.source)
            raise Refused(401)
        profile = self._device.shared.get("system/accprofile", user.get("accprofile", "")) or {}
        vdoms = tuple(member["name"] for member in user.get("vdom", ()))
        return Account(user["name"], profile, vdoms, profile.get("scope") == "global")

    def forgive(self) -> None:
        """Forget all failures and lock-outs."""
        self._failures.clear()
        self._locked_until.clear()

    def _token(self, call: Call) -> str:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
        settings = self._device.shared.rows("system/global")[SINGLE]
        switched_on = settings.get("rest-api-key-url-query") == "enable"
        if self._device.profile.token_in_url or switched_on:
            return call.query.get("access_token")
        return ""

    def _user(self, token: str) -> Row | None:
        found = None
        for user in self._device.shared.rows("system/api-user").values():
            key = user.get("api-key", "")
            if key and hmac.compare_digest(key.encode(), token.encode()):
                found = user
        return found

    def _failed(self, source: str) -> None:
        now = self._device.clock.now()
        settings = self._device.shared.rows("system/global")[SINGLE]
        recent = [at for at in self._failures[source] if at > now - self.WINDOW] + [now]
        if len(recent) >= settings.get("admin-lockout-threshold", 3):
            self._locked_until[source] = now + settings.get("admin-lockout-duration", 60)
            recent = []
        self._failures[source] = recent


def _trusted(user: Row, source: str) -> bool:
    entries = [
        item.get("ipv6-trusthost", "::/0")
        if item.get("type") == "ipv6-trusthost"
        else item.get("ipv4-trusthost", "0.0.0.0 0.0.0.0").replace(" ", "/")
        for item in user.get("trusthost", ())
    ]
    address = ip_address(source)
    return not entries or any(address in ip_network(entry) for entry in entries)


def vdoms_of(device: Device, call: Call, account: Account) -> list[str]:
    """The VDOMs a call is about; raises `Refused` when one of them is not the account's."""
    wanted = call.query.get("vdom")
    mine = list(device.vdoms) if account.everywhere else [name for name in device.vdoms if name in account.vdoms]
    if wanted == "*":
        chosen = mine
    elif wanted:
        chosen = wanted.split(",")
    else:
        chosen = [device.management_vdom]
    if not chosen or any(name not in mine for name in chosen):
        raise Refused(403)
    if call.method != "GET" and len(chosen) > 1:
        raise Refused(400)
    return chosen


def new_token() -> str:
    """A key such as the device hands out."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(30))
