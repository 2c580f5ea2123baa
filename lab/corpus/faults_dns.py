"""Faults of names: the DNS server of the office, its forwarder and cache, kube-dns and CoreDNS."""

import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.cluster.model import SERVICES
from lab.corpus.fault import HEADLESS, LOCAL, SPREAD, Fault
from lab.corpus.office import Office
from lab.windows_dns.state import Zone

_ZONE = "default.svc.cluster.local"
_NAMES = tuple(f"{ask}.svc.cluster.local." for ask in (HEADLESS, SPREAD, LOCAL))
_ROOT_SOA = "a.root-servers.net. nstld.verisign-grs.com. 2024010100 1800 900 604800 86400"
_CLUSTER_SOA = "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30"


def _no_forwarder(office: Office) -> None:
    office.dns.zones.remove(_ZONE)


def _no_forwarder_nor_internet(office: Office) -> None:
    office.dns.zones.remove(_ZONE)
    office.dns.settings.root_hints = "silent"


def _forward_to(office: Office, *masters: str) -> None:
    office.dns.zones.put(Zone(name=_ZONE, masters=list(masters)))


def _remember_missing(office: Office, owner: str, soa: str) -> None:
    record = dns.rrset.from_text(owner, 900, "IN", "SOA", soa)
    for name in _NAMES:
        office.dns.cache.put_negative(dns.name.from_text(name), dns.rdatatype.A, dns.rcode.NXDOMAIN, record)


def _remember_old(office: Office) -> None:
    for name in _NAMES:
        office.dns.cache.put(dns.rrset.from_text(name, 900, "IN", "A", "10.68.0.199"))


def _stop(office: Office) -> None:
    office.dns.settings.dns_service = "stopped"


async def _nobody_listens(office: Office) -> None:
    await office.ground.stop_dns_server()


def _own_zone(office: Office) -> None:
    office.dns.zones.remove(_ZONE)
    office.dns.zones.put(Zone(name=_ZONE, type="Primary", records=["redis-abc-gns 300 A 172.16.0.20"]))


def _own_record(office: Office) -> None:
    name = f"{HEADLESS}.svc.cluster.local"
    office.dns.zones.put(Zone(name=name, type="Primary", records=["@ 300 A 172.16.0.20"]))


def _no_dns_pods(office: Office) -> None:
    office.cluster.set_ready("kube-system", "kube-dns", False)


async def _dns_process_dead(office: Office) -> None:
    await office.ground.stop_coredns()


def _corefile_empty(office: Office) -> None:
    office.cluster.corefile = ".:53 {\n    errors\n    forward . /etc/resolv.conf\n}\n"


def _corefile_other_domain(office: Office) -> None:
    office.cluster.corefile = office.cluster.corefile.replace("cluster.local", "qa.example")


def _moved(office: Office) -> None:
    """Somebody made kube-dns anew, and it got another address."""
    office.cluster.store.patch(
        SERVICES, "kube-system", "kube-dns", {"spec": {"clusterIP": "10.68.0.3", "clusterIPs": ["10.68.0.3"]}}
    )


def _udp_only(office: Office) -> None:
    document = office.cluster.store.get(SERVICES, "kube-system", "kube-dns")
    assert document is not None
    ports = [port for port in document["spec"]["ports"] if port["protocol"] == "UDP"]
    office.cluster.store.patch(SERVICES, "kube-system", "kube-dns", {"spec": {"ports": ports}})


def _moved_service(office: Office) -> None:
    """The service got another address while the DNS server still remembers the old one."""
    for name, old in (("web-abc", "10.68.0.80"), ("redis-abc", "10.68.0.50")):
        office.dns.cache.put(dns.rrset.from_text(f"{name}.{_ZONE}.", 900, "IN", "A", old))
        new = old.replace("10.68.0", "10.68.3")
        office.cluster.store.patch(SERVICES, "default", name, {"spec": {"clusterIP": new, "clusterIPs": [new]}})


DNS: tuple[Fault, ...] = (
    Fault("no forwarder", "K8SNET-DNS-01", "forwarder", _no_forwarder),
    Fault("no forwarder and no internet", "K8SNET-DNS-01", "forwarder", _no_forwarder_nor_internet),
    Fault("forwarder to an unused address", "K8SNET-DNS-09", "forwarder", lambda o: _forward_to(o, "10.68.0.99")),
    Fault("forwarder to a stranger", "K8SNET-DNS-09", "forwarder", lambda o: _forward_to(o, "192.0.2.53")),
    Fault("forwarder to another service", "K8SNET-DNS-09", "forwarder", lambda o: _forward_to(o, "10.68.0.80")),
    Fault(
        "forwarder asks a dead master first",
        "K8SNET-DNS-04",
        "forwarder",
        lambda o: _forward_to(o, "10.68.0.98", "10.68.0.2"),
    ),
    Fault(
        "an old 'no' of the root is remembered",
        "K8SNET-DNS-02",
        "dns-cache",
        lambda o: _remember_missing(o, ".", _ROOT_SOA),
    ),
    Fault(
        "an old 'no' of the cluster is remembered",
        "K8SNET-DNS-16",
        "dns-cache",
        lambda o: _remember_missing(o, "cluster.local.", _CLUSTER_SOA),
    ),
    Fault("an old address is remembered", "K8SNET-DNS-08", "dns-cache", _remember_old),
    Fault("the service moved, DNS remembers", "K8SNET-DNS-08", "service", _moved_service, (SPREAD, LOCAL)),
    Fault("DNS service stopped", "K8SNET-DNS-05", "dns-server", _stop),
    Fault("nobody listens on the DNS server", "K8SNET-DNS-05", "dns-server", _nobody_listens),
    Fault("a zone of its own", "K8SNET-DNS-11", "forwarder", _own_zone),
    Fault("a record of its own", "K8SNET-DNS-08", "dns-record", _own_record, (HEADLESS,)),
    Fault("no CoreDNS pod ready", "K8SNET-DNS-12", "coredns", _no_dns_pods),
    Fault("CoreDNS dead, its pods ready", "K8SNET-DNS-06", "coredns", _dns_process_dead),
    Fault("CoreDNS without the cluster's zone", "K8SNET-DNS-13", "coredns", _corefile_empty),
    Fault("CoreDNS for another domain", "K8SNET-DNS-13", "coredns", _corefile_other_domain),
    Fault("kube-dns has a new address", "K8SNET-DNS-19", "kube-dns", _moved),
    Fault("kube-dns without TCP", "K8SNET-DNS-15", "kube-dns", _udp_only),
)
