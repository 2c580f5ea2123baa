"""How each fault looks on the wire and what it does to the device."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from lab.fortigate import envelope, errors
from lab.fortigate.api import Api
from lab.fortigate.attributes import Key, Row
from lab.fortigate.call import PREFIX, Answer, Call, html
from lab.fortigate.errors import ConfigError
from lab.fortigate.faults import Fault


@dataclass
class Memory:
    """A write that will be undone after so many further reads of its table."""

    vdom: str
    table: str
    key: Key
    row: Row | None
    position: int
    reads: int


@dataclass
class Exchange:
    """One request that meets a fault. `released` is set when hanging requests must end."""

    request: web.Request
    call: Call
    fault: Fault
    api: Api
    released: asyncio.Event
    memories: list[Memory]

    def option(self, name: str, default: Any) -> Any:
        return self.fault.options.get(name, default)

    def apply(self) -> Answer:
        return self.api.handle(self.call)

    @property
    def vdom(self) -> str:
        device = self.api.device
        wanted = self.call.query.get("vdom")
        return wanted if wanted in device.vdoms else device.management_vdom

    @property
    def table(self) -> str:
        """The full name of the table in the URL, or nothing."""
        segments = self.call.segments
        name = "/".join(segments[3:5]) if segments[:2] == PREFIX else ""
        return name if name in self.api.device.tables else ""


def respond(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.encode(), headers={"Content-Type": answer.content_type})


def cut(request: web.BaseRequest, *, abruptly: bool = True) -> web.Response:
    """Close the connection, with a TCP reset if `abruptly`; the response is for aiohttp only."""
    transport = request.transport
    if transport is not None:
        if abruptly and (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _refuse(exchange: Exchange) -> web.StreamResponse:
    return cut(exchange.request)


async def _hang_before(exchange: Exchange) -> web.StreamResponse:
    await exchange.released.wait()
    if exchange.option("then", "drop") == "apply":
        exchange.apply()
    return cut(exchange.request)


async def _hang_after(exchange: Exchange) -> web.StreamResponse:
    exchange.apply()
    await exchange.released.wait()
    return cut(exchange.request)


async def _lose_answer(exchange: Exchange) -> web.StreamResponse:
    exchange.apply()
    return cut(exchange.request)


async def _garble(exchange: Exchange) -> web.StreamResponse:
    answer = exchange.apply()
    body = bytes(byte ^ 0x5A for byte in answer.encode())
    return web.Response(status=answer.status, body=body, headers={"Content-Type": answer.content_type})


async def _truncate(exchange: Exchange) -> web.StreamResponse:
    answer = exchange.apply()
    body = answer.encode()
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    response.content_length = len(body)
    await response.prepare(exchange.request)
    await response.write(body[: len(body) // 2])
    return _closed(exchange, response, abruptly=False)


async def _reset_mid_body(exchange: Exchange) -> web.StreamResponse:
    answer = exchange.apply()
    body = answer.encode()
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    response.enable_chunked_encoding()
    await response.prepare(exchange.request)
    await response.write(body[: len(body) // 2])
    return _closed(exchange, response, abruptly=True)


def _closed(exchange: Exchange, response: web.StreamResponse, *, abruptly: bool) -> web.StreamResponse:
    if not abruptly and exchange.request.transport is not None:
        # A close (unlike a cut) first sends what is still in the buffer.
        exchange.request.transport.close()
        return response
    cut(exchange.request)
    return response


async def _huge(exchange: Exchange) -> web.StreamResponse:
    answer = exchange.apply()
    size = int(exchange.option("bytes", 64 * 1024 * 1024))
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    response.enable_chunked_encoding()
    await response.prepare(exchange.request)
    body = answer.encode()
    # White space before JSON is valid: only a limit on the size protects the client.
    padding = b" " * 65536
    for start in range(0, max(size - len(body), 0), len(padding)):
        await response.write(padding[: size - len(body) - start])
    await response.write(body)
    return response


async def _drip(exchange: Exchange) -> web.StreamResponse:
    answer = exchange.apply()
    body = answer.encode()
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    response.content_length = len(body)
    await response.prepare(exchange.request)
    size = max(len(body) // int(exchange.option("pieces", 20)), 1)
    for start in range(0, len(body), size):
        await response.write(body[start : start + size])
        await asyncio.sleep(float(exchange.option("delay", 0.05)))
    return response


async def _status(exchange: Exchange) -> web.StreamResponse:
    if exchange.option("effect", False):
        exchange.apply()
    return respond(html(int(exchange.option("code", 503))))


def _refused(exchange: Exchange, code: int, text: str) -> web.StreamResponse:
    segments = exchange.call.segments
    path, name = [*segments[3:5], "", ""][:2]
    device = exchange.api.device
    error = envelope.refused(device, ConfigError(code, text))
    return respond(envelope.cmdb(device, exchange.call, exchange.vdom, {"path": path, "name": name}, 500, **error))


async def _error(exchange: Exchange) -> web.StreamResponse:
    if exchange.option("effect", False):
        exchange.apply()
    return _refused(exchange, int(exchange.option("code", -1)), str(exchange.option("text", "unknown error")))


async def _table_full(exchange: Exchange) -> web.StreamResponse:
    return _refused(exchange, errors.TABLE_FULL, "Maximum number of entries has been reached")


async def _no_effect(exchange: Exchange) -> web.StreamResponse:
    with exchange.api.device.nothing_lasts():
        return respond(exchange.apply())


async def _apply_twice(exchange: Exchange) -> web.StreamResponse:
    first, second = exchange.apply(), exchange.apply()
    return respond(second if exchange.option("answer", "first") == "second" else first)


async def _forget(exchange: Exchange) -> web.StreamResponse:
    device, table, vdom = exchange.api.device, exchange.table, exchange.vdom
    if not table:
        return respond(exchange.apply())
    before = dict(device.configuration(vdom, table).rows(table))
    answer = exchange.apply()
    after = device.configuration(vdom, table).rows(table)
    reads = int(exchange.option("reads", 1))
    for position, key in enumerate(before | dict(after)):
        if before.get(key) is not after.get(key):
            exchange.memories.append(Memory(vdom, table, key, before.get(key), position, reads))
    return respond(answer)


def recall(api: Api, memories: list[Memory], call: Call) -> None:
    """After an answered GET: undo the writes that the device forgets by now."""
    name = "/".join(call.segments[3:5])
    for memory in [memory for memory in memories if memory.table == name]:
        memory.reads -= 1
        if memory.reads <= 0:
            memories.remove(memory)
            api.device.restore(memory.table, memory.key, memory.row, memory.position, memory.vdom)


async def _mkey_zero(exchange: Exchange) -> web.StreamResponse:
    answer = exchange.apply()
    for payload in answer.envelopes:
        if "mkey" in payload:
            payload["mkey"] = "0"
    return respond(answer)


async def _not_found(exchange: Exchange) -> web.StreamResponse:
    answer = exchange.apply()
    if len(exchange.call.segments) > 5:
        for payload in answer.envelopes:
            payload.pop("results", None)
            payload |= {"status": "error", "http_status": 404, "mkey": exchange.call.segments[5]}
        return respond(Answer(404, answer.payload))
    written = _last_written(exchange)
    for payload in answer.envelopes:
        rows = payload.get("results", [])
        payload["results"] = [row for row in rows if row.get("q_origin_key") != written]
    return respond(answer)


def _last_written(exchange: Exchange) -> Key | None:
    """The key of the row that was created last: rows are appended."""
    device, table = exchange.api.device, exchange.table
    keys = list(device.configuration(exchange.vdom, table).rows(table)) if table else []
    return keys[-1] if keys else None


async def _delete_referenced(exchange: Exchange) -> web.StreamResponse:
    configuration = exchange.api.device.vdoms[exchange.vdom]
    configuration.references_checked = False
    try:
        return respond(exchange.apply())
    finally:
        configuration.references_checked = True


BEHAVIOURS: dict[str, Callable[[Exchange], Awaitable[web.StreamResponse]]] = {
    "refuse": _refuse,
    "hang-before": _hang_before,
    "hang-after": _hang_after,
    "lose-answer": _lose_answer,
    "garble": _garble,
    "truncate": _truncate,
    "huge": _huge,
    "reset-mid-body": _reset_mid_body,
    "drip": _drip,
    "status": _status,
    "error": _error,
    "table-full": _table_full,
    "no-effect": _no_effect,
    "apply-twice": _apply_twice,
    "forget": _forget,
    "mkey-zero": _mkey_zero,
    "not-found": _not_found,
    "delete-referenced": _delete_referenced,
}
