"""Rows about the firewall: its ways, its policies, what they are made of."""

from collections.abc import Sequence

from bot.model.causes.routes import ROUTES
from bot.model.causes.row import Row
from bot.model.causes.signals import belied, denied, forbidden, held, proven
from bot.model.describe import held_line, policy_line
from bot.model.diagnosis import Evidence, Held
from bot.model.probes import PolicyAnswer
from bot.model.resources import Address, Policy, same_content
from bot.model.wording import marked, tr


def _denied(e: Evidence) -> list[PolicyAnswer]:
    return [policy for policy in e.policies if e.cluster_exposed and denied(e, policy) and not belied(e)]


def _differing(e: Evidence, *kinds: str) -> list[Held]:
    """What the firewall holds otherwise than it was applied; what could not be read is not among it."""
    return [
        one
        for kind in kinds
        for one in held(e, kind)
        if not one.problem and one.actual is not None and not same_content(one.actual, one.wanted)
    ]


def _office_policies(e: Evidence) -> list[Held]:
    """Our policies for offices: those that lead further than to kube-dns."""
    return [one for one in held(e, "policy") if isinstance(one.wanted, Policy) and one.wanted.services != _DNS_ONLY]


_DNS_ONLY = ("DNS",)


def _policy_missing(e: Evidence) -> Sequence[str]:
    by_nobody = [policy for policy in _denied(e) if not forbidden(policy)]
    if not by_nobody or _policy_differs(e) or _object_differs(e):
        return ()
    absent = [held_line(one) for one in _office_policies(e) if one.actual is None]
    return [*(policy_line(e.firewall, policy) for policy in by_nobody), *absent]


def _policy_differs(e: Evidence) -> Sequence[str]:
    by_nobody = [policy for policy in _denied(e) if not forbidden(policy)]
    if not by_nobody:
        return ()
    changed = [one for one in _differing(e, "policy") if one in _office_policies(e)]
    unclear = [one for one in _office_policies(e) if one.problem]
    if not (changed or unclear):
        return ()
    return [*(policy_line(e.firewall, p) for p in by_nobody), *map(held_line, (*changed, *unclear))]


def _object_differs(e: Evidence) -> Sequence[str]:
    flows = [*_denied(e), *(p for s in e.servers for p in (s.policy_udp, s.policy_tcp) if p and denied(e, p))]
    if not flows:
        return ()
    changed = [
        one
        for one in _differing(e, "address", "address-group")
        if isinstance(one.wanted, Address)
        and any(p.source in one.wanted.network or p.destination in one.wanted.network for p in flows)
    ]
    if not changed:
        return ()
    return [*(policy_line(e.firewall, policy) for policy in flows), *map(held_line, changed)]


def _kube_dns_moved(e: Evidence) -> Sequence[str]:
    if e.kube_dns is None or e.kube_dns_applied in (None, e.kube_dns):
        return ()
    if e.servers and all(proven(e, server) for server in e.servers):
        return ()
    return (
        tr(
            "the API says {kube_dns}, applied was {kube_dns_applied}",
            kube_dns=e.kube_dns,
            kube_dns_applied=e.kube_dns_applied,
        ),
    )


def _shadowed(e: Evidence) -> Sequence[str]:
    return [policy_line(e.firewall, policy) for policy in _denied(e) if _in_front(e, policy)]


def _displaced(e: Evidence) -> Sequence[str]:
    return [policy_line(e.firewall, p) for p in _denied(e) if forbidden(p) and not _in_front(e, p)]


def _in_front(e: Evidence, policy: PolicyAnswer) -> bool:
    """Somebody's policy denies, and exposing again would not move ours before it."""
    return forbidden(policy) and policy.policy not in e.movable


def _dns_denied(e: Evidence, in_front: bool, *flows: PolicyAnswer | None) -> list[str]:
    """Flows of DNS servers that are denied: by what stands in front for good, or by what exposing again would mend."""
    if not e.cluster_exposed or _object_differs(e):
        return []
    shut = [flow for flow in flows if flow is not None and denied(e, flow)]
    return [policy_line(e.firewall, flow) for flow in shut if _in_front(e, flow) is in_front]


def _dns_udp_denied(e: Evidence) -> Sequence[str]:
    return _dns_denied(e, False, *(server.policy_udp for server in e.servers))


def _dns_tcp_denied(e: Evidence) -> Sequence[str]:
    if _dns_udp_denied(e):
        return ()
    return _dns_denied(e, False, *(server.policy_tcp for server in e.servers))


