"""The control endpoint `/lab/...`: for whoever runs the simulator, on loopback, without a token.

GET/PUT    /lab/state         dump or load the whole state (JSON, contains the tokens)
GET/DELETE /lab/audit         every write that was asked for; forget it
GET/POST/DELETE /lab/faults   list, arm, disarm faults; GET /lab/faults/kinds explains them
POST       /lab/clock         {"advance": seconds}
PUT        /lab/latency       {"low": s, "high": s, "connection": s}
PUT        /lab/limits        {"vdom": "root", "firewall/address": 10}: size limits of tables
POST       /lab/links         {"interface": "Test", "up": false} or {"link_monitor": "m", "alive": false}
POST       /lab/packet        evaluate a packet; with "count": true it is also counted as traffic
POST       /lab/failover      the next cluster member takes over
POST       /lab/lockout/clear forget failed logins
POST       /lab/listening     {"on": false}: refuse connections (only with a separate control port)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lab.fortigate.errors import NotAllowed
from lab.fortigate.faults import KINDS
from lab.fortigate.packets import TCP, Packet

if TYPE_CHECKING:
    from lab.fortigate.server import Server

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """The handlers of one server's control endpoint."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._device = server.device

    async def dump(self, _: web.Request) -> web.Response:
        return web.json_response(self._device.to_json())

    async def load(self, request: web.Request) -> web.Response:
        self._device.load(await request.json())
        return web.json_response({})

    async def audit(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(entry) for entry in self._server.api.audit])

    async def forget_audit(self, _: web.Request) -> web.Response:
        self._server.api.audit.clear()
        return web.json_response({})

    async def faults(self, _: web.Request) -> web.Response:
        return web.json_response([fault.to_json() for fault in self._server.faults.armed])

    async def fault_kinds(self, _: web.Request) -> web.Response:
        return web.json_response(dict(KINDS))

    async def arm(self, request: web.Request) -> web.Response:
        return web.json_response(self._server.faults.arm(**await request.json()).to_json())

    async def disarm(self, _: web.Request) -> web.Response:
        self._server.clear_faults()
        return web.json_response({})

    async def clock(self, request: web.Request) -> web.Response:
        self._device.clock.advance(float((await request.json())["advance"]))
        return web.json_response({"now": self._device.clock.now()})

    async def latency(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            if name not in ("low", "high", "connection"):
                raise ValueError(f"unknown latency {name!r}")
            setattr(self._server.latency, name, float(value))
        return web.json_response(asdict(self._server.latency))

    async def limits(self, request: web.Request) -> web.Response:
        body = await request.json()
        vdom = self._device.vdoms[body.pop("vdom", self._device.management_vdom)]
        vdom.limits.update({name: int(value) for name, value in body.items()})
        return web.json_response(vdom.limits)

    async def links(self, request: web.Request) -> web.Response:
        body = await request.json()
        vdom = body.get("vdom", self._device.management_vdom)
        if "interface" in body:
            self._device.set_link(body["interface"], up=bool(body["up"]), vdom=vdom)
        else:
            self._device.set_link_monitor(body["link_monitor"], alive=bool(body["alive"]), vdom=vdom)
        links = self._device.links(vdom)
        return web.json_response({"down": sorted(links.down), "failed_monitors": sorted(links.failed_monitors)})

    async def packet(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        packet = Packet(
            IPv4Address(body["source"]),
            IPv4Address(body["destination"]),
            int(body.get("protocol", TCP)),
            int(body.get("source_port", 0)),
            int(body.get("destination_port", 0)),
            body.get("icmp_type"),
            body.get("icmp_code"),
        )
        ingress, vdom = body.get("ingress"), body.get("vdom", self._device.management_vdom)
        verdict = self._device.evaluate(packet, ingress, vdom)
        if body.get("count"):
            self._device.saw(packet, verdict, size=int(body.get("size", 64)), vdom=vdom)
        shown = {
            name: value if isinstance(value, int | None) else str(value) for name, value in asdict(verdict).items()
        }
        return web.json_response(shown)

    async def failover(self, request: web.Request) -> web.Response:
        response = web.json_response({})
        self._device.failover()
        if self._server.control_port is None:
            # The answer travels on one of the connections that are about to be cut.
            await response.prepare(request)
            await response.write_eof()
        self._server.drop_connections()
        return response

    async def forgive(self, _: web.Request) -> web.Response:
        self._server.api.access.forgive()
        return web.json_response({})

    async def listening(self, request: web.Request) -> web.Response:
        if self._server.control_port is None:
            raise ValueError("start the simulator with a separate control port for this")
        if (await request.json())["on"]:
            await self._server.listen()
        else:
            await self._server.stop_listening()
        return web.json_response({})


def control_routes(server: Server) -> list[web.RouteDef]:
    control = Control(server)
    return [
        web.get("/lab/state", _guarded(control.dump)),
        web.put("/lab/state", _guarded(control.load)),
        web.get("/lab/audit", _guarded(control.audit)),
        web.delete("/lab/audit", _guarded(control.forget_audit)),
        web.get("/lab/faults", _guarded(control.faults)),
        web.get("/lab/faults/kinds", _guarded(control.fault_kinds)),
        web.post("/lab/faults", _guarded(control.arm)),
        web.delete("/lab/faults", _guarded(control.disarm)),
        web.post("/lab/clock", _guarded(control.clock)),
        web.put("/lab/latency", _guarded(control.latency)),
        web.put("/lab/limits", _guarded(control.limits)),
        web.post("/lab/links", _guarded(control.links)),
        web.post("/lab/packet", _guarded(control.packet)),
        web.post("/lab/failover", _guarded(control.failover)),
        web.post("/lab/lockout/clear", _guarded(control.forgive)),
        web.post("/lab/listening", _guarded(control.listening)),
    ]


def _guarded(handler: Handler) -> Handler:
    """Loopback only; what makes no sense is answered with 400 and the reason."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not ip_address(request.remote or "0.0.0.0").is_loopback:
            return web.json_response({"error": "the control endpoint answers on loopback only"}, status=403)
        try:
            return await handler(request)
        except KeyError as error:
            return web.json_response({"error": f"missing or unknown: {error}"}, status=400)
        except (ValueError, TypeError, NotAllowed) as error:
            return web.json_response({"error": str(error)}, status=400)

    return guarded
