"""Reads through the official client: what a program sees of the article's cluster."""

import json

import aiohttp
import pytest
from kubernetes import client

from lab.cluster import article
from lab.cluster.model import SERVICES
from lab.cluster.serving import running
from tests.lab.cluster.clients import ADMIN, READER


async def test_the_nodes_are_those_of_the_articles_route_table(call):
    nodes = (await call(client.CoreV1Api, "list_node")).items
    found = {n.status.addresses[0].address: (n.metadata.name, n.spec.pod_cidrs) for n in nodes}
    assert found["172.16.1.106"] == ("k8s-qa-node-02", ["172.20.3.0/24"])
    assert {address: cidrs for address, (_, cidrs) in found.items()} == {
        "172.16.1.100": ["172.20.0.0/24"],
        "172.16.1.101": ["172.20.1.0/24"],
        "172.16.1.106": ["172.20.3.0/24"],
        "172.16.1.107": ["172.20.4.0/24"],
        "172.16.1.108": ["172.20.5.0/24"],
        "172.16.1.109": ["172.20.6.0/24"],
        "172.16.1.110": ["172.20.2.0/24"],
    }


async def test_services_and_their_endpoints_fit_together(call):
    services = (await call(client.CoreV1Api, "list_namespaced_service", namespace="default")).items
    slices = await call(
        client.DiscoveryV1Api,
        "list_namespaced_endpoint_slice",
        namespace="default",
        label_selector=f"kubernetes.io/service-name={article.REDIS}",
    )
    redis = next(s for s in services if s.metadata.name == article.REDIS)
    assert redis.spec.cluster_ip == "None"
    (endpoint,) = slices.items[0].endpoints
    assert (endpoint.addresses, endpoint.node_name) == (["172.20.4.222"], "k8s-qa-node-03")


async def test_a_missing_object_is_a_status_with_details(call):
    with pytest.raises(client.ApiException) as caught:
        await call(client.CoreV1Api, "read_namespaced_config_map", name="kube-proxy", namespace="kube-system")
    status = json.loads(caught.value.body)
    assert (caught.value.status, status["kind"], status["reason"]) == (404, "Status", "NotFound")
    assert status["details"] == {"name": "kube-proxy", "kind": "configmaps"}


async def test_a_wrong_token_is_unauthorized(call):
    with pytest.raises(client.ApiException) as caught:
        await call(client.CoreV1Api, "list_node", token="guessed")
    assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("method", "arguments", "subject"),
    [
        ("list_namespaced_secret", {"namespace": "default"}, 'list resource "secrets" in API group ""'),
        ("list_namespaced_config_map", {"namespace": "kube-system"}, 'list resource "configmaps"'),
        ("read_namespaced_config_map", {"namespace": "kube-system", "name": "other"}, "get resource"),
        ("delete_namespaced_service", {"namespace": "default", "name": "web-abc"}, "delete resource"),
    ],
)
async def test_what_the_rules_do_not_name_is_forbidden(call, method, arguments, subject):
    with pytest.raises(client.ApiException) as caught:
        await call(client.CoreV1Api, method, **arguments)
    status = json.loads(caught.value.body)
    assert (caught.value.status, status["reason"]) == (403, "Forbidden")
    assert subject in status["message"]
    assert READER not in caught.value.body


async def test_leases_are_open_in_their_namespace_only(call):
    leases = await call(client.CoordinationV1Api, "list_namespaced_lease", namespace="kube-node-lease")
    assert len(leases.items) == 7
    with pytest.raises(client.ApiException) as caught:
        await call(client.CoordinationV1Api, "list_lease_for_all_namespaces")
    assert caught.value.status == 403


async def test_writes_are_not_served_even_to_those_who_may(call):
    with pytest.raises(client.ApiException) as caught:
        await call(client.CoreV1Api, "delete_namespaced_service", token=ADMIN, namespace="default", name="web-abc")
    assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (405, "MethodNotAllowed")


async def test_strangers_see_the_health_and_nothing_else(lab):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{lab.url}/readyz", ssl=lab.client_tls()) as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with session.get(f"{lab.url}/api/v1/nodes", ssl=lab.client_tls()) as response:
            assert response.status == 403
            assert "system:anonymous" in (await response.json())["message"]


