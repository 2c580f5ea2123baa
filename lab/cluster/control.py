"""The control endpoint: what a tester does to the cluster behind its users' backs.

Plain HTTP on a port of its own, so that it works while the API is stopped. All under ``/lab``; bodies are JSON.

| request | effect |
|---|---|
| ``GET /lab/state`` | the whole state, as ``--dump`` writes it |
| ``PUT /lab/objects`` | create or replace the object in the body |
| ``PATCH /lab/objects/{plural}/{namespace}/{name}`` | JSON merge patch; namespace ``-`` for cluster-scoped kinds |
| ``DELETE /lab/objects/{plural}/{namespace}/{name}`` | delete it |
| ``POST /lab/nodes/{name}/{kill,revive,freeze-lease,thaw-lease}`` | name ``*``: every node |
| ``POST /lab/ready/{namespace}/{service}`` | ``{"ready": false}``: every endpoint of the service |
| ``POST /lab/api/{stop,start}``, ``POST /lab/dns/{stop,start,restart}`` | close or open the port |
| ``POST /lab/faults`` | ``{"kind": "hang", "path": "/api/v1/nodes", "count": 1, "seconds": 1}`` |
| ``DELETE /lab/faults`` | behave again |
| ``POST /lab/compact`` | forget the history: open watches and continue tokens get 410 |
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from aiohttp import web

from lab.cluster.coredns import CoreDNS
from lab.cluster.faults import Fault
from lab.cluster.listener import Listener
from lab.cluster.model import Cluster, resource_named
from lab.cluster.resources import Json

Action = TypeVar("Action")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Switchable(Protocol):
    """A running simulator."""

    cluster: Cluster

    api: Listener
    dns: Listener
    coredns: CoreDNS


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (KeyError, ValueError) as error:
        status = 404 if isinstance(error, KeyError) else 400
        # str() of a KeyError is the repr of its message.
        return web.json_response({"error": str(error.args[0])}, status=status)


def control(running: Switchable) -> web.Application:
    """The control application of a running simulator."""
    application = web.Application(middlewares=[_explain])
    endpoint = _Control(running)
    application.add_routes(
        [
            web.get("/lab/state", endpoint.state),
            web.put("/lab/objects", endpoint.put),
            web.patch("/lab/objects/{plural}/{namespace}/{name}", endpoint.patch),
            web.delete("/lab/objects/{plural}/{namespace}/{name}", endpoint.delete),
            web.post("/lab/nodes/{name}/{action}", endpoint.node),
            web.post("/lab/ready/{namespace}/{service}", endpoint.ready),
            web.post("/lab/api/{action}", endpoint.api),
            web.post("/lab/dns/{action}", endpoint.dns),
            web.post("/lab/faults", endpoint.add_fault),
            web.delete("/lab/faults", endpoint.clear_faults),
            web.post("/lab/compact", endpoint.compact),
        ]
    )
    return application


class _Control:
    def __init__(self, running: Switchable) -> None:
        self._running = running
        self._cluster = running.cluster

    async def state(self, _request: web.Request) -> web.Response:
        return web.json_response(self._cluster.dump())

    async def put(self, request: web.Request) -> web.Response:
        return web.json_response(self._cluster.store.put(await _body(request)))

    async def patch(self, request: web.Request) -> web.Response:
        resource = resource_named(request.match_info["plural"])
        return web.json_response(self._cluster.store.patch(resource, *_key(request), await _body(request)))

    async def delete(self, request: web.Request) -> web.Response:
        self._cluster.store.delete(resource_named(request.match_info["plural"]), *_key(request))
        return _done()

    async def node(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        actions = {
            "kill": self._cluster.kill_node,
            "revive": self._cluster.revive_node,
            "freeze-lease": self._cluster.freeze_lease,
            "thaw-lease": self._cluster.thaw_lease,
        }
        action = _choose(actions, request)
        for node in self._cluster.node_names() if name == "*" else [name]:
            action(node)
        return _done()

    async def ready(self, request: web.Request) -> web.Response:
        place = request.match_info
        body = await _body(request)
        if not isinstance(body.get("ready"), bool):
            raise ValueError('the body must be {"ready": true} or {"ready": false}')
        self._cluster.set_ready(place["namespace"], place["service"], body["ready"])
        return _done()

    async def api(self, request: web.Request) -> web.Response:
        await _choose({"stop": self._running.api.stop, "start": self._running.api.start}, request)()
        return _done()

    async def dns(self, request: web.Request) -> web.Response:
        dns = self._running.dns
        await _choose({"stop": dns.stop, "start": dns.start, "restart": self._restart_dns}, request)()
        return _done()

    async def _restart_dns(self) -> None:
        self._running.coredns.restart()

    async def add_fault(self, request: web.Request) -> web.Response:
        self._cluster.faults.add(Fault.load(await _body(request)))
        return _done()

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._cluster.faults.clear()
        return _done()

    async def compact(self, _request: web.Request) -> web.Response:
        self._cluster.store.compact()
        return _done()


def _choose(actions: dict[str, Action], request: web.Request) -> Action:
    action = request.match_info["action"]
    if action not in actions:
        raise KeyError(f"unknown action {action!r}; there are: {', '.join(actions)}")
    return actions[action]


def _key(request: web.Request) -> tuple[str, str]:
    namespace = request.match_info["namespace"]
    return ("" if namespace == "-" else namespace), request.match_info["name"]


async def _body(request: web.Request) -> Json:
    try:
        document = await request.json()
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")
    return document


def _done() -> web.Response:
    return web.json_response({"done": True})
