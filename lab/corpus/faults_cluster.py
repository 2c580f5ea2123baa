"""Faults of the cluster's objects, of programs in pods, of the API, of the bot's own host, and of the question."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address

import dns.message

from lab.cluster.access import Account
from lab.cluster.faults import Fault as ApiFault
from lab.cluster.faults import Kind as ApiFaultKind
from lab.cluster.listener import Handle
from lab.cluster.model import NAMESPACES, SERVICES, SLICES
from lab.corpus.fault import ADDRESSED, HEADLESS, LOCAL, SPREAD, Fault, nothing
from lab.corpus.office import Office

_SERVICES = {HEADLESS: "redis-abc-gns", SPREAD: "web-abc", LOCAL: "redis-abc"}
_PODS = {
    "redis-abc-gns": (("172.20.4.222",), 6379),
    "web-abc": (("172.20.3.31", "172.20.4.31", "172.20.5.31"), 8080),
    "redis-abc": (("172.20.3.23",), 6379),
}
_SOCKETS = [(pod, port) for pods, port in _PODS.values() for pod in pods]
_STRANGER = "172.20.6.90"
"""The one pod of a service in another namespace: what a check compares with first of what stands on other nodes."""


def _not_ready(office: Office) -> None:
    for service in _SERVICES.values():
        office.cluster.set_ready("default", service, False)


def _no_slices(office: Office) -> None:
    for service in _SERVICES.values():
        for document in office.cluster.slices("default", service):
            office.cluster.store.delete(SLICES, "default", document["metadata"]["name"])


def _deleted(office: Office) -> None:
    for service in _SERVICES.values():
        office.cluster.store.delete(SERVICES, "default", service)


def _namespace_deleted(office: Office) -> None:
    office.cluster.store.delete(NAMESPACES, "", "default")


def _local_only(office: Office) -> None:
    """The gateway runs none of the service's pods any more, and the service wants local ones."""
    document = office.cluster.slices("default", "redis-abc")[0]
    endpoint = document["endpoints"][0] | {"addresses": ["172.20.4.23"], "nodeName": "k8s-qa-node-03"}
    office.cluster.store.put({**document, "endpoints": [endpoint]})
    office.cluster.store.patch(SERVICES, "default", "redis-abc", {"spec": {"internalTrafficPolicy": "Local"}})


def _wrong_target_port(office: Office) -> None:
    for service in _SERVICES.values():
        document = office.cluster.slices("default", service)[0]
        ports = [port | {"port": 7999, "appProtocol": "nothing"} for port in document["ports"]]
        office.cluster.store.put({**document, "ports": ports})


def _instead(talk: Handle | None) -> Callable[[Office], Awaitable[None]]:
    """Every pod of the services runs another program, or none."""
    return lambda office: office.ground.instead(_SOCKETS, talk)


async def _one_not_running(office: Office) -> None:
    await office.ground.instead([("172.20.4.31", 8080)], None)


async def _mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


async def _hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def _policed(office: Office) -> None:
    """A NetworkPolicy of the namespace lets only its own pods in."""
    await office.ground.police({IPv4Address(pod) for pod, _ in _SOCKETS})


async def _policed_like_a_stranger(office: Office) -> None:
    """And somebody else's pod is silent for a reason of its own."""
    await office.ground.police({IPv4Address(pod) for pod, _ in (*_SOCKETS, (_STRANGER, 0))})


async def _not_running_beside_a_stranger(office: Office) -> None:
    """The stranger is silent, not dead: only so does it look like a fault of the way."""
    await office.ground.instead(_SOCKETS, None)
    await office.ground.police({IPv4Address(_STRANGER)})


async def _api_down(office: Office) -> None:
    """Whoever watches the API keeps what it has seen: let CoreDNS see it first."""
    office.running_cluster.coredns.answer(dns.message.make_query("kubernetes.default.svc.cluster.local.", "A"))
    await office.running_cluster.api.stop()


def _api(kind: ApiFaultKind, path: str = "/") -> Callable[[Office], None]:
    def apply(office: Office) -> None:
        office.cluster.faults.add(ApiFault(kind, path))

    return apply


def _token_revoked(office: Office) -> None:
    [account] = office.cluster.accounts
    office.cluster.accounts[:] = [Account(account.user, "another-token", account.rules)]


