"""The simulated network against what was measured on a real kernel: which fault shows as what on the wire."""

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address

import dns.flags
import dns.message
import pytest

from lab.cluster.model import SERVICES, SLICES
from lab.network.simulated_connection import Outcome
from lab.network.simulated_packets import Fate
from lab.network.simulated_upstream import Upstream
from lab.topology import ARTICLE, Host
from tests.lab.network.simulated_office import (
    AMQP,
    GATEWAY,
    GATEWAY_IP,
    KUBE_DNS,
    LOCAL_POD,
    PING,
    PONG,
    REDIS_SERVICE,
    REMOTE,
    REMOTE_POD,
    REMOTE_SERVICE,
    STANDBY,
    office,
)

QUERY = dns.message.make_query("redis-abc-gns.default.svc.cluster.local.", "A").to_wire()


@pytest.fixture
async def lab():
    async with office() as built:
        built.article()
        yield built


@pytest.fixture
async def untouched():
    async with office() as built:
        yield built


async def test_before_anything_is_done_packets_leave_for_the_internet_and_are_lost(untouched):
    assert await untouched.talk(REDIS_SERVICE, 6379, PING) is Outcome.SILENT
    assert untouched.network.traces[-1].journey.hops[-1].action == "leaves by wan1 towards the Internet"


async def test_without_any_route_the_firewall_says_so(untouched):
    untouched.firewall.delete("router/static", 1)
    assert await untouched.talk(REDIS_SERVICE, 6379, PING) is Outcome.NET_UNREACHABLE


async def test_routes_without_policies_are_silence(untouched):
    untouched.routes()
    assert await untouched.talk(REDIS_SERVICE, 6379, PING) is Outcome.SILENT


class TestTheArticlesPolicies:
    @pytest.mark.parametrize("address", [REDIS_SERVICE, REMOTE_POD, LOCAL_POD])
    async def test_tcp_brings_data(self, lab, address):
        assert await lab.talk(address, 6379, PING) == PONG

    async def test_pings_of_nodes_pass_and_pings_of_pods_and_services_do_not(self, lab):
        assert await lab.network.ping("pc", GATEWAY_IP) is Fate.ARRIVED
        assert await lab.network.ping("pc", REMOTE_POD) is Fate.DROPPED
        assert await lab.network.ping("pc", REDIS_SERVICE) is Fate.DROPPED

    async def test_a_pc_reaches_kube_dns_by_tcp_only(self, lab):
        pc = Upstream(lab.network, "pc")
        assert await pc.udp(KUBE_DNS, 53, QUERY, 0.05) is None
        answer = await pc.tcp(KUBE_DNS, 53, QUERY, 10)
        assert [r.address for r in dns.message.from_wire(answer).answer[0]] == [REMOTE_POD]

    async def test_the_dns_server_reaches_kube_dns_by_nothing(self, lab):
        server = Upstream(lab.network, "dns")
        assert await server.udp(KUBE_DNS, 53, QUERY, 0.05) is None
        assert await server.tcp(KUBE_DNS, 53, QUERY, 0.05) is None

    async def test_a_policy_of_its_own_lets_the_dns_server_through(self, lab):
        lab.policy(102, "dmz -> Test", "dns-server -> services", "DNS")
        server = Upstream(lab.network, "dns")
        for transport in (server.udp, server.tcp):
            answer = await transport(KUBE_DNS, 53, QUERY, 10)
            assert [r.address for r in dns.message.from_wire(answer).answer[0]] == [REMOTE_POD]

    async def test_a_udp_policy_alone_leaves_large_answers_truncated(self, lab):
        endpoints = [{"addresses": [f"172.20.4.{n}"], "nodeName": REMOTE} for n in range(1, 200)]
        (document,) = lab.cluster.cluster.slices("default", "redis-abc-gns")
        lab.cluster.cluster.store.put({**document, "endpoints": endpoints})
        lab.firewall.create("firewall.service/custom", {"name": "DNS-UDP", "udp-portrange": "53"})
        lab.policy(102, "dmz -> Test", "dns-server -> services", "DNS-UDP")
        server = Upstream(lab.network, "dns")
        answer = dns.message.from_wire(await server.udp(KUBE_DNS, 53, QUERY, 10))
        assert answer.flags & dns.flags.TC
        assert await server.tcp(KUBE_DNS, 53, QUERY, 0.05) is None


