"""`/api/v2/monitor`: what the firewall says about itself and its traffic."""

from __future__ import annotations

from lab.fortigate import envelope
from lab.fortigate.access import Account, vdoms_of
from lab.fortigate.call import Answer, Call, Refused
from lab.fortigate.device import Device
from lab.fortigate.errors import ConfigError
from lab.fortigate.monitor import firewall, router, system
from lab.fortigate.monitor.endpoint import Endpoint, PlainText, Question

ENDPOINTS: dict[str, Endpoint] = {**system.ENDPOINTS, **router.ENDPOINTS, **firewall.ENDPOINTS}


def handle(device: Device, call: Call, account: Account, path: tuple[str, ...]) -> Answer:
    """The answer to a monitor call; `path` is what follows `monitor` in the URL."""
    name, action = "/".join(path[:2]), "/".join(path[2:])
    endpoint = ENDPOINTS.get(f"{name}/{action}") if action else ENDPOINTS.get(name)
    if endpoint is None and action == "select":
        endpoint = ENDPOINTS.get(name)
    vdoms = vdoms_of(device, call, account)
    if endpoint is None or not endpoint.exists_in(device.profile.version):
        return envelope.monitor(device, call, vdoms[0], path[0], path[1], action, status=404)
    if call.method != endpoint.method(device.profile):
        return envelope.monitor(device, call, vdoms[0], path[0], path[1], action, status=405)
    if not account.allows(endpoint.right, write=endpoint.writes):
        raise Refused(403)
    answers = [_on_vdom(device, call, vdom, path, endpoint) for vdom in vdoms]
    if call.query.get("vdom") == "*" or "," in call.query.get("vdom"):
        return Answer(max(answer.status for answer in answers), [answer.payload for answer in answers])
    return answers[0]


def _on_vdom(device: Device, call: Call, vdom: str, path: tuple[str, ...], endpoint: Endpoint) -> Answer:
    action = "/".join(path[2:])
    try:
        results = endpoint.answer(Question(device, call, vdom))
    except ConfigError as error:
        parts = {"error": error.code}
        return envelope.monitor(device, call, vdom, path[0], path[1], action, status=500, **parts)
    except ValueError:
        return envelope.monitor(device, call, vdom, path[0], path[1], action, status=400)
    if isinstance(results, PlainText):
        return Answer(200, str(results), "text/plain; charset=utf-8")
    parts = {} if results is None else {"results": results}
    return envelope.monitor(device, call, vdom, path[0], path[1], action, **parts)
