"""Rows about names: the office's DNS servers, their forwarders and caches, kube-dns behind them."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

from bot.model.causes.row import Row
from bot.model.causes.signals import (
    ANSWERED,
    allowed,
    cut_off,
    denied,
    direct_works,
    foreign,
    from_cluster,
    negative,
    proven,
    right,
    silent,
    spoke,
    tested,
)
from bot.model.describe import dns_line, held_line
from bot.model.diagnosis import DnsEvidence, Evidence
from bot.model.probes import DnsAnswer
from bot.model.wording import listed, marked, tr

Says = Callable[[Evidence, DnsEvidence], Sequence[str]]


def _each(says: Says, exposed_only: bool = True) -> Callable[[Evidence], Sequence[str]]:
    """A row about single servers: applies when it applies to any."""

    def applies(e: Evidence) -> Sequence[str]:
        if (exposed_only and not e.exposed) or (e.service is not None and e.service.external_name):
            return ()
        return [line for server in e.servers for line in says(e, server)]

    return applies


def _asked(s: DnsEvidence, *answers: DnsAnswer | None) -> list[str]:
    return [f"{s.server}: {dns_line(answer)}" for answer in answers if answer is not None]


def _stopped(s: DnsEvidence) -> bool:
    """The server itself does not answer, not even what it needs nobody for."""
    if any(spoke(answer) for answer in (s.udp, s.fresh, s.local)):
        return False
    if s.udp is not None and s.udp.outcome in ("refused", "unreachable", "malformed"):
        return True
    may_ask = s.reach is not None and s.reach.allowed is True
    return may_ask and s.local is not None and silent(s.local)


def _server_down(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    return _asked(s, s.udp, s.local) if _stopped(s) and not cut_off(e) else ()


def _server_refuses(_: Evidence, s: DnsEvidence) -> Sequence[str]:
    return _asked(s, s.udp) if s.udp and s.udp.outcome == "refused-rcode" else ()


def _forwarder_missing(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    if proven(e, s) or from_cluster(s.fresh, e.domain):
        return ()
    if s.forwards_to == () and not _stopped(s):
        assert s.forwarder is not None  # or it would not be known to be empty
        return [*_asked(s, s.udp), held_line(s.forwarder)]
    if s.forwards_to is None and foreign(s.udp, e.domain) and foreign(s.fresh, e.domain):
        return [] if s.forwarder and s.forwarder.problem else _asked(s, s.udp, s.fresh)
    return ()


def _wrong_target(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    """The forwarder sends questions elsewhere than to kube-dns, also when a cache still hides it."""
    if not s.forwards_to or e.kube_dns is None or e.kube_dns in s.forwards_to or proven(e, s):
        return ()
    return [
        tr(
            "{server} forwards to {masters}, kube-dns is {address}",
            server=s.server,
            masters=listed(s.forwards_to),
            address=e.kube_dns,
        ),
        *_asked(s, s.udp, s.fresh),
    ]


def _other_zone(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    if s.forwarder is None or not s.forwarder.problem or proven(e, s):
        return ()
    return [f"{s.server}: {s.forwarder.problem}", *_asked(s, s.udp)]


def _stale_negative(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    if foreign(s.udp, e.domain) and from_cluster(s.fresh, e.domain):
        return _asked(s, s.udp, s.fresh)
    return ()


def _late_negative(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    if from_cluster(s.udp, e.domain) and e.expected and any(right(e, answer) for answer in e.direct):
        return [*_asked(s, s.udp), *(dns_line(answer) for answer in e.direct)]
    return ()


def _resolves_elsewhere(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    if not e.expected or s.udp is None or s.udp.outcome != "answer" or right(e, s.udp):
        return ()
    if s.udp.truncated and not s.udp.addresses:
        return ()
    return [*_asked(s, s.udp), tr("the cluster says {addresses}", addresses=listed(e.expected))]


def _unanswered(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    """The server is up, may ask, knows whom to ask, and still gets nothing, while kube-dns answers us."""
    if not (silent(s.udp) or silent(s.fresh)) or from_cluster(s.fresh, e.domain) or not spoke(s.local):
        return ()
    if not e.readable or not direct_works(e):
        return ()
    if (s.reach and denied(e, s.reach)) or not allowed(e, s.policy_udp):
        return ()
    if s.forwards_to == () or (s.forwards_to and e.kube_dns not in s.forwards_to):
        return ()
    return [*_asked(s, s.udp, s.fresh), *(dns_line(answer) for answer in e.direct)]


def _answer_not_taken(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    """The server gets kube-dns' answer for another name of the zone now, and none for this one, which we do get."""
    if not silent(s.udp) or not from_cluster(s.fresh, e.domain):
        return ()
    if not any(right(e, answer) for answer in e.direct):
        return ()
    return [*_asked(s, s.udp, s.fresh), *(dns_line(answer) for answer in e.direct)]