class TestWhatThePodSees:
    @pytest.mark.parametrize(
        ("address", "port", "endpoints", "peer"),
        [
            ("172.20.3.31", 8080, None, "172.16.0.10"),  # pod on the gateway: nobody translates
            ("172.20.4.31", 8080, None, "172.16.0.10"),  # pod elsewhere: neither
            ("10.68.0.80", 80, "172.20.3.31", "172.20.3.1"),  # service, endpoint on the gateway: cni0
            ("10.68.0.80", 80, "172.20.4.31", GATEWAY_IP),  # service, endpoint elsewhere: the gateway
        ],
    )
    async def test_the_client_address(self, lab, address, port, endpoints, peer):
        if endpoints:
            (document,) = lab.cluster.cluster.slices("default", "web-abc")
            kept = [e for e in document["endpoints"] if e["addresses"] == [endpoints]]
            lab.cluster.cluster.store.put({**document, "endpoints": kept})
        assert await lab.peer(address, port) == peer

    async def test_with_cni_masquerade_pods_elsewhere_see_the_gateway(self, lab):
        lab.network.node(GATEWAY).cni_masquerade = True
        assert await lab.peer("172.20.4.31", 8080) == GATEWAY_IP
        assert await lab.peer("172.20.3.31", 8080) == "172.16.0.10"


class TestMasqueradeOff:
    async def test_a_remote_endpoint_is_lost_because_the_reply_bypasses_the_gateway(self, lab):
        lab.network.node(GATEWAY).masquerade = False
        assert await lab.talk(REMOTE_SERVICE, 5672, AMQP) is Outcome.SILENT
        reply = lab.network.traces[-1].journey
        assert (reply.signal, reply.fate, reply.station) == ("SYN-ACK", Fate.DROPPED, "firewall")

    async def test_a_datagram_arrives_and_its_answer_is_lost(self, lab):
        lab.policy(103, "internal -> Test", "office -> services", "ALL")
        lab.network.node(GATEWAY).masquerade = False
        received: list[bytes] = []
        endpoint = lab.network.datagrams("pc", lambda data, _: received.append(data))
        lost = asyncio.create_task(lab.until(lambda trace: trace.journey.fate is Fate.DROPPED))
        assert (await endpoint.send("10.68.0.90", 7007, b"hello")).fate is Fate.ARRIVED
        assert (await lost).journey.station == "firewall"
        endpoint.close()
        assert received == []

    async def test_an_endpoint_on_the_gateway_still_answers(self, lab):
        lab.network.node(GATEWAY).masquerade = False
        assert await lab.talk(REDIS_SERVICE, 6379, PING) == PONG


class TestInvalidDrop:
    @pytest.fixture(autouse=True)
    def iptables(self, lab):
        lab.network.node(GATEWAY).proxy_mode = "iptables"

    async def test_a_pod_elsewhere_is_handshake_only(self, lab):
        assert await lab.talk(REMOTE_POD, 6379, PING) is Outcome.HANDSHAKE_ONLY

    async def test_a_pod_on_the_gateway_and_services_are_fine(self, lab):
        assert await lab.talk(LOCAL_POD, 6379, PING) == PONG
        assert isinstance(await lab.talk(REMOTE_SERVICE, 5672, AMQP), bytes)

    @pytest.mark.parametrize(
        ("switch", "value"), [("tcp_be_liberal", True), ("proxy_mode", "nftables"), ("cni_masquerade", True)]
    )
    async def test_what_helps(self, lab, switch, value):
        setattr(lab.network.node(GATEWAY), switch, value)
        assert await lab.talk(REMOTE_POD, 6379, PING) == PONG


