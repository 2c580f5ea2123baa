"""The laboratory's own door, `/lab/…`: look inside, misbehave, move the clock. Open to the same machine only.

GET    /lab/state        everything except the cache       PUT /lab/state       replace it
GET    /lab/writes       what was changed, by whom         GET /lab/calls       every cmdlet call with its parameters
GET    /lab/cache        name, type, seconds left, data    DELETE /lab/cache    empty it
GET    /lab/faults       rules still waiting               POST /lab/faults     add one; DELETE: forget all
GET    /lab/shells       open shells and runspaces         POST /lab/clock      {"advance": seconds}
GET    /lab/replication  changes still on their way        POST /lab/replication {"delay": seconds}
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from .faults import Fault
from .server import Server
from .state import State
from .wsman.endpoint import Endpoint


class Control:
    def __init__(self, server: Server, endpoint: Endpoint) -> None:
        self._server, self._endpoint = server, endpoint
        self._table: dict[tuple[str, str], Callable[[Any], Awaitable[Any]]] = {
            ("GET", "state"): self._state,
            ("PUT", "state"): self._load,
            ("GET", "writes"): self._writes,
            ("GET", "calls"): self._calls,
            ("GET", "cache"): self._cache,
            ("DELETE", "cache"): self._clear_cache,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._forget_faults,
            ("GET", "shells"): self._shells,
            ("POST", "clock"): self._advance,
            ("GET", "replication"): self._pending,
            ("POST", "replication"): self._delay,
        }

    async def handle(self, request: web.Request) -> web.Response:
        if not _local(request.remote):
            return web.json_response({"error": "only from the same machine"}, status=403)
        handler = self._table.get((request.method, request.path.removeprefix("/lab/").rstrip("/")))
        if handler is None:
            known = sorted(f"{method} /lab/{name}" for method, name in self._table)
            return web.json_response({"error": "unknown", "known": known}, status=404)
        try:
            text = await request.text()
            result = await handler(json.loads(text) if text else None)
        except (ValidationError, ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(result)

    async def _state(self, _: Any) -> Any:
        return self._server.to_json()

    async def _load(self, document: Any) -> Any:
        self._server.load(State.from_json(document))
        return self._server.to_json()

    async def _writes(self, _: Any) -> Any:
        return self._server.log()

    async def _calls(self, _: Any) -> Any:
        return [asdict(call) for call in self._server.calls]

    async def _cache(self, _: Any) -> Any:
        fields = ("name", "type", "seconds", "data")
        return [dict(zip(fields, row, strict=True)) for row in self._server.cache.view()]

    async def _clear_cache(self, _: Any) -> Any:
        self._server.cache.clear()
        return []

    async def _faults(self, _: Any) -> Any:
        return [fault.model_dump() for fault in self._server.faults.rules]

    async def _add_fault(self, document: Any) -> Any:
        self._server.faults.rules.append(Fault.model_validate(document))
        return await self._faults(None)

    async def _forget_faults(self, _: Any) -> Any:
        self._server.faults.clear()
        return []

    async def _shells(self, _: Any) -> Any:
        now = self._server.clock.now()
        return [
            {"id": each.id, "user": each.account.user, "idle": now - each.used, "commands": len(each.commands)}
            for each in self._endpoint.operations.shells
        ] + [
            {"id": each.id, "user": each.account.user, "idle": now - each.used, "commands": len(each.pipelines)}
            for each in self._endpoint.operations.remoting
        ]

    async def _advance(self, document: Any) -> Any:
        await self._server.clock.advance(float(document["advance"]))
        return {"now": self._server.clock.wall().isoformat()}

    async def _pending(self, _: Any) -> Any:
        directory = self._server.directory
        return [] if directory is None else [list(row) for row in directory.pending()]

    async def _delay(self, document: Any) -> Any:
        if self._server.directory is None:
            raise ValueError("this server has no replication partners")
        self._server.directory.delay = float(document["delay"])
        return await self._pending(None)


def _local(remote: str | None) -> bool:
    try:
        return ipaddress.ip_address(remote or "").is_loopback
    except ValueError:
        return False
