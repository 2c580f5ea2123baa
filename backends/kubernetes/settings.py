"""How to read one cluster: an entry of `clusters:` in app.yaml."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pydantic import Field

from bot.model.value import Value


class KubernetesSettings(Value):
    """Access with read rights only. The networks and the domain are found out where the cluster tells them."""

    kubeconfig: Path = Field(description="File with server, certificate authority and credentials of a reader account.")
    context: str | None = Field(default=None, description="Context in that file; without it, its current context.")
    connect_timeout_s: float = Field(default=3.0, gt=0, le=30, description="Seconds to wait for a connection.")
    read_timeout_s: float = Field(default=5.0, gt=0, le=60, description="Seconds of silence to bear in an answer.")
    deadline_s: float = Field(default=10.0, gt=0, le=120, description="Seconds that all reads together may take.")
    service_networks: tuple[IPv4Network, ...] = Field(
        default=(), description="Networks of the ClusterIPs, such as 10.68.0.0/16, when the cluster does not tell them."
    )
    pod_networks: tuple[IPv4Network, ...] = Field(
        default=(),
        description="Networks of the pods, such as 172.20.0.0/16: one line instead of one network a node.",
    )
    domain: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        description="Cluster domain, such as cluster.local, when CoreDNS' configuration cannot be read.",
    )
    kube_dns: IPv4Address | None = Field(
        default=None, description="Address of the cluster's DNS service, when several could be meant."
    )