def _dns_pods_missing(e: Evidence) -> Sequence[str]:
    if e.kube_dns_ready != 0 or direct_works(e):
        return ()
    return (tr("the API has no ready endpoint for kube-dns"), *(dns_line(answer) for answer in e.direct))


def _not_synchronised(e: Evidence) -> Sequence[str]:
    if direct_works(e):
        return ()
    return [dns_line(answer) for answer in e.direct if answer.outcome == "servfail"]


def _kube_dns_silent(e: Evidence) -> Sequence[str]:
    """Other services answer over the same way, kube-dns does not."""
    if not e.direct or any(spoke(answer) for answer in e.direct) or not e.kube_dns_ready:
        return ()
    refused = any(answer.outcome == "refused" for answer in e.direct)
    others = [one for one in tested(e) if one.kind == "service" and one.answer.address != e.kube_dns]
    if not refused and not any(one.answered for one in others):
        return ()
    return [dns_line(answer) for answer in e.direct]


def _dns_lags(e: Evidence) -> Sequence[str]:
    if not e.readable or not e.expected or e.address is not None:
        return ()
    if any(right(e, answer) for answer in e.direct):
        return ()
    wrong = [answer for answer in e.direct if negative(answer) or answer.outcome == "answer"]
    if not wrong:
        return ()
    return [*map(dns_line, wrong), tr("the API says {addresses}", addresses=listed(e.expected))]


def _unproven(e: Evidence, s: DnsEvidence) -> Sequence[str]:
    return () if proven(e, s) or not e.expected else _asked(s, s.udp, s.fresh)


def _one_transport(e: Evidence) -> Sequence[str]:
    """kube-dns has one transport only, says the API; or answers us over one only, though the firewall lets both
    through."""
    has = e.kube_dns_transports
    if has is not None and e.address is None and not {"UDP", "TCP"} <= set(has):
        ports = listed(f"53/{protocol}" for protocol in has) or tr("none")
        said = tr("the API lists these DNS ports of service kube-dns: {ports}", ports=ports)
        return [said, *(dns_line(answer) for answer in e.direct)]
    by_transport = {answer.transport: answer for answer in e.direct}
    udp, tcp = by_transport.get("udp"), by_transport.get("tcp")
    if udp is None or tcp is None or spoke(udp) == spoke(tcp):
        return ()
    if tcp.outcome != "refused" and not _may_ask(e, udp.server):
        return ()
    return [dns_line(answer) for answer in (udp, tcp)]


def _may_ask(e: Evidence, server: IPv4Address) -> bool:
    answers = [sample for sample in e.samples if sample.answer.address == server and allowed(e, sample.policy)]
    return any(sample.answer.outcome in ANSWERED for sample in answers)


