"""A schedule service: PagerDuty's `/oncalls` and a plain one, behind a token, with a temper of its own.

    async with serving(token="…") as schedule:
        schedule.on_call = ["olga"]

`GET /oncalls?schedule_ids[]=…` answers as PagerDuty's REST API does (a token of theirs, `Authorization: Token token=…`,
entries with `escalation_level` and `user`), `GET /plain` answers `{"on_call": [...]}` to a bearer token.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from typing import Literal

from aiohttp import web

Temper = Literal["well", "hangs", "garbage", "breaks", "empty", "redirects", "in pieces", "endless"]


@dataclass
class Schedule:
    """What it knows and how it behaves. `levels` are user ids by escalation level, `asked` counts the questions."""

    token: str
    levels: dict[int, list[str]] = field(default_factory=dict)
    temper: Temper = "well"
    asked: int = 0
    url: str = ""
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def oncalls(self, request: web.Request) -> web.StreamResponse:
        """PagerDuty's answer, with the fields that clients of theirs are told to expect."""
        if request.headers.get("Authorization") != f"Token token={self.token}":
            return web.json_response({"error": {"message": "Unauthorized", "code": 2006}}, status=401)
        entries = [
            {
                "escalation_policy": {"id": "PPOLICY", "type": "escalation_policy_reference", "summary": "Network"},
                "escalation_level": level,
                "schedule": {"id": request.query.get("schedule_ids[]", "PSCHED"), "type": "schedule_reference"},
                "user": {"id": user, "type": "user_reference", "summary": user},
                "start": "2026-03-02T08:00:00Z",
                "end": "2026-03-09T08:00:00Z",
            }
            for level, users in self.levels.items()
            for user in users
        ]
        offset, limit = int(request.query.get("offset", 0)), min(int(request.query.get("limit", 25)), 100)
        page = entries[offset : offset + limit]
        more = offset + limit < len(entries)
        body = {"oncalls": page, "limit": limit, "offset": offset, "more": more, "total": None}
        return await self._answer(request, body)

    async def plain(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({}, status=401)
        return await self._answer(request, {"on_call": self.levels.get(1, [])})

    async def _answer(self, request: web.Request, body: object) -> web.StreamResponse:
        self.asked += 1
        match self.temper:
            case "hangs":
                await self._released.wait()
            case "garbage":
                return web.Response(text="<html>Sign in</html>", content_type="text/html")
            case "breaks":
                return web.json_response({"error": "internal"}, status=500)
            case "empty":
                return web.json_response({})
            case "redirects":
                raise web.HTTPFound("/elsewhere")
            case "in pieces":
                return await _streamed(request, (bytes([byte]) for byte in json.dumps(body).encode()))
            case "endless":
                return await _streamed(request, repeat(b" " * 65536))
        return web.json_response(body)

    def release(self) -> None:
        """Let whoever hangs go."""
        self._released.set()


async def _streamed(request: web.Request, pieces: Iterable[bytes]) -> web.StreamResponse:
    """Each piece in a segment of its own, as far as anybody listens."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with suppress(ConnectionError):
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
    return response


@asynccontextmanager
async def serving(token: str) -> AsyncIterator[Schedule]:
    """A schedule on a free port of the loopback."""
    schedule = Schedule(token)
    app = web.Application()
    app.add_routes([web.get("/oncalls", schedule.oncalls), web.get("/plain", schedule.plain)])
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        schedule.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield schedule
    finally:
        schedule.release()
        await runner.cleanup()
