"""CoreDNS' answers, asked with dnspython over UDP and TCP."""

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from lab.cluster import article
from lab.cluster.corefile import CorefileError, parse
from lab.cluster.model import SERVICES, SLICES
from lab.cluster.serving import Running
from tests.lab.cluster.clients import READER

DOMAIN = "cluster.local."
DEFAULT = f"default.svc.{DOMAIN}"


async def ask(lab: Running, name: str, kind: str = "A", *, tcp: bool = False, edns: int | None = 1232):
    query = dns.message.make_query(name, kind, use_edns=edns is not None, payload=edns or 0)
    send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    host, port = lab.dns.address
    return await send(query, host, port=port, timeout=10)


def answers(response) -> list[tuple[str, str]]:
    return sorted((dns.rdatatype.to_text(r.rdtype), r.to_text()) for rrset in response.answer for r in rrset)


def corefile(lab: Running, *changes: tuple[str, str]) -> None:
    for old, new in changes:
        assert old in lab.cluster.corefile
        lab.cluster.corefile = lab.cluster.corefile.replace(old, new)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (f"redis-abc.{DEFAULT}", "A", [("A", "10.68.0.50")]),
        (f"empty-abc.{DEFAULT}", "A", [("A", "10.68.0.99")]),
        (f"redis-abc-gns.{DEFAULT}", "A", [("A", "172.20.4.222")]),
        (f"orders-db.qa-orders.svc.{DOMAIN}", "A", [("A", "172.20.2.61"), ("A", "172.20.6.61")]),
        (f"orders-db-1.orders-db.qa-orders.svc.{DOMAIN}", "A", [("A", "172.20.6.61")]),
        (f"172-20-4-222.redis-abc-gns.{DEFAULT}", "A", [("A", "172.20.4.222")]),
        (f"172-20-3-23.redis-abc.{DEFAULT}", "A", [("A", "172.20.3.23")]),
        (f"registry-abc.{DEFAULT}", "A", [("CNAME", "registry.office.example.")]),
        (f"registry-abc.{DEFAULT}", "CNAME", [("CNAME", "registry.office.example.")]),
        (f"10-9-8-7.default.pod.{DOMAIN}", "A", [("A", "10.9.8.7")]),
        (f"dns-version.{DOMAIN}", "TXT", [("TXT", '"1.1.0"')]),
        (f"_redis._tcp.redis-abc.{DEFAULT}", "SRV", [("SRV", f"0 100 6379 redis-abc.{DEFAULT}")]),
        (f"_dns._udp.kube-dns.kube-system.svc.{DOMAIN}", "SRV", [
            ("SRV", f"0 100 53 kube-dns.kube-system.svc.{DOMAIN}"),
        ]),
        (f"ns.dns.{DOMAIN}", "A", [("A", "10.68.0.2")]),
        (DOMAIN, "NS", [("NS", f"kube-dns.kube-system.svc.{DOMAIN}")]),
        ("1.0.68.10.in-addr.arpa.", "PTR", [("PTR", f"kubernetes.{DEFAULT}")]),
        ("222.4.20.172.in-addr.arpa.", "PTR", [("PTR", f"172-20-4-222.redis-abc-gns.{DEFAULT}")]),
    ],
)  # fmt: skip
async def test_names_that_exist(lab, name, kind, expected, tcp):
    response = await ask(lab, name, kind, tcp=tcp)
    assert (response.rcode(), answers(response)) == (dns.rcode.NOERROR, expected)
    assert response.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        (f"redis-abc.{DEFAULT}", "AAAA", "NOERROR"),
        (f"redis-abc.{DEFAULT}", "MX", "NOERROR"),
        (f"redis-abc.{DEFAULT}", "TXT", "NOERROR"),
        (f"registry-abc.{DEFAULT}", "SRV", "NOERROR"),
        (DOMAIN, "A", "NOERROR"),
        (f"svc.{DOMAIN}", "A", "NOERROR"),
        (f"pod.{DOMAIN}", "A", "NOERROR"),
        (DEFAULT, "A", "NOERROR"),
        (f"default.pod.{DOMAIN}", "A", "NOERROR"),
        (f"nowhere.svc.{DOMAIN}", "A", "NXDOMAIN"),
        (f"redis-abc.nowhere.svc.{DOMAIN}", "A", "NXDOMAIN"),
        (f"nothing.{DEFAULT}", "A", "NXDOMAIN"),
        (f"_smtp._tcp.redis-abc.{DEFAULT}", "SRV", "NXDOMAIN"),
        (f"172-20-3-99.redis-abc.{DEFAULT}", "A", "NXDOMAIN"),
        (f"a.b.c.redis-abc.{DEFAULT}", "A", "NXDOMAIN"),
        (f"10-9-8-7.nowhere.pod.{DOMAIN}", "A", "NXDOMAIN"),
        (f"no-address.default.pod.{DOMAIN}", "A", "NXDOMAIN"),
        (f"something.{DOMAIN}", "A", "NXDOMAIN"),
        (f"dns-version.{DOMAIN}", "A", "NXDOMAIN"),
    ],
)
async def test_negative_answers_carry_the_soa_of_the_zone(lab, name, kind, rcode):
    response = await ask(lab, name, kind)
    assert (dns.rcode.to_text(response.rcode()), response.answer) == (rcode, [])
    (soa,) = response.authority
    assert (soa.name.to_text(), soa.ttl, soa[0].minimum) == (DOMAIN, 30, 30)
    assert soa[0].mname.to_text() == f"ns.dns.{DOMAIN}"


