"""Targets that look at a real Unbound."""

from ipaddress import IPv4Address
from typing import Any

from backends.unbound.settings import UnboundSettings
from backends.unbound.target import Unbound
from bot.model.resources import Forwarder, Key, Resource
from bot.model.steps import Step
from tests.backends.windows_dns.clock import DEADLINE_S, ManualClock
from tests.unbound_server import UnboundServer

ZONE = "default.svc.cluster.local"
KEY = Key(kind="forwarder", name=ZONE)
WISH = Forwarder(zone=ZONE, masters=(IPv4Address("10.68.0.10"),))


def settings(server: UnboundServer, endpoint: str = "", **changes: Any) -> UnboundSettings:
    data = {
        "type": "unbound",
        "endpoint": endpoint or f"{server.address}:{server.control_port}",
        "server_certificate_file": server.home / "unbound_server.pem",
        "certificate_file": server.home / "unbound_control.pem",
        "certificate_key_file": server.home / "unbound_control.key",
        "timeout_s": DEADLINE_S,
    }
    return UnboundSettings.model_validate({**data, **changes})


def target(server: UnboundServer, endpoint: str = "", clock: ManualClock | None = None, **changes: Any) -> Unbound:
    return Unbound("office-dns", settings(server, endpoint, **changes), clock or ManualClock())


def step(before: Resource | None, after: Resource | None) -> Step:
    return Step(target="office-dns", before=before, after=after)
