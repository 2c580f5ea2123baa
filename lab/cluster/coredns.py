"""A stand-in for CoreDNS: what a server with the cluster's Corefile answers.

Follows coredns/coredns:plugin/kubernetes/handler.go and plugin/backend_lookup.go record by record. There is nobody to
forward to in the lab: a name that the Corefile forwards is answered as when the upstream is silent, with SERVFAIL.
"""

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from lab.cluster.corefile import KubernetesPlugin, ServerBlock, parse
from lab.cluster.dns_backend import NO_PORT, Answer, Backend, NameNotFound, View
from lab.cluster.model import Cluster

SCHEMA_VERSION = "1.1.0"
_VERSION_TTL = 28800
_MAX_CNAMES = 10
_TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)


class CoreDNS:
    """Answers from its own copy of the cluster; the copy is renewed as long as the API serves."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._view: View | None = None
        self._serial = 0

    def restart(self) -> None:
        """Forget the copy: until the API serves again, unknown names are SERVFAIL."""
        self._view = None

    def respond(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The response to a query; None when the message is not worth one."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR:
            return None
        response = self.answer(query)
        size = 65535
        if udp:
            size = max(512, query.payload) if query.edns >= 0 else 512
        return response.to_wire(max_size=size, prefer_truncation=True)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The whole response, before truncation."""
        response = dns.message.make_response(query, our_payload=max(512, query.payload))
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP if len(query.question) == 1 else dns.rcode.FORMERR)
            return response
        question = query.question[0]
        block = self._block(question.name)
        if block is None or question.rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        plugin = block.kubernetes
        zone = _most_specific(plugin.zones, question.name) if plugin else None
        if plugin is None or zone is None:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        self._refresh()
        _Lookup(plugin, Backend(plugin, self._view), zone, question, self._serial).fill(response)
        return response

    def _block(self, name: dns.name.Name) -> ServerBlock | None:
        found = [
            (zone, block)
            for block in parse(self._cluster.corefile)
            if (zone := _most_specific(block.zones, name)) is not None
        ]
        return max(found, key=lambda pair: len(pair[0]))[1] if found else None

    def _refresh(self) -> None:
        if not self._cluster.api_serving:
            return
        if self._view is None or self._view.outdated():
            self._view = View(self._cluster)
            self._serial = int(self._cluster.clock.now().timestamp())