class TestForwarding:
    async def test_forward_policy_drop_lets_only_services_pass(self, lab):
        lab.network.node(GATEWAY).forward_drop = True
        assert isinstance(await lab.talk(REMOTE_SERVICE, 5672, AMQP), bytes)
        for pod in (REMOTE_POD, LOCAL_POD):
            assert await lab.talk(pod, 6379, PING) is Outcome.SILENT
        assert await lab.network.ping("pc", GATEWAY_IP) is Fate.ARRIVED

    async def test_without_ip_forward_nothing_passes_but_ping_of_the_node(self, lab):
        lab.network.node(GATEWAY).ip_forward = False
        for address, port in ((REMOTE_SERVICE, 5672), (REMOTE_POD, 6379), (LOCAL_POD, 6379)):
            assert await lab.talk(address, port, PING) is Outcome.SILENT
        assert await lab.network.ping("pc", GATEWAY_IP) is Fate.ARRIVED

    async def test_without_kube_proxys_rules_services_are_dead_and_pods_are_not(self, lab):
        lab.network.node(GATEWAY).proxy_rules = False
        assert await lab.talk(REDIS_SERVICE, 6379, PING) is Outcome.SILENT
        assert await lab.talk(REMOTE_POD, 6379, PING) == PONG

    async def test_without_cni_routes_only_pods_on_the_gateway_answer(self, lab):
        lab.network.node(GATEWAY).cni_routes = False
        assert await lab.talk(LOCAL_POD, 6379, PING) == PONG
        assert await lab.talk(REMOTE_POD, 6379, PING) is Outcome.SILENT

    async def test_a_node_with_another_default_route_loses_its_unmasqueraded_replies(self, lab):
        lab.network.node(REMOTE).default_gateway = IPv4Address("172.16.1.1")
        assert await lab.talk(REMOTE_POD, 6379, PING) is Outcome.SILENT
        assert await lab.talk(LOCAL_POD, 6379, PING) == PONG


class TestErrors:
    @pytest.mark.parametrize(
        ("mode", "loops", "expected"),
        [
            ("iptables", False, Outcome.SILENT),
            ("iptables", True, Outcome.HOST_UNREACHABLE),
            ("ipvs", False, Outcome.SILENT),
            ("nftables", True, Outcome.SILENT),
        ],
    )
    async def test_an_unallocated_service_address(self, lab, mode, loops, expected):
        lab.network.node(GATEWAY).proxy_mode = mode
        lab.network.walker.same_interface_forwarding = loops
        assert await lab.talk("10.68.77.77", 80, PING) is expected

    @pytest.mark.parametrize(
        ("mode", "expected"),
        [("iptables", Outcome.SILENT), ("ipvs", Outcome.REFUSED), ("nftables", Outcome.REFUSED)],
    )
    async def test_an_unused_port_of_a_live_service(self, lab, mode, expected):
        lab.network.node(GATEWAY).proxy_mode = mode
        assert await lab.talk(REDIS_SERVICE, 81, PING) is expected

    @pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
    async def test_a_service_without_endpoints_refuses(self, lab, mode):
        lab.network.node(GATEWAY).proxy_mode = mode
        assert await lab.talk("10.68.0.99", 80, PING) is Outcome.REFUSED

    async def test_a_port_where_nobody_listens_refuses(self, lab):
        assert await lab.talk(REMOTE_POD, 6380, PING) is Outcome.REFUSED

    async def test_a_pod_that_is_gone_is_unreachable_after_three_seconds(self, lab):
        assert await lab.talk("172.20.4.99", 6379, PING) is Outcome.HOST_UNREACHABLE

    async def test_a_dead_gateway_is_unreachable_or_silent(self, lab):
        lab.network.kill_node(GATEWAY)
        assert await lab.talk(REDIS_SERVICE, 6379, PING) is Outcome.HOST_UNREACHABLE
        assert await lab.network.ping("pc", GATEWAY_IP) is Fate.HOST_UNREACHABLE
        lab.network.walker.dead_neighbours_answer = False
        assert await lab.talk(REDIS_SERVICE, 6379, PING) is Outcome.SILENT

    async def test_a_frozen_gateway_is_silent(self, lab):
        lab.network.freeze_node(GATEWAY)
        assert await lab.talk(REDIS_SERVICE, 6379, PING) is Outcome.SILENT
        lab.network.thaw_node(GATEWAY)
        assert await lab.talk(REDIS_SERVICE, 6379, PING) == PONG

    async def test_the_delay_of_an_unreachable_neighbour_is_waited_for(self):
        waited = []

        async def record(seconds: float) -> None:
            waited.append(seconds)

        async with office() as built:
            built.article()
            network = type(built.network)(built.cluster.cluster, built.firewall, sleep=record)
            attempt = await network.connect("pc", "172.20.4.99", 6379)
        assert (attempt.outcome, waited) == (Outcome.HOST_UNREACHABLE, [3.0])