async def test_a_headless_service_without_ready_endpoints_does_not_exist(lab):
    lab.cluster.set_ready("default", article.REDIS, False)
    response = await ask(lab, f"{article.REDIS}.{DEFAULT}")
    assert response.rcode() == dns.rcode.NXDOMAIN


async def test_answers_keep_the_case_of_the_question(lab):
    response = await ask(lab, "Redis-ABC.default.svc.Cluster.Local.")
    assert response.answer[0].name.to_text() == "Redis-ABC.default.svc.Cluster.Local."


async def test_srv_brings_the_addresses_along(lab):
    response = await ask(lab, f"_redis._tcp.orders-db.qa-orders.svc.{DOMAIN}", "SRV")
    assert [r.target.to_text().split(".")[0] for rrset in response.answer for r in rrset] == [
        "orders-db-0",
        "orders-db-1",
    ]
    assert {r.address for rrset in response.additional for r in rrset} == {"172.20.2.61", "172.20.6.61"}


@pytest.mark.parametrize("name", ["www.example.com.", "9.9.68.10.in-addr.arpa."])
async def test_what_would_be_forwarded_fails_for_want_of_an_upstream(lab, name):
    response = await ask(lab, name)
    assert (response.rcode(), response.authority) == (dns.rcode.SERVFAIL, [])


async def test_names_outside_every_server_block_are_refused(lab):
    corefile(lab, (".:53 {", "cluster.local:53 {"))
    assert (await ask(lab, "www.example.com.")).rcode() == dns.rcode.REFUSED
    assert (await ask(lab, f"redis-abc.{DEFAULT}")).rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
async def test_transfers_are_refused(lab, kind):
    # A transfer query cannot be sent by dnspython's query functions, so it goes to the server's own entry.
    wire = lab.coredns.respond(dns.message.make_query(DOMAIN, kind).to_wire(), udp=False)
    assert dns.message.from_wire(wire).rcode() == dns.rcode.REFUSED


def _grow(lab: Running, count: int) -> None:
    (document,) = lab.cluster.slices("default", article.REDIS)
    endpoints = [
        {"addresses": [f"172.20.4.{n}"], "conditions": {"ready": True}, "nodeName": "k8s-qa-node-03"}
        for n in range(1, count + 1)
    ]
    lab.cluster.store.put({**document, "endpoints": endpoints})


@pytest.mark.parametrize(("edns", "fits"), [(None, 28), (1232, 72)])
async def test_large_answers_are_truncated_to_what_the_client_takes(lab, edns, fits):
    name = f"{article.REDIS}.{DEFAULT}"
    _grow(lab, 90)
    response = await ask(lab, name, edns=edns)
    assert response.flags & dns.flags.TC
    assert len(response.to_wire()) <= (edns or 512)
    _grow(lab, fits - 1)
    assert not (await ask(lab, name, edns=edns)).flags & dns.flags.TC


async def test_tcp_brings_the_whole_answer(lab):
    _grow(lab, 199)
    response = await ask(lab, f"{article.REDIS}.{DEFAULT}", tcp=True)
    assert (len(answers(response)), response.flags & dns.flags.TC) == (199, 0)


@pytest.mark.parametrize("edns", [None, 1232])
async def test_edns_is_answered_with_edns(lab, edns):
    response = await ask(lab, f"redis-abc.{DEFAULT}", edns=edns)
    assert (response.edns, response.payload) == ((0, 1232) if edns else (-1, 0))


async def test_before_the_first_synchronisation_unknown_names_fail(lab):
    await lab.api.stop()
    lab.coredns.restart()
    assert (await ask(lab, f"redis-abc.{DEFAULT}")).rcode() == dns.rcode.SERVFAIL
    assert (await ask(lab, f"dns-version.{DOMAIN}", "TXT")).rcode() == dns.rcode.NOERROR
    await lab.api.start()
    assert (await ask(lab, f"redis-abc.{DEFAULT}")).rcode() == dns.rcode.NOERROR


