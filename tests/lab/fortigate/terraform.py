"""What the vendor's Terraform provider sends and how it takes the answers, request by request.

Read from fortinetdev/terraform-provider-fortios, release 1.25 (commit f4e824b); each method names the file that it
follows. That release was also built and run against the simulator by hand, driven by OpenTofu, on all four profiles;
what it sent was compared with this, body by body (`docs/fortigate.md`). The tests do without it: it is written in Go.
Its logins with a name and a password are left out: the simulator knows API tokens only, as k8snet does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import pairwise
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

Json = dict[str, Any]


class Failed(Exception):
    """The provider's words for a request that did not succeed."""


class Crashed(Exception):
    """An answer of a type that the provider converts without looking: Go panics, and Terraform with it."""


@dataclass(frozen=True)
class Kind:
    """A resource of the generated kind: its table, its key there, and the numbers that an update sends as 0 although
    neither the configuration nor the device has named them."""

    table: str
    key: str
    integer: bool = False
    zeros: tuple[str, ...] = ()


ADDRESS = Kind("firewall/address", "name", zeros=("route-tag",))
GROUP = Kind("firewall/addrgrp", "name")
ROUTE = Kind("router/static", "seq-num", integer=True, zeros=("tag",))
POLICY = Kind("firewall/policy", "policyid", integer=True, zeros=("reputation-minimum", "reputation-minimum6"))
KINDS = (ADDRESS, GROUP, ROUTE, POLICY)