class _Lookup:
    """One question to the kubernetes plugin."""

    def __init__(
        self,
        plugin: KubernetesPlugin,
        backend: Backend,
        zone: dns.name.Name,
        question: dns.rrset.RRset,
        serial: int,
    ) -> None:
        self._plugin = plugin
        self._backend = backend
        # Answers keep the case of the question.
        self._zone = dns.name.Name(question.name.labels[-len(zone.labels) :])
        self._name = question.name
        self._type = question.rdtype
        self._serial = serial
        self._answer: list[dns.rrset.RRset] = []
        self._additional: list[dns.rrset.RRset] = []

    def fill(self, response: dns.message.Message) -> None:
        if self._type in _TRANSFERS:
            response.set_rcode(dns.rcode.REFUSED)
            return
        try:
            self._look_up()
        except NameNotFound:
            if self._falls_through():
                response.set_rcode(dns.rcode.SERVFAIL)
                return
            known = self._backend.synchronised
            response.set_rcode(dns.rcode.NXDOMAIN if known else dns.rcode.SERVFAIL)
        response.flags |= dns.flags.AA
        if not self._answer:
            response.authority = [self._soa()]
        response.answer = self._answer
        response.additional = self._additional

    def _look_up(self) -> None:
        match self._type:
            case dns.rdatatype.A | dns.rdatatype.AAAA:
                self._addresses(self._name, self._services(self._name), [])
            case dns.rdatatype.SRV:
                self._srv()
            case dns.rdatatype.TXT:
                self._txt()
            case dns.rdatatype.PTR:
                self._ptr()
            case dns.rdatatype.CNAME:
                self._cname()
            case dns.rdatatype.SOA if self._name == self._zone:
                self._answer.append(self._soa())
            case dns.rdatatype.NS if self._name == self._zone:
                self._ns()
            case dns.rdatatype.SOA:
                pass  # below the apex: no data, whether the name exists or not
            case _:
                self._services(self._name)

    def _services(self, name: dns.name.Name) -> list[Answer]:
        relative = self._relative(name)
        if relative == "ns.dns":
            return self._backend.own_services()
        return self._backend.records(relative)

    def _addresses(self, name: dns.name.Name, answers: list[Answer], chain: list[dns.name.Name]) -> None:
        """A or AAAA records, following ExternalName inside the zone."""
        family = 4 if self._type == dns.rdatatype.A else 6
        hosts = dict.fromkeys(a.host for a in answers if a.address and a.address.version == family)
        for host in hosts:
            self._add(name, self._type, host)
        for answer in answers:
            if answer.address is None:
                self._follow(name, dns.name.from_text(answer.host), chain)

    def _follow(self, name: dns.name.Name, target: dns.name.Name, chain: list[dns.name.Name]) -> None:
        if target in [name, *chain] or len(chain) > _MAX_CNAMES:
            return
        if not target.is_subdomain(self._zone):
            self._add(name, dns.rdatatype.CNAME, target.to_text())
            return
        position = len(self._answer)
        try:
            self._addresses(target, self._services(target), [*chain, name])
        except NameNotFound:
            return
        if len(self._answer) > position:
            self._answer.insert(position, self._record(name, dns.rdatatype.CNAME, target.to_text()))

    def _srv(self) -> None:
        answers = [a for a in self._services(self._name) if a.address is not None]
        weight = max(1, 100 // len(answers)) if answers else 0
        for answer in dict.fromkeys(answers):
            if answer.port == NO_PORT:
                continue
            target = self._absolute(answer.target)
            self._add(self._name, dns.rdatatype.SRV, f"0 {weight} {answer.port} {target}")
            kind = dns.rdatatype.A if answer.address and answer.address.version == 4 else dns.rdatatype.AAAA
            record = self._record(dns.name.from_text(target), kind, answer.host)
            if record not in self._additional:
                self._additional.append(record)

    def _txt(self) -> None:
        if self._relative(self._name) == "dns-version":
            text = dns.rrset.from_text(self._name, _VERSION_TTL, "IN", "TXT", f'"{SCHEMA_VERSION}"')
            self._answer.append(text)
            return
        self._services(self._name)

    def _ptr(self) -> None:
        try:
            address = dns.reversename.to_address(self._name)
        except (dns.exception.DNSException, ValueError):
            self._services(self._name)
            return
        zones = self._plugin.zones
        primary = next((zone for zone in zones if not zone.endswith("arpa.")), zones[0])
        for name in dict.fromkeys(self._backend.reverse(address)):
            self._add(self._name, dns.rdatatype.PTR, f"{name}.{primary}")

    def _cname(self) -> None:
        answers = self._services(self._name)
        if answers and answers[0].address is None:
            self._add(self._name, dns.rdatatype.CNAME, f"{answers[0].host.rstrip('.')}.")

    def _ns(self) -> None:
        for answer in self._backend.own_services():
            target = self._absolute(answer.target)
            self._add(self._name, dns.rdatatype.NS, target)
            self._additional.append(self._record(dns.name.from_text(target), dns.rdatatype.A, answer.host))

    def _falls_through(self) -> bool:
        zones = self._plugin.fallthrough
        return zones is not None and (not zones or _most_specific(zones, self._name) is not None)

    def _relative(self, name: dns.name.Name) -> str:
        relative = name.relativize(self._zone)
        return "" if relative == dns.name.empty else relative.to_text().lower()

    def _absolute(self, relative: str) -> str:
        return f"{relative}.{self._zone.to_text()}"

    def _record(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, text: str) -> dns.rrset.RRset:
        return dns.rrset.from_text(name, self._plugin.ttl, dns.rdataclass.IN, kind, text)

    def _add(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, text: str) -> None:
        self._answer.append(self._record(name, kind, text))

    def _soa(self) -> dns.rrset.RRset:
        zone, ttl = self._zone.to_text(), self._plugin.ttl
        text = f"ns.dns.{zone} hostmaster.{zone} {self._serial} 7200 1800 86400 {ttl}"
        return dns.rrset.from_text(self._zone, min(ttl, 300), "IN", "SOA", text)


def _most_specific(zones: tuple[str, ...], name: dns.name.Name) -> dns.name.Name | None:
    found = [zone for zone in map(dns.name.from_text, zones) if name.is_subdomain(zone)]
    return max(found, key=len, default=None)