async def test_without_the_api_answers_grow_old(lab):
    name = f"redis-abc.{DEFAULT}"
    assert answers(await ask(lab, name))
    await lab.api.stop()
    lab.cluster.store.delete(SERVICES, "default", "redis-abc")
    assert answers(await ask(lab, name)) == [("A", "10.68.0.50")]
    await lab.api.start()
    assert (await ask(lab, name)).rcode() == dns.rcode.NXDOMAIN


async def test_pods_verified_answers_only_for_pods_that_exist(lab):
    corefile(lab, ("pods insecure", "pods verified"))
    assert answers(await ask(lab, f"172-20-4-222.default.pod.{DOMAIN}")) == [("A", "172.20.4.222")]
    assert (await ask(lab, f"10-9-8-7.default.pod.{DOMAIN}")).rcode() == dns.rcode.NXDOMAIN


async def test_pods_disabled_knows_no_pod(lab):
    corefile(lab, ("pods insecure", "pods disabled"))
    assert (await ask(lab, f"172-20-4-222.default.pod.{DOMAIN}")).rcode() == dns.rcode.NXDOMAIN


async def test_without_a_ttl_option_records_live_five_seconds(lab):
    corefile(lab, ("ttl 30", ""))
    assert (await ask(lab, f"redis-abc.{DEFAULT}")).answer[0].ttl == 5


async def test_ignore_empty_service_hides_services_without_endpoints(lab):
    corefile(lab, ("ttl 30", "ttl 30\n        ignore empty_service"))
    assert (await ask(lab, f"empty-abc.{DEFAULT}")).rcode() == dns.rcode.NXDOMAIN
    assert (await ask(lab, f"redis-abc.{DEFAULT}")).rcode() == dns.rcode.NOERROR


async def test_fallthrough_without_zones_sends_unknown_cluster_names_away(lab):
    corefile(lab, ("fallthrough in-addr.arpa ip6.arpa", "fallthrough"))
    assert (await ask(lab, f"nothing.{DEFAULT}")).rcode() == dns.rcode.SERVFAIL


async def test_an_external_name_inside_the_cluster_is_followed(lab):
    spec = {"spec": {"externalName": f"redis-abc.{DEFAULT}"}}
    lab.cluster.store.patch(SERVICES, "default", "registry-abc", spec)
    response = await ask(lab, f"registry-abc.{DEFAULT}")
    assert answers(response) == [("A", "10.68.0.50"), ("CNAME", f"redis-abc.{DEFAULT}")]


async def test_external_names_that_point_at_each_other_end(lab):
    for one, other in (("a", "b"), ("b", "a")):
        spec = {"type": "ExternalName", "externalName": f"{other}.{DEFAULT}"}
        lab.cluster.store.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": one}, "spec": spec})
    response = await ask(lab, f"a.{DEFAULT}")
    assert (response.rcode(), response.answer) == (dns.rcode.NOERROR, [])


async def test_a_service_without_ports_has_addresses_and_no_srv(lab):
    (document,) = lab.cluster.slices("default", article.REDIS)
    lab.cluster.store.put({**document, "ports": []})
    assert answers(await ask(lab, f"{article.REDIS}.{DEFAULT}")) == [("A", "172.20.4.222")]
    assert (await ask(lab, f"{article.REDIS}.{DEFAULT}", "SRV")).answer == []


async def test_noise_is_not_answered_and_harms_nobody(lab):
    assert lab.coredns.respond(b"noise", udp=True) is None
    response = dns.message.make_response(dns.message.make_query(DOMAIN, "A"))
    assert lab.coredns.respond(response.to_wire(), udp=True) is None


async def test_endpoints_of_a_deleted_slice_are_gone(lab):
    lab.cluster.store.delete(SLICES, "default", f"{article.REDIS}-lab01")
    assert (await ask(lab, f"{article.REDIS}.{DEFAULT}")).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no server block"),
        (".:53 {\n kubernetes cluster.local {\n", "never closed"),
        ("errors\n", "expected a block"),
        (".:53 {\n kubernetes cluster.local {\n  pods sometimes\n }\n}\n", "pods sometimes"),
        (".:53 {\n kubernetes cluster.local {\n  ttl 99999\n }\n}\n", "ttl 99999"),
    ],
)
def test_a_corefile_that_cannot_be_read_says_why(text, complaint):
    with pytest.raises(CorefileError, match=complaint):
        parse(text)


def test_the_article_corefile_is_the_usual_one():
    (block,) = parse(article.cluster(READER).corefile)
    assert block.kubernetes is not None
    assert block.kubernetes.zones == (DOMAIN, "in-addr.arpa.", "ip6.arpa.")
