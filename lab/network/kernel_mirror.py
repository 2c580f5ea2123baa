"""Copies of some kinds of Kubernetes objects, kept by list and watch as the cluster's own programs keep them.

Used by the stand-ins for CoreDNS and kube-proxy. When the API is gone the copies stay as they are.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Json = dict[str, Any]
Key = tuple[str, str]

NAMESPACES = "/api/v1/namespaces"
SERVICES = "/api/v1/services"
ENDPOINT_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"

RETRY = 0.5
"""Seconds until the API is tried again after a failure."""


class _Expired(Exception):
    """The version to watch from is too old: list again."""


@dataclass(slots=True)
class Mirror:
    """The objects of some kinds by API path; `changed` is called after each change, `run` keeps them current."""

    session: aiohttp.ClientSession
    server: str
    paths: tuple[str, ...]
    changed: Callable[["Mirror"], None]
    objects: dict[str, dict[Key, Json]] = field(default_factory=dict)

    @property
    def synchronised(self) -> bool:
        """Whether every kind has been listed once."""
        return self.objects.keys() == set(self.paths)

    async def run(self) -> None:
        """Follow the API until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for path in self.paths:
                tasks.create_task(self._follow(path))

    async def _follow(self, path: str) -> None:
        while True:
            try:
                version = await self._list(path)
                while True:
                    version = await self._watch(path, version)
            except _Expired:
                continue
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                await asyncio.sleep(RETRY)

    async def _list(self, path: str) -> str:
        async with self.session.get(self.server + path, raise_for_status=True) as response:
            found = await response.json()
        kind = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        self.objects[path] = {_key(item): {**kind, **item} for item in found["items"]}
        self.changed(self)
        return str(found["metadata"]["resourceVersion"])

    async def _watch(self, path: str, version: str) -> str:
        """Take in events until the server ends the watch; returns the version to go on from."""
        question = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        endless = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with self.session.get(self.server + path, params=question, timeout=endless) as response:
            if response.status == 410:
                raise _Expired
            response.raise_for_status()
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _Expired
                item = event["object"]
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self.objects[path].pop(_key(item), None)
                elif event["type"] != "BOOKMARK":
                    self.objects[path][_key(item)] = item
                self.changed(self)
        return version


def _key(item: Json) -> Key:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