@pytest.mark.parametrize(("version", "expected"), [("1.32", 404), ("1.33", ["10.68.0.0/16"])])
async def test_service_cidrs_exist_from_1_33_on(version, expected):
    state = article.cluster(READER).dump() | {"version": version}
    async with running(article.Cluster.load(state)) as served, aiohttp.ClientSession() as session:
        url = f"{served.url}/apis/networking.k8s.io/v1/servicecidrs"
        headers = {"Authorization": f"Bearer {READER}"}
        async with session.get(url, headers=headers, ssl=served.client_tls()) as response:
            found = response.status if response.status != 200 else (await response.json())["items"][0]["spec"]["cidrs"]
    assert found == expected


async def test_the_version_is_the_emulated_one(call):
    version = await call(client.VersionApi, "get_code")
    assert (version.major, version.minor, version.git_version) == ("1", "34", "v1.34.0")


async def test_discovery_names_what_is_served(call):
    resources = await call(client.CoreV1Api, "get_api_resources")
    assert {r.name for r in resources.resources} >= {"nodes", "namespaces", "services", "configmaps"}
    groups = await call(client.ApisApi, "get_api_versions")
    assert {g.name for g in groups.groups} == {
        "coordination.k8s.io",
        "discovery.k8s.io",
        "networking.k8s.io",
    }


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"), [("list", "nodes", True), ("list", "secrets", False), ("delete", "nodes", False)]
)
async def test_an_access_review_agrees_with_the_rules(call, verb, resource, allowed):
    attributes = client.V1ResourceAttributes(verb=verb, resource=resource, group="")
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
    answer = await call(client.AuthorizationV1Api, "create_self_subject_access_review", body=review)
    assert answer.status.allowed is allowed


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("k8s-app=kube-dns", {"kube-dns"}),
        ("k8s-app==kube-dns", {"kube-dns"}),
        ("k8s-app", {"kube-dns"}),
        ("app in (web-abc, redis-abc)", {"web-abc", "redis-abc"}),
        ("app notin (web-abc),app!=redis-abc,app,app!=prometheus", {
            "redis-abc-gns", "echo-udp", "empty-abc", "orders-db", "rabbitmq", "payments",
        }),
        ("!app,!component", {"kube-dns", "registry-abc"}),
    ],
)  # fmt: skip
async def test_label_selectors(call, selector, expected):
    found = await call(client.CoreV1Api, "list_service_for_all_namespaces", label_selector=selector)
    assert {service.metadata.name for service in found.items} == expected


async def test_field_selectors(call):
    found = await call(client.CoreV1Api, "list_node", field_selector="metadata.name=k8s-qa-node-02")
    assert [node.metadata.name for node in found.items] == ["k8s-qa-node-02"]
    with pytest.raises(client.ApiException) as caught:
        await call(client.CoreV1Api, "list_node", field_selector="spec.colour=red")
    assert (caught.value.status, "spec.colour" in caught.value.body) == (400, True)


async def _pages(call, **arguments):
    page = await call(client.CoreV1Api, "list_service_for_all_namespaces", limit=4, **arguments)
    return page, [service.metadata.name for service in page.items]


async def test_pages_add_up_to_one_moment_of_the_list(lab, call):
    everything = await call(client.CoreV1Api, "list_service_for_all_namespaces")
    expected = [service.metadata.name for service in everything.items]
    page, names = await _pages(call)
    assert page.metadata.remaining_item_count == len(expected) - 4
    lab.cluster.store.delete(SERVICES, "qa-orders", "rabbitmq")  # between two pages: the list must not notice
    while page.metadata.var_continue:
        page, more = await _pages(call, _continue=page.metadata.var_continue)
        names += more
    assert names == expected
    assert page.metadata.resource_version == everything.metadata.resource_version


async def test_a_forgotten_page_is_gone_and_offers_to_go_on_inconsistently(lab, call):
    page, first = await _pages(call)
    lab.cluster.store.delete(SERVICES, "qa-orders", "rabbitmq")
    lab.cluster.store.compact()
    with pytest.raises(client.ApiException) as caught:
        await _pages(call, _continue=page.metadata.var_continue)
    status = json.loads(caught.value.body)
    assert (caught.value.status, status["reason"]) == (410, "Expired")
    _, second = await _pages(call, _continue=status["metadata"]["continue"])
    assert second
    assert not set(first) & set(second)
    assert "rabbitmq" not in second


async def test_a_resource_version_from_the_future_is_refused(call):
    with pytest.raises(client.ApiException) as caught:
        await call(client.CoreV1Api, "list_node", resource_version="999999")
    assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (504, "Timeout")
