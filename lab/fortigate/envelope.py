"""The frame that FortiOS puts around every JSON answer."""

from __future__ import annotations

from typing import Any

from lab.fortigate.attributes import Key
from lab.fortigate.call import Answer, Call
from lab.fortigate.device import Device
from lab.fortigate.errors import ConfigError

Envelope = dict[str, Any]


def _tail(device: Device) -> Envelope:
    return {"serial": device.unit.serial, "version": device.profile.release, "build": device.build}


def cmdb(device: Device, call: Call, vdom: str, place: Envelope, status: int = 200, **parts: Any) -> Answer:
    """An answer of the configuration API. `place` holds path, name and what else locates the object."""
    payload = {"http_method": call.method, **parts}
    payload |= {
        "vdom": vdom,
        **place,
        "status": "success" if status < 400 else "error",
        "http_status": status,
        **_tail(device),
    }
    return Answer(status, payload)


def monitor(
    device: Device,
    call: Call,
    vdom: str,
    path: str,
    name: str,
    action: str,
    *,
    status: int = 200,
    **parts: Any,
) -> Answer:
    """An answer of the monitor API; older firmware leaves `http_status` out and always names the action."""
    payload: Envelope = {"http_method": call.method, **parts, "vdom": vdom, "path": path, "name": name}
    if action or not device.profile.monitor_http_status:
        payload["action"] = action or "select"
    payload["status"] = "success" if status < 400 else "error"
    if device.profile.monitor_http_status or status >= 400:
        payload["http_status"] = status
    return Answer(status, payload | _tail(device))


def written(revision: str, old_revision: str) -> Envelope:
    """The parts that tell whether a write had an effect."""
    if revision == old_revision:
        return {"revision": revision, "revision_changed": False}
    return {"revision": revision, "revision_changed": True, "old_revision": old_revision}


def refused(device: Device, error: ConfigError) -> Envelope:
    """The parts that tell why the configuration layer refused."""
    parts: Envelope = {"revision_changed": False, "error": error.code}
    if device.profile.cli_error:
        parts["cli_error"] = error.cli_error
    return parts


def key_part(device: Device, method: str, key: Key) -> Envelope:
    """The row's key as this firmware and method show it."""
    return {"mkey": str(key) if method == "PUT" and device.profile.text_key_on_put else key}
