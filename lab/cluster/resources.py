"""The part of the Kubernetes API that the simulator serves: which kinds, under which group and version."""

import re
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    since: int = 0
    """First minor release of Kubernetes 1.x that serves it; 0: all that matter."""
    short_names: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Name as it appears in messages: ``services``, ``leases.coordination.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


RESOURCES = (
    Resource("", "v1", "nodes", "Node", False, short_names=("no",)),
    Resource("", "v1", "namespaces", "Namespace", False, short_names=("ns",)),
    Resource("", "v1", "services", "Service", True, short_names=("svc",)),
    Resource("", "v1", "configmaps", "ConfigMap", True, short_names=("cm",)),
    Resource("coordination.k8s.io", "v1", "leases", "Lease", True),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True, short_names=("netpol",)),
    Resource("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", False, since=33),
)

_BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}


def resource_of(document: Json) -> Resource:
    """The resource of an object; `ValueError` names the kind when the simulator does not know it."""
    key = (document.get("apiVersion", ""), document.get("kind", ""))
    if key not in _BY_KIND:
        known = ", ".join(f"{version} {kind}" for version, kind in _BY_KIND)
        raise ValueError(f"unknown kind {key[0]!r} {key[1]!r}; the simulated cluster knows: {known}")
    return _BY_KIND[key]


def minor(version: str) -> int:
    """The minor number of a release such as ``1.34`` or ``v1.34.2``."""
    match = re.fullmatch(r"v?1\.(\d+)(\.\d+)?", version)
    if match is None:
        raise ValueError(f"{version!r} is not a Kubernetes version; write it like 1.34")
    return int(match[1])


def served(version: str) -> tuple[Resource, ...]:
    """The resources that a release serves."""
    return tuple(resource for resource in RESOURCES if resource.since <= minor(version))