def _no_right_to(resource: str) -> Callable[[Office], None]:
    def apply(office: Office) -> None:
        [account] = office.cluster.accounts
        rules = tuple(rule for rule in account.rules if resource not in rule.resources)
        office.cluster.accounts[:] = [Account(account.user, account.token, rules)]

    return apply


async def _door_closed(office: Office) -> None:
    await office.ground.cut_bot()


CLUSTER: tuple[Fault, ...] = (
    Fault("no pod ready", "K8SNET-SVC-01", "endpoints", _not_ready, ADDRESSED),
    Fault("no pod of the headless service ready", "K8SNET-SVC-03", "endpoints", _not_ready, (HEADLESS,)),
    Fault("no EndpointSlices", "K8SNET-SVC-01", "endpoints", _no_slices, ADDRESSED),
    Fault("no EndpointSlices of the headless service", "K8SNET-SVC-03", "endpoints", _no_slices, (HEADLESS,)),
    Fault("service deleted", "K8SNET-NAME-02", "service", _deleted),
    Fault("namespace deleted", "K8SNET-NAME-01", "namespace", _namespace_deleted),
    Fault("only local endpoints, none local", "K8SNET-SVC-05", "endpoints", _local_only, (LOCAL,)),
    Fault("wrong targetPort", "K8SNET-SVC-02", "endpoints", _wrong_target_port),
    Fault("program not running", "K8SNET-SVC-02", "program", _instead(None)),
    Fault("program of one pod not running", "K8SNET-SVC-02", "program", _one_not_running, (SPREAD,)),
    Fault("program hangs", "K8SNET-SVC-04", "program", _instead(_mute), (HEADLESS, SPREAD)),
    Fault("program hangs up", "K8SNET-SVC-06", "program", _instead(_hang_up)),
    Fault("network policy", "K8SNET-SVC-07", "policed", _policed, (HEADLESS, SPREAD)),
    Fault(
        "network policy, and a stranger is silent",
        "K8SNET-SVC-07",
        "policed",
        _policed_like_a_stranger,
        (HEADLESS, SPREAD),
    ),
    Fault("program not running, and a stranger is silent", "K8SNET-SVC-02", "program", _not_running_beside_a_stranger),
    Fault("API unreachable", "K8SNET-API-01", "api", _api_down, kind="blind", shows=("K8SNET-PATH-06",)),
    Fault("API hangs", "K8SNET-API-01", "api", _api("hang"), kind="blind"),
    Fault("API resets", "K8SNET-API-01", "api", _api("reset"), kind="blind"),
    Fault("API broken", "K8SNET-API-01", "api", _api("error"), kind="blind"),
    Fault("API talks nonsense", "K8SNET-API-01", "api", _api("garbage"), kind="blind"),
    Fault("API token revoked", "K8SNET-API-02", "api", _token_revoked, kind="blind"),
    Fault("no right to services", "K8SNET-API-02", "api", _no_right_to("services"), kind="blind"),
    Fault("no right to leases", "K8SNET-API-03", "api", _no_right_to("leases"), kind="blind"),
    Fault("nodes cannot be read", "K8SNET-API-03", "api", _api("error", "/api/v1/nodes"), kind="blind"),
    Fault("the bot's way out is closed", "K8SNET-BOT-01", "bot", _door_closed, kind="blind"),
    Fault("typo in the service", "K8SNET-NAME-02", "question", nothing, ("redis-abc-gsn.default",)),
    Fault("typo in the namespace", "K8SNET-NAME-01", "question", nothing, ("redis-abc-gns.defualt",)),
    Fault("another port", "K8SNET-NAME-03", "question", nothing, ("redis-abc-gns.default:6380",)),
    Fault("an unused service address", "K8SNET-NAME-05", "question", nothing, ("10.68.0.77",)),
    Fault("an address of no pod", "K8SNET-NAME-06", "question", nothing, ("172.20.4.99",), kind="blind"),
    Fault("a pod that is not there", "K8SNET-NAME-07", "question", nothing, ("orders-db-7.orders-db.qa-orders",)),
    Fault("a name that leads outside", "K8SNET-NAME-04", "question", nothing, ("registry-abc.default",), kind="blind"),
    Fault("not exposed", "K8SNET-EXP-01", "question", nothing, ("rabbitmq.qa-orders",)),
    Fault("a UDP port", "K8SNET-PATH-04", "question", nothing, ("echo-udp.default",), kind="blind"),
    Fault("empty service", "K8SNET-SVC-01", "question", nothing, ("empty-abc.default",)),
)