class TestServices:
    async def test_internal_traffic_policy_local_wants_an_endpoint_on_the_gateway(self, lab):
        for service in ("redis-abc", "rabbitmq"):
            namespace = "default" if service == "redis-abc" else "qa-orders"
            lab.cluster.cluster.store.patch(SERVICES, namespace, service, {"spec": {"internalTrafficPolicy": "Local"}})
        assert await lab.talk(REDIS_SERVICE, 6379, PING) == PONG
        assert await lab.talk(REMOTE_SERVICE, 5672, AMQP) is Outcome.SILENT

    async def test_endpoints_take_turns_and_sticky_clients_stay(self, lab):
        async def nodes() -> set[str]:
            for _ in range(6):
                await lab.talk("10.68.0.80", 80, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            arrived = [t.journey for t in lab.network.traces if t.journey.signal == "SYN" and t.journey.arrived]
            return {journey.station for journey in arrived[-6:]}

        assert await nodes() == {"172.20.3.31", "172.20.4.31", "172.20.5.31"}
        lab.cluster.cluster.store.patch(SERVICES, "default", "web-abc", {"spec": {"sessionAffinity": "ClientIP"}})
        assert len(await nodes()) == 1

    async def test_an_unready_endpoint_takes_no_traffic(self, lab):
        lab.cluster.cluster.set_ready("default", "redis-abc", False)
        assert await lab.talk(REDIS_SERVICE, 6379, PING) is Outcome.REFUSED

    async def test_a_terminating_endpoint_serves_when_it_is_the_last(self, lab):
        (document,) = lab.cluster.cluster.slices("default", "redis-abc")
        conditions = {"ready": False, "serving": True, "terminating": True}
        endpoints = [{**document["endpoints"][0], "conditions": conditions}]
        lab.cluster.cluster.store.put({**document, "endpoints": endpoints})
        assert await lab.talk(REDIS_SERVICE, 6379, PING) == PONG

    async def test_a_deleted_slice_is_noticed(self, lab):
        lab.cluster.cluster.store.delete(SLICES, "default", "redis-abc-lab01")
        assert await lab.talk(REDIS_SERVICE, 6379, PING) is Outcome.REFUSED

    async def test_no_coredns_pods_refuse(self, lab):
        lab.policy(102, "dmz -> Test", "dns-server -> services", "DNS")
        lab.cluster.cluster.set_ready("kube-system", "kube-dns", False)
        server = Upstream(lab.network, "dns")
        for transport in (server.udp, server.tcp):
            with pytest.raises(ConnectionRefusedError, match="port 53"):
                await transport(KUBE_DNS, 53, QUERY, 10)

    async def test_crashed_coredns_pods_refuse(self, lab):
        lab.policy(102, "dmz -> Test", "dns-server -> services", "DNS")
        await lab.cluster.dns.stop()
        server = Upstream(lab.network, "dns")
        for transport in (server.udp, server.tcp):
            with pytest.raises(ConnectionRefusedError, match="port 53"):
                await transport(KUBE_DNS, 53, QUERY, 10)


async def test_policy_nat_hides_the_office_behind_the_firewall(lab):
    lab.firewall.update("firewall/policy", 101, {"nat": "enable"})
    assert await lab.peer("172.20.4.31", 8080) == "172.16.1.254"


async def test_each_journey_is_told_hop_by_hop(lab):
    await lab.talk(REMOTE_SERVICE, 5672, AMQP)
    journeys = [t.as_json() for t in lab.network.traces]
    assert [j["signal"] for j in journeys[:3]] == ["SYN", "SYN-ACK", "ACK"]
    assert [hop["station"] for hop in journeys[0]["hops"]] == ["pc", "firewall", GATEWAY, STANDBY, "172.20.5.60"]
    assert [hop["station"] for hop in journeys[1]["hops"]] == [STANDBY, GATEWAY, "firewall"]
    assert "accept by policy 100" in journeys[0]["hops"][1]["action"]
    assert "DNAT to 172.20.5.60:5672; masqueraded as 172.16.1.106" in journeys[0]["hops"][2]["action"]


async def test_the_firewall_counts_what_passes(lab):
    await lab.talk(REDIS_SERVICE, 6379, PING)
    assert lab.firewall.sessions().counters[100].hit_count == 1
    assert lab.firewall.sessions().counters[100].packets > 3


class TestOtherClients:
    """A second PC with an odd address, and a client among the nodes."""

    @pytest.fixture
    async def lab(self):
        more = (Host("pc2", IPv4Address("172.16.0.11")), Host("tester", IPv4Address("172.16.1.20")))
        async with office(replace(ARTICLE, hosts=(*ARTICLE.hosts, *more))) as built:
            built.article()
            yield built

    async def test_an_old_route_left_behind_sends_part_of_the_office_to_a_dead_node(self, lab):
        row = {"seq-num": 20, "dst": "10.68.0.0 255.255.0.0", "gateway": "172.16.1.108", "device": "Test"}
        lab.firewall.create("router/static", row)
        lab.network.kill_node(STANDBY)
        found = {source: await lab.talk(REDIS_SERVICE, 6379, PING, source) for source in ("pc", "pc2")}
        assert sorted(map(str, found.values())) == sorted([str(PONG), str(Outcome.HOST_UNREACHABLE)])

    async def test_clients_among_the_nodes_shake_hands_and_no_more(self, lab):
        lab.policy(110, "Test -> Test", "test-servers -> services", "ALL")
        lab.policy(111, "Test -> Test", "test-servers -> pods", "ALL")
        assert await lab.talk(REDIS_SERVICE, 6379, PING, "tester") is Outcome.HANDSHAKE_ONLY
        assert await lab.talk(REMOTE_POD, 6379, PING, "tester") is Outcome.HANDSHAKE_ONLY

    async def test_their_datagrams_pass(self, lab):
        lab.policy(110, "Test -> Test", "test-servers -> services", "ALL")
        assert await Upstream(lab.network, "tester").udp(KUBE_DNS, 53, QUERY, 10)

    async def test_without_masquerade_the_dns_answer_comes_from_a_stranger(self, lab):
        lab.policy(110, "Test -> Test", "test-servers -> services", "ALL")
        lab.network.node(GATEWAY).masquerade = False
        (document,) = lab.cluster.cluster.slices("kube-system", "kube-dns")
        remote = [e for e in document["endpoints"] if e["addresses"] == ["172.20.6.12"]]
        lab.cluster.cluster.store.put({**document, "endpoints": remote})
        senders: asyncio.Queue[str] = asyncio.Queue()
        endpoint = lab.network.datagrams("tester", lambda _, packet: senders.put_nowait(str(packet.source)))
        await endpoint.send(KUBE_DNS, 53, QUERY)
        assert await senders.get() == "172.20.6.12"
        endpoint.close()
