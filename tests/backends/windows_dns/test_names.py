"""What may be sent as a zone name or a master."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.windows_dns.names import canonical_forwarder
from bot.model.resources import Forwarder, Mark
from bot.model.zones import ancestors, canonical_zone

LONGEST_LABEL = "a" * 63
LONGEST_ZONE = ".".join([LONGEST_LABEL] * 3 + ["a" * 61])


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("default.svc.cluster.local", "default.svc.cluster.local"),
        ("Default.SVC.Cluster.Local.", "default.svc.cluster.local"),
        ("_tcp.cluster.local", "_tcp.cluster.local"),
        ("16.172.in-addr.arpa", "16.172.in-addr.arpa"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        (LONGEST_ZONE, LONGEST_ZONE),
    ],
)
def test_a_zone_has_one_spelling(text: str, zone: str) -> None:
    assert canonical_zone(text) == zone


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "every query"),
        (".", "every query"),
        ("local", "top-level domain"),
        ("10.68.0.10", "looks like an address"),
        ("cluster.7", "looks like an address"),
        ("a..b", "no DNS label"),
        ("cluster.local..", "no DNS label"),
        (".cluster.local", "no DNS label"),
        ("-a.local", "no DNS label"),
        ("a-.local", "no DNS label"),
        ("*.cluster.local", "no DNS label"),
        ("a b.local", "no DNS label"),
        ("a\n.local", "no DNS label"),
        ("cluster.local\n", "no DNS label"),
        ("a\0.local", "no DNS label"),
        ("$(calc).local", "no DNS label"),
        ("a'; Remove-DnsServerZone x; '.local", "no DNS label"),
        ('a".local', "no DNS label"),
        ("a`.local", "no DNS label"),
        ("a\u2018.local", "outside ASCII"),
        ("a\u2019.local", "outside ASCII"),
        ("a\u201a.local", "outside ASCII"),
        ("a\u201b.local", "outside ASCII"),
        ("a\u201c.local", "outside ASCII"),
        ("bücher.example", "outside ASCII"),
        ("\u212aube.local", "outside ASCII"),  # KELVIN SIGN, which lower() turns into k
        ("a" * 64 + ".local", "no DNS label"),
        (LONGEST_ZONE + "a", "254 characters"),
        (".".join(["a" * 62] * 4) + ".xyz", "255 characters"),
    ],
)
def test_what_is_no_zone_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        canonical_zone(text)
    assert str(refused.value).isprintable()
    assert str(refused.value).isascii()


@given(st.text(max_size=300))
def test_whatever_is_accepted_is_inert_everywhere(text: str) -> None:
    try:
        zone = canonical_zone(text)
    except ValueError:
        return
    assert canonical_zone(zone) == zone
    assert set(zone) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert zone == text.lower().removesuffix(".")


def test_ancestors_end_below_the_root() -> None:
    assert ancestors("default.svc.cluster.local") == ("svc.cluster.local", "cluster.local", "local")


def forwarder(**changes: object) -> Forwarder:
    return Forwarder(zone="default.svc.cluster.local", masters=(IPv4Address("10.68.0.10"),)).model_copy(update=changes)


def test_a_canonical_forwarder_has_no_mark_and_the_one_spelling() -> None:
    wish = forwarder(zone="Default.svc.cluster.local.", mark=Mark(cluster="qa", operation="op1", fingerprint="0" * 8))
    assert canonical_forwarder(wish) == forwarder()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"masters": ()}, "0 masters"),
        ({"masters": tuple(IPv4Address("10.0.0.1") + n for n in range(17))}, "17 masters"),
        ({"masters": (IPv4Address("10.68.0.10"),) * 2}, "twice"),
        ({"masters": (IPv4Address("0.0.0.0"),)}, "no address"),
        ({"masters": (IPv4Address("127.0.0.1"),)}, "circle"),
        ({"masters": (IPv4Address("224.0.0.251"),)}, "one machine"),
        ({"masters": (IPv4Address("255.255.255.255"),)}, "one machine"),
        ({"masters": (IPv4Address("169.254.1.1"),)}, "link-local"),
        ({"timeout_s": 0}, "timeout of 0 s"),
        ({"timeout_s": 16}, "timeout of 16 s"),
    ],
)
def test_a_forwarder_that_could_not_work_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        canonical_forwarder(forwarder(**changes))


def test_a_server_does_not_forward_to_itself() -> None:
    assert canonical_forwarder(forwarder(), "172.16.2.53") == forwarder()
    with pytest.raises(ValueError, match="circle"):
        canonical_forwarder(forwarder(), "10.68.0.10")
