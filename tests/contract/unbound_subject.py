"""A real Unbound behind a proxy that loses requests and answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from bot.model.resources import Forwarder, Key, Resource
from tests.backends.unbound.control_proxy import ControlProxy
from tests.backends.unbound.targets import WISH, target
from tests.contract.subjects import Subject, Trouble
from tests.unbound_server import BINARY, MISSING, running_unbound

OTHER = WISH.model_copy(update={"masters": (IPv4Address("10.68.0.11"), IPv4Address("10.68.0.12"))})
WRITES = ("forward_add", "forward_remove")


class UnboundSubject(Subject):
    pairs = ((WISH, OTHER),)

    def __init__(self, proxy: ControlProxy) -> None:
        self.proxy = proxy
        self.target = target(proxy.server, proxy.endpoint)
        self.secret = (proxy.server.home / "unbound_control.key").read_text().splitlines()[1]

    async def put(self, resource: Resource) -> None:
        assert isinstance(resource, Forwarder)
        await self.proxy.server.tell("forward_add", resource.zone, *(str(master) for master in resource.masters))

    async def drop(self, key: Key) -> None:
        await self.proxy.server.tell("forward_remove", key.name)

    def writes(self) -> int:
        return self.proxy.writes()

    def trouble(self, trouble: Trouble) -> None:
        match trouble:
            case "unreachable":
                self.proxy.closed = True
            case "refused":
                self.proxy.lose = dict.fromkeys(WRITES, "refusal")
            case "request lost":
                self.proxy.lose = dict.fromkeys(WRITES, "request")
            case "answer lost":
                self.proxy.lose = dict.fromkeys(WRITES, "answer")

    def calm(self) -> None:
        self.proxy.closed = False
        self.proxy.lose.clear()


@asynccontextmanager
async def unbound(_: Path) -> AsyncIterator[Subject]:
    if BINARY is None:
        pytest.skip(MISSING)
    async with running_unbound() as server, ControlProxy(server).serving() as proxy:
        yield UnboundSubject(proxy)
