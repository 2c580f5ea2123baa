"""A FortiGate, the simulated one: real client, real HTTPS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.target import FortiGate
from bot.model.resources import Address, AddressGroup, Key, Mark, Policy, Resource, Route
from lab.fortigate import article
from lab.fortigate.device import Device
from lab.fortigate.server import Server, running
from tests.backends.fortigate.clock import ManualClock
from tests.contract.subjects import FIREWALL_PAIRS, Subject, Trouble

TOKEN = "planted-secret-4711"
ROW_KEY = {"router/static": "seq-num", "firewall/policy": "policyid"}
WRITES = "[!G]*"  # as a shell pattern: every method but GET


def comment(mark: Mark | None) -> str:
    if mark is None:
        return ""
    return f"k8snet:{mark.cluster} op={mark.operation} h={mark.fingerprint} | put there by a test"


def row_of(resource: Resource) -> tuple[str, dict[str, Any]]:
    """The table and the row as an administrator would type it; not the target's own mapping."""
    match resource:
        case Address():
            return "firewall/address", {"name": resource.name, "subnet": str(resource.network),
                                        "comment": comment(resource.mark)}  # fmt: skip
        case AddressGroup():
            return "firewall/addrgrp", {"name": resource.name, "member": refs(resource.members),
                                        "comment": comment(resource.mark)}  # fmt: skip
        case Route():
            return "router/static", {
                "seq-num": resource.row, "dst": str(resource.destination), "gateway": str(resource.gateway),
                "device": resource.device, "distance": resource.distance, "comment": comment(resource.mark),
            }  # fmt: skip
        case Policy():
            return "firewall/policy", {
                "policyid": resource.row, "name": resource.name, "srcintf": refs(resource.source_interfaces),
                "dstintf": refs(resource.destination_interfaces), "srcaddr": refs(resource.sources),
                "dstaddr": refs(resource.destinations), "service": refs(resource.services),
                "action": resource.action, "schedule": resource.schedule, "nat": onoff(resource.nat),
                "status": onoff(resource.enabled), "comments": comment(resource.mark),
            }  # fmt: skip
        case _:
            raise TypeError(f"a firewall has no {resource.kind}")


def refs(names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def onoff(value: bool) -> str:
    return "enable" if value else "disable"


class FortiGateSubject(Subject):
    pairs = FIREWALL_PAIRS
    secret = TOKEN

    def __init__(self, server: Server, target: FortiGate) -> None:
        self.server = server
        self.target = target

    async def put(self, resource: Resource) -> None:
        table, row = row_of(resource)
        key = row[ROW_KEY.get(table, "name")]
        if any(there[ROW_KEY.get(table, "name")] == key for there in self.server.device.rows(table)):
            self.server.device.update(table, key, row)
        else:
            self.server.device.create(table, row)

    async def drop(self, key: Key) -> None:
        table, row = row_of((await self.target.read([key]))[key])
        self.server.device.delete(table, row[ROW_KEY.get(table, "name")])

    def writes(self) -> int:
        return sum(entry.effective for entry in self.server.api.audit)

    def trouble(self, trouble: Trouble) -> None:
        match trouble:
            case "unreachable":
                self.server.faults.arm("refuse", count=None)
            case "refused":
                self.server.faults.arm("error", method=WRITES, options={"code": -361})
            case "request lost":
                self.server.faults.arm("refuse", method=WRITES)
            case "answer lost":
                self.server.faults.arm("lose-answer", method=WRITES)

    def calm(self) -> None:
        self.server.clear_faults()


def settings(server: Server, directory: Path, **changes: Any) -> FortiGateSettings:
    data = {
        "type": "fortigate",
        "url": server.url,
        "token": SecretStr(TOKEN),
        "tls": {"ca_file": server.write_ca(directory / "fortigate-ca.pem")},
        "request_timeout_s": 20.0,
    }
    return FortiGateSettings.model_validate({**data, **changes})


@asynccontextmanager
async def fortigate(directory: Path) -> AsyncIterator[Subject]:
    async with running(Device.from_json(article.state(TOKEN))) as server:
        yield FortiGateSubject(server, FortiGate("office-fw", settings(server, directory), ManualClock()))