class Provider:
    """A configured provider: `hostname`, `token`, `vdom`. The client must not carry a token of its own."""

    def __init__(self, client: httpx.AsyncClient, token: str, vdom: str = "") -> None:
        self._client = client
        self._token = token
        self._vdom = vdom
        self.version = ""

    # --- when it is configured

    async def check(self) -> int:
        """sdk/sdkcore/forticlient.go `CheckUP`, sdk/request/request.go `CheckValid`: a status call without the token,
        whose answer nobody looks at; here, its status."""
        headers = {"Content-Type": "application/json"}
        return (await self._client.get("/api/v2/monitor/system/status", headers=headers)).status_code

    async def learn_version(self) -> None:
        """sdk/sdkcore/forticlient.go `GetDeviceVersion`: before the first resource, and without a VDOM."""
        headers = self._headers | {"accept": "application/json"}
        answer = await self._client.get("/api/v2/cmdb/system/global", headers=headers)
        result = _succeeded(answer)
        if not isinstance(result.get("version"), str):
            raise Crashed("version is no text")
        self.version = result["version"]

    # --- one resource, as resource_firewall_address.go and its like have it

    async def create(self, kind: Kind, body: Json, *, update_if_exist: bool = False) -> str:
        """`Create`, and the `Read` that follows it at once. The answer is the id in Terraform's state."""
        if update_if_exist and kind.key in body and await self.read(kind, str(body[kind.key])) is not None:
            result = await self._send("PUT", kind, _escaped(str(body[kind.key])), body)
        else:
            result = await self._send("POST", kind, "", body)
        return await self._settled(kind, result)

    async def update(self, kind: Kind, identity: str, body: Json) -> str:
        """`Update`: everything in the state goes out, read attributes included; see `sent_on_update`. A name that has
        changed renames the row, whose key in the answer is the new identity."""
        return await self._settled(kind, await self._send("PUT", kind, _escaped(identity), body))

    async def read(self, kind: Kind, identity: str) -> Json | None:
        """sdk/sdkcore/sdkutils.go `read`: the first of the results, or None, which removes it from the state. A 404 is
        told by `http_status` in the body, not by the status line."""
        answer = await self._request("GET", f"/api/v2/cmdb/{kind.table}/{_escaped(identity)}")
        result = _decoded(answer)
        if result is not None and result.get("http_status") == 404:
            return None
        results = _succeeded(answer)["results"]
        if not isinstance(results, list) or not results or not isinstance(results[0], dict):
            raise Crashed("the results are no list of rows")
        return results[0]

    async def delete(self, kind: Kind, identity: str) -> None:
        """sdk/sdkcore/sdkutils.go `delete`: without a body; a row that is gone is an error."""
        await self._send("DELETE", kind, _escaped(identity), None)

    async def _settled(self, kind: Kind, result: Json) -> str:
        key = result.get("mkey")
        if kind.integer and (isinstance(key, bool) or not isinstance(key, int | float)):
            raise Crashed(f"mkey {key!r} is no number")
        if not kind.integer and not isinstance(key, str):
            raise Crashed(f"mkey {key!r} is no text")
        identity = str(int(key)) if isinstance(key, int | float) else key
        if await self.read(kind, identity) is None:
            raise Failed("Provider produced inconsistent result after apply: root object was present, but now absent")
        return identity

    async def _send(self, method: str, kind: Kind, key: str, body: Json | None) -> Json:
        path = f"/api/v2/cmdb/{kind.table}" + (f"/{key}" if key else "")
        return _succeeded(await self._request(method, path, body))

    # --- other shapes of requests

    async def move(self, policy: str, where: str, other: str) -> None:
        """sdk/sdkcore/firewall_policy_move.go: no body, and the action behind the VDOM."""
        path = f"{POLICY.table}/{policy}"
        answer = await self._request("PUT", f"/api/v2/cmdb/{path}", special=f"action=move&{where}={other}")
        if answer.status_code != 200:
            raise Failed(f"cannot get response body, status {answer.status_code}")
        _succeeded(answer)

    async def policy_order(self) -> list[int]:
        """sdk/sdkcore/firewall_policy_move.go `GetFirewallPolicyList`: a slash after the table."""
        answer = await self._request("GET", f"/api/v2/cmdb/{POLICY.table}/", special="format=policyid")
        rows = _succeeded(answer)["results"]
        if not all(isinstance(row["policyid"], int | float) for row in rows):
            raise Crashed("policyid is no number")
        return [int(row["policyid"]) for row in rows]

    async def sort(self, *, ascending: bool) -> None:
        """sdk/sdkcore/firewall_policy_sort.go: each policy behind the one that it shall follow, and all of it twice."""
        answer = await self._request("GET", f"/api/v2/cmdb/{POLICY.table}", special="format=policyid|name|action")
        rows = _succeeded(answer)["results"]
        if not all(isinstance(row[name], str) for row in rows for name in ("name", "action")):
            raise Crashed("name or action is no text")
        order = sorted((int(row["policyid"]) for row in rows), reverse=not ascending)
        for _ in range(2):
            for other, policy in pairwise(order):
                await self.move(str(policy), "after", str(other))

    async def listed(self, kind: Kind, filters: str) -> list[Any]:
        """fortios/data_source_firewall_addresslist.go, fortios/config.go `escapeFilter`: `&` between conditions that
        must all hold, `,` between those of which one must."""
        special = "&".join(
            "filter=" + ",".join(_condition(one) for one in every.split(",")) for every in filters.split("&")
        )
        answer = await self._request("GET", f"/api/v2/cmdb/{kind.table}", special=special)
        return [row[kind.key] for row in _succeeded(answer)["results"]]

    async def generic(self, method: str, path: str, body: str = "", special: str = "") -> str:
        """sdk/sdkcore/json_generic_api.go: a person's own request; whatever comes back is the answer."""
        content = body.encode() if body else None
        return (
            await self._client.request(method, self._url(path, special), headers=self._headers, content=content)
        ).text

    async def create_old_route(self, body: Json) -> int:
        """sdk/sdkcore/networking_route_static.go: numbers are sent as text."""
        result = _succeeded(await self._request("POST", "/api/v2/cmdb/router/static", body))
        if isinstance(result["mkey"], bool) or not isinstance(result["mkey"], int | float):
            raise Crashed("mkey is no number")
        return int(result["mkey"])

    async def update_old_route(self, number: int, body: Json) -> None:
        """The same file: a kind of resource older than FortiOS 6.4 takes the key in the answer to a PUT for text."""
        result = _succeeded(await self._request("PUT", f"/api/v2/cmdb/router/static/{number}", body))
        if not isinstance(result["mkey"], str):
            raise Crashed("mkey is no text")

    # --- sdk/request/request.go

    @property
    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}

    def _url(self, path: str, special: str) -> str:
        """`buildURL`: the VDOM only when one was configured; the VDOM "global" is a scope."""
        scope = "scope=global" if self._vdom == "global" else f"vdom={self._vdom}" if self._vdom else ""
        query = "&".join(part for part in (scope, special) if part)
        return f"{path}?{query}" if query else path

    async def _request(self, method: str, path: str, body: Json | None = None, special: str = "") -> httpx.Response:
        """`Send3`: a request whose connection breaks is sent again, a DELETE and a move, too. One with a body only if
        there was no connection: Go reads a body once, and every further try ends before anything is sent."""
        content = None if body is None else json.dumps(body).encode()
        for _ in range(16):
            try:
                url = self._url(path, special)
                return await self._client.request(method, url, headers=self._headers, content=content)
            except httpx.ConnectError:
                continue
            except httpx.TransportError:
                if content is not None:
                    break
        raise Failed("lost connection to firewall")


