"""One ICMP echo on the real loopback: an answer, or an honest "cannot tell"."""

from ipaddress import IPv4Address

from pydantic import TypeAdapter

from backends.probes.prober import NetworkProber
from backends.probes.settings import ProbeSettings

HERE = IPv4Address("127.0.0.1")


async def test_this_machine_answers_or_the_kernel_is_named_that_forbids_to_ask() -> None:
    answer = await NetworkProber(ProbeSettings()).ping(HERE, 1.0)
    assert answer.address == HERE
    if answer.answered is None:
        assert "ping_group_range" in answer.problem
    else:
        assert (answer.answered, answer.problem) == (True, "")


async def test_through_a_proxy_it_cannot_be_told() -> None:
    settings = TypeAdapter(ProbeSettings).validate_python({"vantage": "socks5://127.0.0.1:9"})
    answer = await NetworkProber(settings).ping(HERE, 1.0)
    assert (answer.answered, answer.problem) == (None, "an echo cannot go through a SOCKS5 proxy")
