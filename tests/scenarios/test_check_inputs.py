"""Everything that people type after `check`, as Slack delivers it, and where the answer goes."""

from ipaddress import IPv4Address

import pytest

from bot.model.facts import ClusterFacts, Endpoint, Service, ServicePort
from tests.office import REDIS, WEB
from tests.scenarios.chat import Chat, chat

POD = IPv4Address("172.20.4.31")
HTTP = ServicePort(name="http", protocol="TCP", port=80)


def with_more(facts: ClusterFacts) -> ClusterFacts:
    """Two services of one name, and a StatefulSet."""

    def service(namespace: str, name: str, address: str | None, hostname: str | None = None) -> Service:
        endpoint = Endpoint(address=POD, node="k8s-qa-node-03", hostname=hostname, ready=True, ports=(HTTP,))
        return Service(
            namespace=namespace,
            name=name,
            type="ClusterIP",
            cluster_ip=IPv4Address(address) if address else None,
            headless=address is None,
            external_name=None,
            publish_not_ready=False,
            internal_traffic_local=False,
            ports=(HTTP,),
            endpoints=(endpoint,),
        )

    more = (
        service("default", "api", "10.68.0.81"),
        service("monitoring", "api", "10.68.0.82"),
        service("default", "queue", None, hostname="queue-0"),
    )
    return facts.model_copy(update={"services": (*facts.services, *more)})


async def answered(room: Chat, typed: str, contains: str) -> str:
    await room.slack.say(typed)
    return (await room.slack.until(contains=contains)).text


@pytest.mark.parametrize(
    ("typed", "contains"),
    [
        ("redis-abc-gns.default", "✓ redis-abc-gns.default works"),
        ("redis-abc-gns.default:6379", "✓ redis-abc-gns.default:6379 works"),
        ("redis-abc-gns.default.svc.cluster.local", "✓ redis-abc-gns.default works"),
        ("REDIS-ABC-GNS.default.svc.cluster.local.:6379", "✓ redis-abc-gns.default:6379 works"),
        ("redis-abc-gns", "✓ redis-abc-gns.default works"),
        ("redis-abc-gns on qa", "✓ redis-abc-gns.default works"),
        (str(REDIS), f"✓ {REDIS} works"),
        (f"{WEB}:80", f"✓ {WEB}:80 works"),
        ("default", "✓ namespace default: all 2 work"),
        ("*.default", "✓ namespace default: all 2 work"),
        ("", "✓ everything exposed on qa: all 2 work"),
        ("on qa", "✓ everything exposed on qa: all 2 work"),
        # What Slack's clients make of it: links, smart quotes' relatives, invisible and non-breaking characters.
        ("<http://redis-abc-gns.default|redis-abc-gns.default>", "✓ redis-abc-gns.default works"),
        ("<http://redis-abc-gns.default:6379>", "✓ redis-abc-gns.default:6379 works"),
        ("“redis-abc-gns.default”", "✓ redis-abc-gns.default works"),
        ("`redis-abc-gns.default:6379`", "✓ redis-abc-gns.default:6379 works"),
        ("redis‑abc‑gns.default", "✓ redis-abc-gns.default works"),
        ("\u00a0redis-abc-gns.default\u200b\u00a0", "✓ redis-abc-gns.default works"),
        # Refused, and why.
        ("api", "Which api? Write one of: api.default, api.monitoring."),
        ("nothing-like-it", "is not a service name here, and no namespace either"),
        ("8.8.8.8", "8.8.8.8 is not an address of cluster qa's services or pods (10.68.0.0/16, 172.20.0.0/16)"),
        ("172.16.1.106:22", "172.16.1.106 is not an address of cluster qa's services or pods"),
        ("127.0.0.1:6379", "127.0.0.1 is not an address of cluster qa's services or pods"),
        ("169.254.169.254", "169.254.169.254 is not an address of cluster qa's services or pods"),
        ("10.68.0.0/16", "networks are not checked, single addresses are"),
        ("010.068.000.080", "is not an IPv4 address"),
        ("example.com", "no namespace com"),
        ("redis-abc-gns.default.svc.other.local", "other.local is not the domain of cluster qa"),
        ("redis-abc-gns.default:99999", "is not a port"),
        ("default:80", "default is a namespace; a port is one of a service's. Write <service>.default:80."),
        ("redis-abc-gns.default on prod", "There is no cluster prod"),
        ("redis-abc-gns.default from hq", "looks from every office"),
        ("on qa because I say so", "takes no reason"),
    ],
)
async def test_what_can_be_typed(typed: str, contains: str) -> None:
    async with chat(self_confirm=True) as room:
        await exposed(room)
        ambiguous = typed in ("api",)
        room.company.cluster.now = with_more(room.company.cluster.now) if ambiguous else room.company.cluster.now
        await answered(room, f"/k8snet check {typed}", contains)


async def test_a_pod_of_a_statefulset_has_the_pods_own_address() -> None:
    async with chat(self_confirm=True) as room:
        await exposed(room)
        room.company.cluster.now = with_more(room.company.cluster.now)
        # The office of this test resolves services only: the name of the pod is not found, its address is.
        await answered(room, f"/k8snet check {POD}", f"✓ {POD} works")
        await answered(room, "/k8snet check queue-0.queue.default", "queue-0.queue.default")


async def test_the_answer_is_short_and_the_thread_has_everything(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet check redis-abc-gns.default")
        answer = await room.slack.until(contains="✗ redis-abc-gns.default is broken")
        assert "K8SNET-EXP-01" in answer.text
        assert "office DNS ✗ → firewall ? →" in answer.text
        assert "Expose it." in answer.text
        assert "What was asked" not in answer.text
        assert "for the role developer or operator or admin" in str(answer.blocks)
        assert answer.buttons == ["Expose default", "Check again"]
        await room.slack.until(contains="Checked from the test")
        [details] = (await room.slack.messages(thread=answer.ts))[1:]
        assert "What was asked:" in details.text
        assert "172.16.2.3 asked for redis-abc-gns.default.svc.cluster.local" in details.text


async def test_who_asks_in_private_gets_everything_in_one_answer() -> None:
    async with chat() as room:
        await room.slack.say("/k8snet check redis-abc-gns.default", channel="@k8snet")
        answer = await room.slack.until("@k8snet", contains="✗ redis-abc-gns.default is broken")
        assert "What was asked:" in answer.text
        assert "Checked from the test" in answer.text


async def exposed(room: Chat) -> None:
    await room.slack.say("/k8snet expose default")
    await room.slack.until(contains="waits for a yes")
    await room.slack.click("Confirm")
    await room.slack.until(contains="applied and proven")