def _decoded(answer: httpx.Response) -> Json | None:
    try:
        result = answer.json()
    except ValueError:
        return None
    return result if isinstance(result, dict) else None


_WORDS = {
    400: "Bad Request",
    401: "Not Authorized",
    403: "Forbidden",
    404: "Resource Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    424: "Failed Dependency",
    429: "Access temporarily blocked",
    500: "Internal Server Error",
}


def _succeeded(answer: httpx.Response) -> Json:
    """sdk/sdkcore/forticlient.go `fortiAPIErrorFormat`: `status` and `http_status` of the body decide; what is no JSON
    is shown to the person as it is."""
    result = _decoded(answer)
    if result is None or "status" not in result or ("http_status" not in result and result["status"] != "success"):
        raise Failed(f"\n{answer.text}")
    if result["status"] == "success":
        return result
    words = _WORDS.get(result["http_status"], "Unknow Error")
    cli_error = f"\nCli response: \n{result['cli_error']}" if "cli_error" in result else ""
    raise Failed(f"{words} ({result['http_status']}){cli_error}")


def _escaped(text: str) -> str:
    """sdk/sdkcore/forticlient.go `escapeURLString`: Go's `QueryEscape`, with blanks as %20."""
    return quote(text, safe="-_.~")


def _condition(text: str) -> str:
    match = re.fullmatch(r"([^=*!@><]+)([=*!@><]+)([^=*!@><]+)", text)
    if match is None:
        return ""
    name, operator, value = match.groups()
    return f"{name.replace('_', '-')}{operator}{quote_plus(value)}"


# --- Terraform's own part: the state, and whether a plan would find anything to do


def state_of(row: Json, before: Json) -> Json:
    """What `refreshObject…` puts into the state: the row without what is only the API's; a network that is the
    configured one in other words stays in the words of the configuration (config.go `validateConvIPMask2CIDR`)."""
    state = {}
    for name, value in row.items():
        if name.startswith("q_"):
            continue
        if isinstance(value, list):
            value = [{k: v for k, v in item.items() if not k.startswith("q_")} for item in value]
        old = before.get(name)
        if (
            isinstance(value, str)
            and isinstance(old, str)
            and old != value
            and _network(old) == _network(value) is not None
        ):
            value = old
        state[name] = value
    return state


def planned(configured: Json, state: Json) -> Json:
    """What a plan would change: attributes of the configuration whose value in the state is another. Lists of
    references are sets."""
    return {name: value for name, value in configured.items() if _plain(value) != _plain(state.get(name))}


def sent_on_update(kind: Kind, configured: Json, state: Json, taken_out: tuple[str, ...] = ()) -> Json:
    """`getObject…`: computed attributes come from the state unless they are empty there; zero counts as a value. What
    the person took out is null, or zero for a number."""
    known = {name: value for name, value in state.items() if value not in ("", [], None)}
    gone = {name: 0 if isinstance(state.get(name), int) else None for name in taken_out}
    return dict.fromkeys(kind.zeros, 0) | known | configured | gone


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(json.dumps(item, sort_keys=True) for item in value)
    return value


def _network(text: str) -> IPv4Network:
    return IPv4Network("/".join(text.split()), strict=False)
