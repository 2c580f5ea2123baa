"""Faults of such a path that are known from elsewhere, and where a check shows each, or why it cannot. Pure data.

The numbers are those of the survey of faults that the table of causes was made from; they never change.
"""

from typing import NamedTuple


class KnownFault(NamedTuple):
    """`codes` are those that a check names it by, the most usual first; without any, `unseen` says why not."""

    number: str
    fault: str
    codes: tuple[str, ...] = ()
    unseen: str = ""


_ON_PC = "it lies on a person's own machine, and a check walks the path from the bot's host"

KNOWN: tuple[KnownFault, ...] = (
    KnownFault("1", "the bot's own host is cut off", ("BOT-01",)),
    KnownFault("2", "the firewall's API is away, traffic passes", ("FW-01", "FW-02")),
    KnownFault("3", "a network of Docker or a VPN on the PC hides the cluster's", unseen=_ON_PC),
    KnownFault("4", "no route to the service network", ("RT-01",)),
    KnownFault("5", "no route to the pod network", ("RT-03",)),
    KnownFault("6", "a route is configured and not active", ("RT-05", "RT-06", "RT-04", "FW-03")),
    KnownFault("7", "somebody pointed a route at another node", ("RT-02",)),
    KnownFault("8", "two routes for one network", ("RT-06",)),
    KnownFault("9", "no policy lets the office to services", ("POL-01", "POL-02", "POL-03", "POL-05")),
    KnownFault("10", "no policy lets the office to pods", ("POL-01", "POL-02", "POL-03", "POL-05")),
    KnownFault("11", "an address object has other content", ("POL-04",)),
    KnownFault("12", "the gateway node is dead", ("GW-01", "GW-14")),
    KnownFault("13", "the gateway lives and cannot be reached", ("GW-02",)),
    KnownFault("14", "the whole network of the nodes is away", ("GW-03", "GW-14")),
    KnownFault("15", "the gateway forwards nothing", ("GW-04",)),
    KnownFault("16", "the gateway's FORWARD chain drops pods' packets", ("GW-05",)),
    KnownFault("17", "kube-proxy's rules are gone on the gateway", ("GW-06", "GW-07", "SVC-08")),
    KnownFault("18", "Cilium keeps service addresses to the cluster", ("GW-06",)),
    KnownFault("19", "nobody masquerades clients from outside", ("GW-08",)),
    KnownFault(
        "20",
        "DNS answers come from a pod's address",
        unseen="only a client among the nodes can see it; of a bot there every check says that it is not in the office",
    ),
    KnownFault("21", "the gateway drops packets as INVALID", ("GW-09",)),
    KnownFault("22", "nodes filter the office's packets by reverse path", ("GW-10",)),
    KnownFault("23", "the gateway has no way to other nodes' pods", ("GW-11",)),
    KnownFault("24", "one node does not carry its pods' traffic", ("NODE-01", "NODE-02")),
    KnownFault("25", "one node answers by another router", ("NODE-02",)),
    KnownFault(
        "26",
        "clients among the nodes get half of a connection through",
        unseen="it is so for those clients only; seen from the office the path works",
    ),
    KnownFault("27", "large packets are lost (MTU)", unseen="a probe exchanges a few bytes only, to change nothing"),
    KnownFault(
        "28",
        "a full connection table loses new connections now and then",
        ("PATH-05",),
    ),
    KnownFault("29", "idle connections are forgotten", unseen="it takes an hour, a check some seconds"),
    KnownFault(
        "30", "open connections are reset when the gateway moves", unseen="expected; a failover says so beforehand"
    ),
    KnownFault("31", "pods do not answer ping", unseen="nothing is wrong: a check never relies on ping"),
    KnownFault("32", "service addresses do not answer ping", unseen="nothing is wrong: a check never relies on ping"),
    KnownFault("33", "no pod of the service is ready", ("SVC-01", "SVC-09")),
    KnownFault("34", "the port is none of the service's", ("NAME-03",)),
    KnownFault("35", "an unused service address travels in a loop", ("NAME-05",)),
    KnownFault("36", "the address of a service that is gone", ("NAME-05",)),
    KnownFault("37", "the address of a pod that is gone", ("NAME-06",)),
    KnownFault("38", "the program does not listen, or not properly", ("SVC-02", "SVC-04", "SVC-06")),
    KnownFault("39", "a NetworkPolicy keeps the office out", ("SVC-07",)),
    KnownFault("40", "the service is a name outside the cluster", ("NAME-04",)),
    KnownFault("41", "the service wants local endpoints, the gateway has none", ("SVC-05",)),
    KnownFault("42", "a UDP port, and policies for TCP only", ("POL-03", "POL-01", "PATH-04")),
    KnownFault("43", "no conditional forwarder", ("DNS-01", "EXP-01")),
    KnownFault("44", "an old negative answer is remembered", ("DNS-02", "DNS-16")),
    KnownFault("45", "there is no such namespace or service", ("NAME-01", "NAME-02", "NAME-07")),
    KnownFault("46", "a headless service without ready pods has no name", ("SVC-03",)),
    KnownFault("47", "the DNS server cannot ask kube-dns", ("DNS-03", "DNS-04", "POL-04")),
    KnownFault("48", "large answers cannot be fetched over TCP", ("DNS-07", "DNS-15", "DNS-20")),
    KnownFault("48b", "the DNS server refuses names with many addresses", ("DNS-20",)),
    KnownFault("49", "CoreDNS has not read the cluster's API", ("DNS-13", "DNS-18")),
    KnownFault("50", "kube-dns is silent, other services answer", ("DNS-06",)),
    KnownFault("51", "no CoreDNS pod is ready", ("DNS-12",)),
    KnownFault("52", "the forwarder points at another address than kube-dns", ("DNS-09", "DNS-19")),
    KnownFault("53", "names resolve to what the cluster does not know", ("DNS-08", "DNS-11")),
    KnownFault("54", "the PC asks mDNS for names in .local", unseen=_ON_PC),
    KnownFault("55", "short names lack a search suffix", unseen=_ON_PC),
    KnownFault("56", "one DNS server resolves a name, another does not", ("DNS-01", "DNS-05", "DNS-14")),
    KnownFault("57", "the cluster's API cannot be read", ("API-01", "API-02", "API-03")),
    KnownFault("58", "most leases are stale, traffic passes", ("API-04",)),
    KnownFault("59", "the gateway is about to be drained", ("GW-12", "GW-13")),
    KnownFault("60", "the gateway node has a new address", ("RT-02",)),
    KnownFault("61", "the cluster has a new network, not routed", ("RT-01", "RT-03")),
    KnownFault(
        "62",
        "no other node could be the gateway",
        unseen="nothing is broken yet: `k8snet status` ranks who could take its place",
    ),
    KnownFault(
        "63",
        "everything works, and somebody says it does not",
        unseen="a check that passed shows what was asked, of whom, and the answers",
    ),
)
