"""What CoreDNS' kubernetes plugin knows: an index of services and endpoints, and the lookups in it.

Follows coredns/coredns:plugin/kubernetes (kubernetes.go, parse.go, reverse.go), schema 1.1.0.
"""

import ipaddress
from dataclasses import dataclass

from lab.cluster.corefile import KubernetesPlugin
from lab.cluster.model import NAMESPACES, SERVICE_NAME_LABEL, SERVICES, SLICES, Cluster, is_ready
from lab.cluster.resources import Json

NO_PORT = -1
"""Port of an endpoint without one: it has addresses and no SRV record."""


_WATCHED = (NAMESPACES, SERVICES, SLICES)


class NameNotFound(Exception):
    """The plugin's "name error": NXDOMAIN, or SERVFAIL before the first synchronisation."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One record's worth: an IPv4 or IPv6 address or a host name, a port, and the name that an SRV points at."""

    host: str
    port: int
    target: str
    """Relative to the zone."""

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    address: str
    hostname: str
    pod: str


@dataclass(frozen=True, slots=True)
class EndpointPort:
    name: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One EndpointSlice: its addresses all listen on its ports."""

    namespace: str
    service: str
    addresses: tuple[EndpointAddress, ...]
    ports: tuple[EndpointPort, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A name inside the zone, taken apart as the plugin does it."""

    kind: str = ""
    namespace: str = ""
    service: str = ""
    endpoint: str = ""
    port: str = ""
    protocol: str = ""

    @classmethod
    def parse(cls, relative: str) -> "Question":
        """From the name without its zone; `NameNotFound` when it can be no name of the schema."""
        if relative in ("", "svc", "pod"):
            return cls()
        labels = relative.split(".")
        kind = labels.pop()
        if kind not in ("pod", "svc") or len(labels) > 4:
            raise NameNotFound
        namespace = labels.pop() if labels else ""
        service = labels.pop() if labels else ""
        match labels:
            case []:
                return cls(kind, namespace, service)
            case [endpoint]:
                return cls(kind, namespace, service, endpoint=endpoint)
            case _:
                port, protocol = (label.removeprefix("_") for label in labels)
                return cls(kind, namespace, service, port=port, protocol=protocol)


class View:
    """The plugin's copy of the cluster at one moment."""

    def __init__(self, cluster: Cluster) -> None:
        self._store = cluster.store
        self._version = self._store.latest(*_WATCHED)
        self.namespaces = {o["metadata"]["name"] for o in cluster.store.objects(NAMESPACES)}
        self.services = {
            (o["metadata"]["namespace"], o["metadata"]["name"]): o for o in cluster.store.objects(SERVICES)
        }
        self.endpoints: dict[tuple[str, str], list[Endpoints]] = {}
        for document in cluster.store.objects(SLICES):
            if endpoints := _endpoints(document):
                self.endpoints.setdefault((endpoints.namespace, endpoints.service), []).append(endpoints)

    def outdated(self) -> bool:
        return self._version != self._store.latest(*_WATCHED)


