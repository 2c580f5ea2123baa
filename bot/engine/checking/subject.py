"""What is checked: a service, one of its pods, or an address."""

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address

from bot.model.facts import Service, ServicePort
from bot.model.proof import addresses_of


@dataclass(frozen=True)
class Subject:
    """What is checked. `service` is None when the cluster has none of that name, or cannot be asked."""

    name: str
    namespace: str
    host: str | None
    address: IPv4Address | None
    port: int | None
    service: Service | None

    @cached_property
    def expected(self) -> tuple[IPv4Address, ...]:
        """The addresses that the name must resolve to, or the asked one."""
        if self.address is not None:
            return (self.address,)
        if self.service is None:
            return ()
        if self.host is not None:
            return tuple(e.address for e in self.service.endpoints if e.hostname == self.host)
        return addresses_of(self.service)

    @cached_property
    def known_ports(self) -> tuple[ServicePort, ...]:
        """The ports at those addresses: a service address has the service's, a pod has its own."""
        if self.service is None:
            return ()
        if self.service.cluster_ip is not None and self.expected == (self.service.cluster_ip,):
            return self.service.ports
        here = [endpoint for endpoint in self.service.endpoints if endpoint.address in self.expected]
        return tuple(dict.fromkeys(port for endpoint in here for port in endpoint.ports)) or self.service.ports

    @cached_property
    def ports(self) -> tuple[ServicePort, ...]:
        """Those that were asked for. Without the cluster's word the asked number is all there is."""
        if self.service is None:
            return (ServicePort(name="", protocol="TCP", port=self.port),) if self.port and not self.address else ()
        return tuple(port for port in self.known_ports if self.port in (None, port.port))