DNS: tuple[Row, ...] = (
    Row(
        "K8SNET-DNS-05",
        "office DNS",
        _each(_server_down, exposed_only=False),
        "the DNS server answers nothing, not even a name that it knows by itself, and the firewall lets the office ask",
        marked("the office DNS server does not answer"),
        marked("Look at the DNS server and its DNS service."),
    ),
    Row(
        "K8SNET-DNS-14",
        "office DNS",
        _each(_server_refuses),
        "the DNS server answers REFUSED",
        marked("the office DNS server refuses to answer this host"),
        marked("Allow queries from the office's networks on the DNS server."),
    ),
    Row(
        "K8SNET-DNS-11",
        "office DNS",
        _each(_other_zone),
        "the DNS server holds another kind of zone where the forwarder should be, or one above or below it",
        marked("a zone of the DNS server's own answers in place of the cluster"),
        marked("Remove that zone, or the part of it that lies in the cluster's domain."),
    ),
    Row(
        "K8SNET-DNS-01",
        "office DNS",
        _each(_forwarder_missing),
        "the DNS server has no forwarder for the zone; or, where that could not be read, a fresh name gets a negative "
        "answer that is not the cluster's",
        marked("the DNS server has no conditional forwarder for this zone"),
        marked("Apply the exposure again."),
        fix="expose",
    ),
    Row(
        "K8SNET-DNS-09",
        "office DNS",
        _each(_wrong_target),
        "the forwarder's masters do not have kube-dns' address among them, and names do not resolve",
        marked("the DNS server forwards to another address than kube-dns"),
        marked("Apply the exposure again: it sets the address that kube-dns has now."),
        fix="expose",
    ),
    Row(
        "K8SNET-DNS-02",
        "office DNS",
        _each(_stale_negative, exposed_only=False),
        "the name gets a negative answer that is not the cluster's, a fresh name below the same zone one that is",
        marked("the DNS server remembers that the name did not exist"),
        marked("Clear the DNS server's cache, or wait up to 15 minutes; then `ipconfig /flushdns` on the machines."),
        fix="clear DNS cache",
    ),
    Row(
        "K8SNET-DNS-12",
        "cluster",
        _dns_pods_missing,
        "kube-dns gives no right answer, and the API has no ready endpoint for it",
        marked("no CoreDNS pod is ready"),
        marked("Look at the CoreDNS pods in kube-system."),
    ),
    Row(
        "K8SNET-DNS-13",
        "cluster",
        _not_synchronised,
        "kube-dns answers SERVFAIL",
        marked("CoreDNS cannot answer: it has not been able to read the cluster's API since it started"),
        marked("Look at the logs of CoreDNS and at the API server."),
    ),
    Row(
        "K8SNET-DNS-18",
        "cluster",
        _dns_lags,
        "kube-dns answers, but not with the addresses that the API has",
        marked("CoreDNS does not know what the cluster's API knows"),
        marked("Look at CoreDNS: its Corefile, its logs, whether it still watches the API."),
    ),
    Row(
        "K8SNET-DNS-06",
        "cluster",
        _kube_dns_silent,
        "kube-dns gives no answer, has ready endpoints, and other services answer over the same way or it refuses",
        marked("kube-dns does not answer, although the way to it works"),
        marked("Look at the CoreDNS pods, a node-local DNS cache on the gateway, and network policies in kube-system."),
    ),
    Row(
        "K8SNET-DNS-16",
        "office DNS",
        _each(_late_negative, exposed_only=False),
        "the name gets a negative answer with the cluster's SOA, while kube-dns knows the name",
        marked("the DNS server still remembers the cluster's own earlier answer that the name does not exist"),
        marked("Wait half a minute, or clear the DNS server's cache."),
        fix="check again",
    ),
    Row(
        "K8SNET-DNS-08",
        "office DNS",
        _each(_resolves_elsewhere, exposed_only=False),
        "the name resolves to addresses of which the cluster knows none",
        marked("the name resolves to an address that the cluster does not know"),
        marked("Clear the DNS server's cache; if it stays, look for an old record or a zone of that name."),
        fix="clear DNS cache",
    ),
    Row(
        "K8SNET-DNS-04",
        "office DNS",
        _each(_unanswered),
        "the DNS server answers for itself but not for the zone, the firewall lets it ask, the forwarder is right, and "
        "kube-dns answers this host",
        marked("the DNS server gets no answer from kube-dns"),
        marked(
            "Look at the way back from the nodes to the DNS server, and whether the server has marked kube-dns as dead."
        ),
    ),
    Row(
        "K8SNET-DNS-20",
        "office DNS",
        _each(_answer_not_taken),
        "the DNS server gets no answer for this name, but one for another name of the zone, and kube-dns knows this "
        "one",
        marked("the DNS server does not get on with kube-dns' answer for this name, though it does for others"),
        marked(
            "Large answers need TCP 53 from the DNS server to kube-dns, and some servers refuse names with more than "
            "100 addresses: use a service with an address of its own."
        ),
    ),
    Row(
        "K8SNET-DNS-15",
        "cluster",
        _one_transport,
        "service kube-dns has port 53 for one transport only; or kube-dns answers over one only, and the firewall lets "
        "both through",
        marked("kube-dns answers over UDP or over TCP, but not over both"),
        marked("Look at the CoreDNS pods one by one, and at the ports of service kube-dns."),
    ),
)

DNS_SYMPTOMS: tuple[Row, ...] = (
    Row(
        "K8SNET-DNS-17",
        "office DNS",
        _each(_unproven),
        "the name does not resolve as the cluster says, or only from a cache, and no cause is seen",
        marked("the name does not resolve"),
        marked("See what could not be asked; check again when it can."),
        symptom=True,
    ),
)