class Backend:
    """Lookups of one ``kubernetes`` directive."""

    def __init__(self, plugin: KubernetesPlugin, view: View | None) -> None:
        self.plugin = plugin
        self._view = view
        self.synchronised = view is not None

    def records(self, relative: str) -> list[Answer]:
        """What a name inside the zone stands for. Empty: the name exists without addresses.

        Raises `NameNotFound`.
        """
        question = Question.parse(relative)
        if not question.kind:
            return []
        if not self._exposed(question.namespace):
            raise NameNotFound
        if not question.service:
            return []
        return self._pod(question) if question.kind == "pod" else self._service(question)

    def reverse(self, address: str) -> list[str]:
        """Names, relative to the zone, of the service or the endpoints at an address; `NameNotFound`."""
        if self._view is None:
            raise NameNotFound
        for (namespace, name), service in self._view.services.items():
            if address in _cluster_ips(service) and self._exposed(namespace):
                return [f"{name}.{namespace}.svc"]
        names = [
            f"{self._hostname(entry)}.{name}.{namespace}.svc"
            for (namespace, name), slices in self._view.endpoints.items()
            for endpoints in slices
            for entry in endpoints.addresses
            if entry.address == address and self._exposed(namespace)
        ]
        if not names:
            raise NameNotFound
        return names

    def own_services(self) -> list[Answer]:
        """The services in front of CoreDNS itself: what ``ns.dns.<zone>`` and NS records point at."""
        if self._view is None:
            return []
        return [
            Answer(ip, 53, f"{name}.{namespace}.svc")
            for (namespace, name), service in self._view.services.items()
            if (service["metadata"].get("labels") or {}).get("k8s-app") == "kube-dns"
            for ip in _cluster_ips(service)
        ]

    def _exposed(self, namespace: str) -> bool:
        if self._view is None or namespace not in self._view.namespaces:
            return False
        return not self.plugin.namespaces or namespace in self.plugin.namespaces

    def _pod(self, question: Question) -> list[Answer]:
        if self.plugin.pods == "disabled":
            raise NameNotFound
        name = question.service
        dashed_ipv4 = name.count("-") == 3 and "--" not in name
        address = name.replace("-", "." if dashed_ipv4 else ":")
        answer = Answer(address, 0, f"{name}.{question.namespace}.pod")
        if answer.address is None:
            raise NameNotFound
        if self.plugin.pods == "verified" and not self._has_pod(question.namespace, address):
            raise NameNotFound
        return [answer]

    def _has_pod(self, namespace: str, address: str) -> bool:
        slices = self._view.endpoints if self._view else {}
        return any(
            entry.address == address
            for (owner, _), found in slices.items()
            if owner == namespace
            for endpoints in found
            for entry in endpoints.addresses
        )

    def _service(self, question: Question) -> list[Answer]:
        key = (question.namespace, question.service)
        service = self._view.services.get(key) if self._view else None
        if service is None or self._hidden(service, key):
            raise NameNotFound
        spec = service["spec"]
        target = f"{question.service}.{question.namespace}.svc"
        if spec.get("type") == "ExternalName":
            if question.endpoint or question.port or question.protocol:
                raise NameNotFound
            return [Answer(spec["externalName"], 0, target)]
        if spec.get("clusterIP") == "None" or question.endpoint:
            answers = self._endpoint_answers(question, key, target)
        else:
            answers = [
                Answer(ip, port["port"], target)
                for port in spec.get("ports") or []
                if _matches(question, port.get("name", ""), port.get("protocol", "TCP"))
                for ip in _cluster_ips(service)
            ]
        if not answers:
            raise NameNotFound
        return answers

    def _endpoint_answers(self, question: Question, key: tuple[str, str], target: str) -> list[Answer]:
        slices = self._view.endpoints.get(key, []) if self._view else []
        return [
            Answer(entry.address, port.port, f"{self._hostname(entry)}.{target}")
            for endpoints in slices
            for entry in endpoints.addresses
            if question.endpoint in ("", self._hostname(entry).lower())
            for port in endpoints.ports
            if _matches(question, port.name, port.protocol)
        ]

    def _hidden(self, service: Json, key: tuple[str, str]) -> bool:
        spec = service["spec"]
        if not self.plugin.ignore_empty_service or self._view is None:
            return False
        if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
            return False
        return not any(endpoints.addresses for endpoints in self._view.endpoints.get(key, []))

    def _hostname(self, entry: EndpointAddress) -> str:
        if entry.hostname:
            return entry.hostname
        if self.plugin.endpoint_pod_names and entry.pod:
            return entry.pod
        return entry.address.replace(".", "-").replace(":", "-")


def _matches(question: Question, port: str, protocol: str) -> bool:
    """Whether a port is the one asked for; both empty: any port."""
    return question.port in ("", port.lower()) and question.protocol in ("", protocol.lower())


def _cluster_ips(service: Json) -> list[str]:
    spec = service["spec"]
    return [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]


def _endpoints(document: Json) -> Endpoints | None:
    """The part of an EndpointSlice that the plugin keeps: the ready endpoints of a service."""
    service = (document["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL)
    if not service or document.get("addressType") == "FQDN":
        return None
    addresses = tuple(
        EndpointAddress(address, entry.get("hostname") or "", (entry.get("targetRef") or {}).get("name", ""))
        for entry in document.get("endpoints") or []
        if is_ready(entry)
        for address in entry["addresses"]
    )
    ports = tuple(
        EndpointPort(port.get("name") or "", port.get("protocol") or "TCP", port.get("port") or NO_PORT)
        for port in document.get("ports") or []
    )
    # A service without ports still has endpoints: the plugin keeps one empty port for them.
    return Endpoints(document["metadata"]["namespace"], service, addresses, ports or (EndpointPort("", "", NO_PORT),))
