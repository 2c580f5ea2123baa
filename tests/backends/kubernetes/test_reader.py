"""The reader against the simulated cluster, over real HTTPS: what it reads, and how it fails."""

import asyncio
import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml

from backends.kubernetes.reader import KubernetesReader
from backends.kubernetes.settings import KubernetesSettings
from bot.locales import catalogue
from bot.model.errors import Rejected, Unreachable
from bot.model.wording import speaking
from lab.cluster.access import READER_RULES, Account
from lab.cluster.article import COREFILE, cluster, objects
from lab.cluster.clock import HandClock
from lab.cluster.faults import Fault, Kind
from lab.cluster.kubeconfig import kubeconfig
from lab.cluster.model import Cluster
from lab.cluster.resources import Json
from lab.cluster.serving import Running, running
from tests.backends.kubernetes.reading import TOKEN, facts_of, failure_of, no_connection_left, reading, serving, until


async def test_the_articles_cluster_is_read_whole(served: Running, tmp_path: Path) -> None:
    facts = await facts_of(served, tmp_path)
    assert facts.cluster == "qa"
    assert facts.version == "v1.34.0"
    assert facts.kube_dns == IPv4Address("10.68.0.2")
    assert (facts.domain, facts.domain_source) == ("cluster.local", "CoreDNS' Corefile")
    assert facts.service_networks == (IPv4Network("10.68.0.0/16"),)
    assert facts.pod_networks_source == "the nodes' podCIDRs"
    assert len(facts.nodes) == 7
    gateway = facts.node("k8s-qa-node-02")
    assert gateway is not None
    assert (gateway.internal_ip, gateway.ready, gateway.lease_renewed) == (
        IPv4Address("172.16.1.106"),
        True,
        served.cluster.clock.now(),
    )
    redis = facts.service("default", "redis-abc-gns")
    assert redis is not None
    assert redis.headless
    assert [(e.address, e.node) for e in redis.ready_endpoints] == [(IPv4Address("172.20.4.222"), "k8s-qa-node-03")]
    assert facts.unreadable == ()


async def test_every_call_is_fresh(served: Running, tmp_path: Path) -> None:
    async with reading(served.write_kubeconfig(tmp_path / "kubeconfig")) as reader:
        before = await reader.facts()
        served.cluster.set_ready("default", "redis-abc", False)
        after = await reader.facts()
    redis = [facts.service("default", "redis-abc") for facts in (before, after)]
    assert [len(service.ready_endpoints) for service in redis if service] == [1, 0]


def services(*names: str) -> list[Json]:
    spec = {"type": "ExternalName", "externalName": "example.org"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": name}, "spec": spec}
        for name in names
    ]


MANY = [f"s-{number:04}" for number in range(1200)]


async def test_long_lists_are_read_page_by_page(served: Running, tmp_path: Path) -> None:
    for service in services(*MANY):
        served.cluster.store.put(service)
    names = [service.name for service in (await facts_of(served, tmp_path)).services]
    assert [name for name in names if name.startswith("s-")] == MANY


async def test_a_list_the_server_forgot_halfway_is_read_again(served: Running, tmp_path: Path) -> None:
    clock, store, faults = served.cluster.clock, served.cluster.store, served.cluster.faults
    assert isinstance(clock, HandClock)
    for service in services(*MANY):
        store.put(service)
    faults.add(Fault("slow", "/api/v1/services", count=2))
    async with reading(served.write_kubeconfig(tmp_path / "kubeconfig")) as reader:
        facts = asyncio.ensure_future(reader.facts())
        await clock.until_sleeping(1)
        clock.advance(1)
        await until(lambda: not faults.active)  # the second page is being asked for
        await clock.until_sleeping(1)
        store.put(services("s-new")[0])
        store.compact()
        clock.advance(1)
        names = [service.name for service in (await facts).services]
    assert [name for name in names if name.startswith("s-")] == [*MANY, "s-new"]


@pytest.mark.parametrize("version", ["1.29", "1.32"])
async def test_a_cluster_too_old_for_servicecidrs_is_read_as_well(version: str, tmp_path: Path) -> None:
    documents = [document for document in objects() if document["kind"] != "ServiceCIDR"]
    account = Account.load({"user": "reader", "token": TOKEN, "rules": list(READER_RULES)})
    async with serving(Cluster(version, documents, COREFILE, [account])) as served:
        facts = await facts_of(served, tmp_path)
    assert facts.service_networks_source == "not told by the cluster: set service_networks in app.yaml"
    assert facts.unreadable == ()


