"""The simulated cluster: its objects, who may read them, and what its nodes do as time passes."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from lab.cluster.access import Account
from lab.cluster.clock import Clock, SystemClock
from lab.cluster.corefile import parse
from lab.cluster.faults import Faults
from lab.cluster.resources import RESOURCES, Json, Resource, minor
from lab.cluster.store import ObjectStore

BY_PLURAL = {resource.plural: resource for resource in RESOURCES}
NODES, SERVICES, SLICES = BY_PLURAL["nodes"], BY_PLURAL["services"], BY_PLURAL["endpointslices"]
LEASES, NAMESPACES = BY_PLURAL["leases"], BY_PLURAL["namespaces"]
LEASE_NAMESPACE = "kube-node-lease"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"

HEARTBEAT = 10.0
"""Seconds between two renewals of a node's lease."""

_UNREACHABLE = "node.kubernetes.io/unreachable"


def stamp(time: datetime) -> str:
    """A ``metav1.Time``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    """The state that the API, CoreDNS and the network read, and the verbs that change it.

    Its JSON form: ``{"version": "1.34", "corefile": "...", "objects": [Kubernetes objects], "tokens": [{"user",
    "token", "rules": [rules of a ClusterRole; with "namespace" those of a Role]}], "down": [node names], "silent":
    [node names]}``.

    A node that is *down* runs nothing; a *silent* one has lost its kubelet: its pods and its forwarding live on.
    """

    def __init__(
        self,
        version: str,
        objects: list[Json],
        corefile: str,
        accounts: list[Account],
        *,
        down: Iterable[str] = (),
        silent: Iterable[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self.minor = minor(version)
        self.version = version
        parse(corefile)  # a mistake in it should not wait for the first query
        self.corefile = corefile
        self.accounts = list(accounts)
        self.clock: Clock = clock or SystemClock()
        self.store = ObjectStore(self.clock)
        self.faults = Faults(self.clock)
        self.api_serving = True
        """Whether anybody can reach the API; CoreDNS keeps serving its last state while nobody can."""
        self.down = set(down)
        self.silent = set(silent)
        self._lost_endpoints: dict[str, set[tuple[str, str]]] = {}
        for document in objects:
            self.store.put(document)
        self.beat()

    @classmethod
    def load(cls, document: Json, *, clock: Clock | None = None) -> Self:
        """A cluster from its JSON form; `ValueError` or `KeyError` say what is wrong with it."""
        accounts = [Account.load(account) for account in document.get("tokens", [])]
        return cls(
            document["version"],
            document["objects"],
            document["corefile"],
            accounts,
            down=document.get("down", []),
            silent=document.get("silent", []),
            clock=clock,
        )

    @classmethod
    def read(cls, path: Path, *, clock: Clock | None = None) -> Self:
        """A cluster from a file; `ValueError` names the file and what is wrong, `OSError` when it cannot be read."""
        try:
            return cls.load(json.loads(path.read_text()), clock=clock)
        except KeyError as error:
            raise ValueError(f"{path}: the field {error} is missing") from error
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: not the state of a cluster: {error}") from error

    def dump(self) -> Json:
        """The whole state as JSON; `load` accepts it."""
        return {
            "version": self.version,
            "corefile": self.corefile,
            "tokens": [account.dump() for account in self.accounts],
            "down": sorted(self.down),
            "silent": sorted(self.silent),
            "objects": list(self.store.documents()),
        }

    # Nodes -----------------------------------------------------------------------------------------------------

    def nodes(self) -> list[Json]:
        return self.store.objects(NODES)

    def node_names(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.nodes()]

    def kill_node(self, name: str) -> None:
        """Switch a machine off: no forwarding, no pods, no heartbeat. `KeyError` when there is no such node."""
        self.down.add(self._node_name(name))

    def revive_node(self, name: str) -> None:
        """Switch a machine on again, kubelet included."""
        self.down.discard(self._node_name(name))
        self.silent.discard(name)
        self.beat()

    def freeze_lease(self, name: str) -> None:
        """Stop a node's kubelet: its lease is renewed no more, its data plane lives on."""
        self.silent.add(self._node_name(name))

    def thaw_lease(self, name: str) -> None:
        self.silent.discard(self._node_name(name))
        self.beat()

    def _node_name(self, name: str) -> str:
        if self.store.get(NODES, "", name) is None:
            raise KeyError(f"no node {name!r}; there are: {', '.join(self.node_names())}")
        return name

    # Time ------------------------------------------------------------------------------------------------------

    @property
    def grace(self) -> timedelta:
        """How long a node may be silent before it counts as not ready: 50 s, 40 s before 1.32."""
        return timedelta(seconds=50 if self.minor >= 32 else 40)

    def beat(self) -> None:
        """Do what kubelets and the node controller do at this moment: renew leases, judge the silent nodes."""
        now = self.clock.now()
        for node in self.nodes():
            name = node["metadata"]["name"]
            if name not in self.down | self.silent:
                self.store.put(_renewed(self.store.get(LEASES, LEASE_NAMESPACE, name), name, now))
            self._judge(node, now)

    async def keep_beating(self) -> None:
        """`beat` every `HEARTBEAT` seconds, for ever."""
        while True:
            await self.clock.sleep(HEARTBEAT)
            self.beat()

    def _judge(self, node: Json, now: datetime) -> None:
        name = node["metadata"]["name"]
        lease = self.store.get(LEASES, LEASE_NAMESPACE, name)
        # A node that never had a lease was down from the start: the controller waits the grace period all the same.
        heard = datetime.fromisoformat(
            (lease["spec"] if lease else {}).get("renewTime") or node["metadata"]["creationTimestamp"]
        )
        lost = now - heard > self.grace
        if lost == (ready_status(node) == "Unknown"):
            return
        if lost:
            self.store.put(_lost(node, now))
        elif name not in self.down | self.silent:
            self.store.put(_found(node, now))
        else:
            return
        self._mark_endpoints(name, ready=not lost)

    def _mark_endpoints(self, node: str, *, ready: bool) -> None:
        """Make the endpoints on a lost node not ready, and those same ones ready again when it is back."""
        lost = self._lost_endpoints.setdefault(node, set())
        for document in self.store.objects(SLICES):
            slice_uid = document["metadata"]["uid"]
            endpoints = []
            for endpoint in document.get("endpoints") or []:
                key = (slice_uid, endpoint["addresses"][0])
                if endpoint.get("nodeName") == node and (key in lost if ready else is_ready(endpoint)):
                    lost.add(key)
                    endpoint = self._with_ready(document, endpoint, ready)
                endpoints.append(endpoint)
            if endpoints != document.get("endpoints"):
                self.store.put({**document, "endpoints": endpoints})
        if ready:
            lost.clear()

    # Objects ---------------------------------------------------------------------------------------------------

    def services(self) -> list[Json]:
        return self.store.objects(SERVICES)

    def slices(self, namespace: str, service: str) -> list[Json]:
        """The EndpointSlices of a service."""
        return [
            document
            for document in self.store.objects(SLICES, namespace)
            if (document["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL) == service
        ]

    def set_ready(self, namespace: str, service: str, ready: bool) -> None:
        """Make every endpoint of a service ready or not."""
        for document in self.slices(namespace, service):
            endpoints = [self._with_ready(document, endpoint, ready) for endpoint in document["endpoints"]]
            self.store.put({**document, "endpoints": endpoints})

    def _with_ready(self, document: Json, endpoint: Json, ready: bool) -> Json:
        """The endpoint with its readiness as the EndpointSlice controller writes it."""
        metadata = document["metadata"]
        name = (metadata.get("labels") or {}).get(SERVICE_NAME_LABEL, "")
        service = self.store.get(SERVICES, metadata["namespace"], name) or {"spec": {}}
        published = ready or bool(service["spec"].get("publishNotReadyAddresses"))
        conditions = {**(endpoint.get("conditions") or {}), "ready": published, "serving": ready}
        return {**endpoint, "conditions": conditions}


def resource_named(plural: str) -> Resource:
    """The resource of a plural name; `KeyError` when the simulator does not serve it."""
    if plural not in BY_PLURAL:
        raise KeyError(f"unknown resource {plural!r}; there are: {', '.join(BY_PLURAL)}")
    return BY_PLURAL[plural]


def ready_status(node: Json) -> str:
    """Status of a node's Ready condition: ``True``, ``False`` or ``Unknown``."""
    conditions = node.get("status", {}).get("conditions", [])
    return next((str(c["status"]) for c in conditions if c["type"] == "Ready"), "Unknown")


def _renewed(lease: Json | None, node: str, now: datetime) -> Json:
    renewed = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if lease is not None:
        return {**lease, "spec": {**lease["spec"], "renewTime": renewed}}
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": node, "namespace": LEASE_NAMESPACE},
        "spec": {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": renewed},
    }


def _lost(node: Json, now: datetime) -> Json:
    taints = [
        {"key": _UNREACHABLE, "effect": effect, "timeAdded": stamp(now)} for effect in ("NoSchedule", "NoExecute")
    ]
    spec = {**node.get("spec", {}), "taints": [*_other_taints(node), *taints]}
    return _with_ready_condition(
        {**node, "spec": spec}, now, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."
    )


def _found(node: Json, now: datetime) -> Json:
    spec = {**node.get("spec", {}), "taints": _other_taints(node)}
    return _with_ready_condition({**node, "spec": spec}, now, "True", "KubeletReady", "kubelet is posting ready status")


def _other_taints(node: Json) -> list[Json]:
    return [taint for taint in node.get("spec", {}).get("taints") or [] if taint["key"] != _UNREACHABLE]


def _with_ready_condition(node: Json, now: datetime, status: str, reason: str, message: str) -> Json:
    condition = {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": stamp(now),
        "lastTransitionTime": stamp(now),
    }
    others = [c for c in node.get("status", {}).get("conditions", []) if c["type"] != "Ready"]
    return {**node, "status": {**node.get("status", {}), "conditions": [*others, condition]}}


def is_ready(endpoint: Json) -> bool:
    """Whether an endpoint takes traffic; a missing condition means that it does."""
    ready = (endpoint.get("conditions") or {}).get("ready")
    return ready is None or bool(ready)