def _dns_shadowed(e: Evidence) -> Sequence[str]:
    return _dns_denied(e, True, *(flow for server in e.servers for flow in (server.policy_udp, server.policy_tcp)))


def _server_barred(e: Evidence) -> Sequence[str]:
    return [
        policy_line(e.firewall, server.reach)
        for server in e.servers
        if server.reach and server.reach.allowed is False and (server.udp is None or server.udp.outcome == "timeout")
    ]


def _drift(e: Evidence) -> Sequence[str]:
    changed = _differing(e, "address", "address-group", "policy", "route")
    absent = [one for one in e.held if one.target == e.firewall and one.actual is None and not one.problem]
    return [held_line(one) for one in (*changed, *absent)]


FIREWALL: tuple[Row, ...] = (
    *ROUTES,
    Row(
        "K8SNET-DNS-19",
        "firewall",
        _kube_dns_moved,
        "the journal's last change pointed the forwarders at another address than the API has for kube-dns now",
        marked("kube-dns has another address than when the exposure was applied"),
        marked("Apply the exposure again: it takes the new address everywhere."),
        fix="expose",
    ),
    Row(
        "K8SNET-POL-05",
        "firewall",
        _displaced,
        "the policy look-up for the office ends at a policy that denies, and the exposure's own policy stands "
        "unchanged behind it, so that moving that one lets the office through",
        marked("the exposure's policy stands behind one that denies all of its traffic"),
        marked("Find out whether that is meant; if not, apply the exposure again: it moves its policy back."),
        fix="expose",
    ),
    Row(
        "K8SNET-POL-02",
        "firewall",
        _shadowed,
        "the policy look-up for the office ends at a policy that denies",
        marked("a firewall policy denies the office before the one of the exposure is reached"),
        marked("Move the exposure's policy above the one that denies."),
    ),
    Row(
        "K8SNET-POL-04",
        "firewall",
        _object_differs,
        "the policy look-up denies, and an address object of the exposure has another content than was applied",
        marked("an address object on the firewall was changed, so the policy no longer matches"),
        marked("Find out who changed it; apply the exposure again to restore it."),
        fix="expose",
    ),
    Row(
        "K8SNET-POL-03",
        "firewall",
        _policy_differs,
        "the policy look-up ends at the implicit deny, and the exposure's policy differs from what was applied",
        marked("the exposure's policy was changed or switched off"),
        marked("Find out who changed it; apply the exposure again to restore it."),
        fix="expose",
    ),
    Row(
        "K8SNET-POL-01",
        "firewall",
        _policy_missing,
        "the policy look-up for the office ends at the implicit deny",
        marked("no firewall policy lets the office through to this port"),
        marked("Apply the exposure again."),
        fix="expose",
    ),
    Row(
        "K8SNET-DNS-10",
        "firewall",
        _server_barred,
        "the DNS server does not answer, and the policy look-up denies the office's way to it",
        marked("the firewall does not let the office ask the DNS server"),
        marked("Allow DNS from the office to the DNS server."),
    ),
    Row(
        "K8SNET-DNS-21",
        "firewall",
        _dns_shadowed,
        "the policy look-up from the DNS server to kube-dns, UDP or TCP 53, ends at a policy that denies, and applying "
        "the exposure again would not move its own policy before that one",
        marked("a firewall policy denies the DNS server's way to kube-dns before the one of the exposure is reached"),
        marked("Move the exposure's policy above the one that denies."),
    ),
    Row(
        "K8SNET-DNS-03",
        "firewall",
        _dns_udp_denied,
        "the policy look-up from the DNS server to kube-dns, UDP 53, denies",
        marked("the firewall does not let the DNS server ask kube-dns"),
        marked("Apply the exposure again."),
        fix="expose",
    ),
    Row(
        "K8SNET-DNS-07",
        "firewall",
        _dns_tcp_denied,
        "the policy look-up from the DNS server to kube-dns allows UDP 53 and denies TCP 53",
        marked("the DNS server can ask kube-dns over UDP only; large answers will fail"),
        marked("Apply the exposure again: its policy allows both."),
        fix="expose",
    ),
)

DRIFT = Row(
    "K8SNET-FW-04",
    "firewall",
    _drift,
    "an object of the exposure is missing on the firewall or has another content than was applied",
    marked("the firewall no longer holds what was applied"),
    marked("Apply the exposure again to restore it, or take the change over."),
    verdict="passed",
    fix="expose",
)