def without(resource: str) -> Account:
    rules = [{**rule, "resources": [r for r in rule["resources"] if r != resource]} for rule in READER_RULES]
    return Account.load({"user": "half-blind", "token": f"{TOKEN}-2", "rules": rules})


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        ("nodes", "nodes: our account may not list nodes"),
        (
            "endpointslices",
            "endpointslices: our account may not list endpointslices (discovery.k8s.io) in all namespaces",
        ),
        ("leases", "leases: our account may not list leases (coordination.k8s.io) in namespace kube-node-lease"),
        ("servicecidrs", "servicecidrs: our account may not list servicecidrs (networking.k8s.io)"),
        ("configmaps", "coredns: our account may not get the configmap coredns in namespace kube-system"),
    ],
)
async def test_a_missing_right_is_named_and_the_rest_is_read(
    served: Running, tmp_path: Path, resource: str, says: str
) -> None:
    account = without(resource)
    served.cluster.accounts.append(account)
    async with reading(served.write_kubeconfig(tmp_path / "kubeconfig", account)) as reader:
        facts = await reader.facts()
    assert says in facts.unreadable
    assert len(facts.services) > 5


@pytest.mark.parametrize("resource", ["services", "namespaces"])
async def test_without_services_or_namespaces_nothing_can_be_said(
    served: Running, tmp_path: Path, resource: str
) -> None:
    account = without(resource)
    served.cluster.accounts.append(account)
    said = await failure_of(served.write_kubeconfig(tmp_path / "kubeconfig", account), Rejected)
    assert f"qa: our account may not list {resource}" in said


async def test_renewed_credentials_are_taken_from_the_file_without_a_restart(served: Running, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    served.write_kubeconfig(path, Account("somebody", "an-expired-token", ()))
    async with reading(path) as reader:
        with pytest.raises(Rejected, match=f"does not accept our credentials; renew those in {path}") as refused:
            await reader.facts()
        assert "an-expired-token" not in str(refused.value)
        served.write_kubeconfig(path)
        assert len((await reader.facts()).nodes) == 7


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("error", "could not list services in all namespaces (HTTP 500)"),
        ("throttle", "could not list services in all namespaces (HTTP 429)"),
        ("reset", "the connection broke"),
        ("garbage", "not as a Kubernetes API server does"),
        ("hang", "no answer in time"),
    ],
)
async def test_a_misbehaving_server_is_unreachable(served: Running, tmp_path: Path, kind: Kind, says: str) -> None:
    served.cluster.faults.add(Fault(kind, "/api/v1/services"))
    path = served.write_kubeconfig(tmp_path / "kubeconfig")
    assert says in await failure_of(path, Unreachable, read_timeout_s=0.5 if kind == "hang" else 20)


async def test_one_thing_that_hangs_does_not_hide_the_others(served: Running, tmp_path: Path) -> None:
    served.cluster.faults.add(Fault("hang", "/apis/coordination.k8s.io"))
    facts = await facts_of(served, tmp_path, read_timeout_s=2)
    assert len(facts.services) > 5
    assert [problem.split(":")[0] for problem in facts.unreadable] == ["leases"]
    assert all(node.lease_renewed is None for node in facts.nodes)


async def test_answers_that_drip_hold_nobody_up_once_their_time_is_over(served: Running, tmp_path: Path) -> None:
    """Silence has a limit of its own; a byte now and then is no silence."""
    served.cluster.faults.add(Fault("drip", count=10))  # as many as are asked at once
    async with reading(served.write_kubeconfig(tmp_path / "kubeconfig"), deadline_s=3) as reader:
        with pytest.raises(Unreachable, match="no answer in time"):
            await reader.facts()
        assert not served.cluster.faults.active
        assert len((await reader.facts()).nodes) == 7


async def test_a_refusal_without_end_is_not_listened_to(served: Running, tmp_path: Path) -> None:
    served.cluster.faults.add(Fault("endless", "/api/v1/services"))
    path = served.write_kubeconfig(tmp_path / "kubeconfig")
    says = "could not list services in all namespaces (HTTP 500)"
    assert says in await failure_of(path, Unreachable, deadline_s=60, read_timeout_s=60)


async def test_an_object_that_is_gone_is_named_and_the_rest_is_read(served: Running, tmp_path: Path) -> None:
    served.cluster.faults.add(Fault("gone", "/version"))
    facts = await facts_of(served, tmp_path)
    assert len(facts.nodes) == 7
    assert [problem.split(":")[0] for problem in facts.unreadable] == ["version"]


async def test_the_deadline_covers_everything(served: Running, tmp_path: Path) -> None:
    served.cluster.faults.add(Fault("hang"))
    path = served.write_kubeconfig(tmp_path / "kubeconfig")
    assert "no answer in time" in await failure_of(path, Unreachable, deadline_s=1.5, read_timeout_s=60)


async def test_the_bots_loop_goes_on_while_a_server_hangs(served: Running, tmp_path: Path) -> None:
    served.cluster.faults.add(Fault("hang"))
    async with reading(served.write_kubeconfig(tmp_path / "kubeconfig"), read_timeout_s=1) as reader:
        facts = asyncio.ensure_future(reader.facts())
        turns = 0
        while not facts.done():
            await asyncio.sleep(0)
            turns += 1
        with pytest.raises(Unreachable):
            facts.result()
    assert turns > 100


