"""The kernel's list of connections, read as a firewall's sessions."""

from ipaddress import IPv4Address

from lab.fortigate.packets import ICMP, TCP, UDP, Packet
from lab.network.kernel_flows import forgetting, sessions

NOW = 1_750_000_000.0
LISTING = """\
ipv4     2 tcp      6 431999 ESTABLISHED src=172.16.0.5 dst=172.20.4.222 sport=50000 dport=6379 packets=5 bytes=300 \
src=172.20.4.222 dst=172.16.0.5 sport=6379 dport=50000 packets=4 bytes=250 [ASSURED] mark=1000 delta-time=42 use=2
ipv4     2 udp      17 29 src=172.16.2.3 dst=10.68.0.2 sport=5353 dport=53 packets=1 bytes=70 [UNREPLIED] \
src=10.68.0.2 dst=172.16.1.254 sport=53 dport=5353 packets=0 bytes=0 mark=1001 delta-time=1 zone=0 use=2
ipv4     2 icmp     1 20 src=172.16.0.5 dst=172.16.1.106 type=8 code=0 id=7 packets=1 bytes=84 \
src=172.16.1.106 dst=172.16.0.5 type=0 code=0 id=7 packets=1 bytes=84 mark=1 delta-time=9 zone=0 use=2
ipv4     2 tcp      6 431999 ESTABLISHED src=172.16.0.50 dst=172.16.0.254 sport=50001 dport=443 \
src=172.16.0.254 dst=172.16.0.50 sport=443 dport=50001 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 100 ESTABLISHED src=172.16.0.5 dst=172.20.4.9 sport=50002 dport=80 \
src=172.20.4.9 dst=172.16.0.5 sport=80 dport=50002 [ASSURED] mark=4294967295 zone=0 use=2
ipv6     10 tcp      6 100 ESTABLISHED src=::1 dst=::1 sport=1 dport=2 src=::1 dst=::1 sport=2 dport=1 mark=5 use=2
"""


def test_connections_of_policies_are_sessions_and_nothing_else_is() -> None:
    tcp, udp, icmp = sessions(LISTING, NOW)
    assert tcp.packet == Packet(IPv4Address("172.16.0.5"), IPv4Address("172.20.4.222"), TCP, 50_000, 6379)
    assert (tcp.verdict.policy_id, tcp.begun, tcp.expires) == (1000, NOW - 42, NOW + 431_999)
    assert (tcp.sent_packets, tcp.received_packets, tcp.sent_bytes, tcp.received_bytes) == (5, 4, 300, 250)
    assert (udp.packet.protocol, udp.verdict.translated_source) == (UDP, IPv4Address("172.16.1.254"))
    assert (udp.received_bytes, udp.verdict.policy_id) == (0, 1001)
    assert (icmp.packet.protocol, icmp.packet.destination_port) == (ICMP, 0)


def test_exactly_one_connection_is_forgotten() -> None:
    [tcp, _, icmp] = sessions(LISTING, NOW)
    assert " ".join(forgetting(tcp.packet)) == (
        "conntrack -D -p tcp -s 172.16.0.5 -d 172.20.4.222 --sport 50000 --dport 6379"
    )
    assert " ".join(forgetting(icmp.packet)) == "conntrack -D -p icmp -s 172.16.0.5 -d 172.16.1.106"