async def test_nobody_listening_is_said_at_once(served: Running, tmp_path: Path) -> None:
    path = served.write_kubeconfig(tmp_path / "kubeconfig")
    await served.api.stop()
    assert "nobody listens there" in await failure_of(path, Unreachable)


async def test_a_server_with_anothers_certificate_is_not_trusted(served: Running, tmp_path: Path) -> None:
    async with running(cluster("another")) as another:
        document = {**served.kubeconfig(), "clusters": another.kubeconfig(server=served.url)["clusters"]}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    assert "its certificate is not the one the kubeconfig trusts" in await failure_of(path, Unreachable)


async def test_a_name_that_does_not_resolve_is_said(served: Running, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(served.kubeconfig(server="https://api.invalid:6443")))
    assert "its name is unknown here" in await failure_of(path, Unreachable)


def no_file(path: Path) -> None:
    path.unlink(missing_ok=True)


def not_yaml(path: Path) -> None:
    path.write_text(f"users: [{TOKEN}")


def not_a_kubeconfig(path: Path) -> None:
    path.write_text("- just\n- a list\n")


@pytest.mark.parametrize("spoil", [no_file, not_yaml, not_a_kubeconfig])
async def test_a_kubeconfig_that_cannot_be_used_is_rejected(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / "kubeconfig"
    spoil(path)
    assert f"cannot use the kubeconfig {path}" in await failure_of(path, Rejected)


async def test_what_a_thread_of_the_client_library_says_is_said_in_the_callers_language(tmp_path: Path) -> None:
    with speaking(catalogue("zh-CN")):
        assert "无法使用" in await failure_of(tmp_path / "missing", Rejected)


async def test_who_was_refused_with_another_does_not_forget_what_the_other_connected_since(
    served: Running, tmp_path: Path
) -> None:
    async with reading(tmp_path / "kubeconfig") as reader:

        async def mended() -> None:
            with pytest.raises(Rejected):
                await reader.facts()
            served.write_kubeconfig(tmp_path / "kubeconfig")
            await reader.facts()

        _, refused = await asyncio.gather(mended(), reader.facts(), return_exceptions=True)
        assert isinstance(refused, Rejected)
        assert reader.server() is not None


async def test_an_unknown_context_is_rejected(served: Running, tmp_path: Path) -> None:
    path = served.write_kubeconfig(tmp_path / "kubeconfig")
    assert "prod" in await failure_of(path, Rejected, context="prod")


@pytest.mark.parametrize(
    "answer",
    [
        *(
            json.dumps(one)
            for one in (
                [1, 2],
                {},
                {"items": []},
                {"kind": "Status", "items": []},
                {"kind": "NodeList", "items": 7},
                {"kind": "NodeList", "items": [{"metadata": None}]},
                {"kind": "NodeList", "items": [{"x": 1}]},
            )
        ),
        "[" * 100_000,
    ],
    ids=lambda answer: answer[:30],
)
async def test_json_of_another_form_is_unreachable(answer: str, tmp_path: Path, served: Running) -> None:
    """A proxy's or a login page's idea of an answer, over the real listener's certificate."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = answer.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=served._tls)
    path = tmp_path / "kubeconfig"
    url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    path.write_text(yaml.safe_dump(served.kubeconfig(server=url)))
    await failure_of(path, Unreachable)
    listener.close()
    await listener.wait_closed()


async def test_a_closed_reader_says_so(served: Running, tmp_path: Path) -> None:
    reader = KubernetesReader("qa", KubernetesSettings(kubeconfig=served.write_kubeconfig(tmp_path / "kubeconfig")))
    await reader.facts()
    await reader.close()
    await reader.close()
    with pytest.raises(Unreachable, match="closed"):
        await reader.facts()


async def test_the_api_servers_address_is_known_once_it_was_asked(tmp_path: Path) -> None:
    async with (
        no_connection_left(),
        running(cluster(TOKEN, clock=HandClock())) as served,
        reading(served.write_kubeconfig(tmp_path / "kubeconfig")) as reader,
    ):
        assert reader.server() is None
        await reader.facts()
        assert reader.server() == (IPv4Address("127.0.0.1"), served.api.address[1])


async def test_a_name_hides_where_the_api_server_stands(tmp_path: Path) -> None:
    async with no_connection_left(), running(cluster(TOKEN, clock=HandClock())) as served:
        document = kubeconfig(f"https://localhost:{served.api.address[1]}", served.ca_pem, TOKEN)
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(document))
        async with reading(tmp_path / "kubeconfig") as reader:
            await reader.facts()
            assert reader.server() is None
