"""What happens to nodes as time passes, seen through the API's objects."""

from lab.cluster import article
from lab.cluster.clock import HandClock
from lab.cluster.model import LEASES, NODES, Cluster, is_ready, ready_status
from tests.lab.cluster.clients import READER

NODE = "k8s-qa-node-03"  # carries the article's Redis


def _renewed(cluster: Cluster, node: str) -> str:
    return cluster.store.get(LEASES, "kube-node-lease", node)["spec"]["renewTime"]


def _pass(cluster: Cluster, clock: HandClock, seconds: int) -> None:
    for _ in range(seconds // 10):
        clock.advance(10)
        cluster.beat()


def _status(cluster: Cluster) -> str:
    return ready_status(cluster.store.get(NODES, "", NODE))


def _redis_ready(cluster: Cluster) -> bool:
    (document,) = cluster.slices("default", article.REDIS)
    return is_ready(document["endpoints"][0])


def _cluster(clock: HandClock, **changes: object) -> Cluster:
    return Cluster.load(article.cluster(READER, clock=clock).dump() | changes, clock=clock)


async def test_running_clusters_renew_leases_every_ten_seconds(lab, clock):
    before = _renewed(lab.cluster, NODE)
    await clock.until_sleeping(10)
    clock.advance(10)
    await clock.until_sleeping(10)  # the next beat is being waited for, so this one is done
    assert _renewed(lab.cluster, NODE) > before


def test_a_dead_node_is_not_ready_after_the_grace_period_and_loses_its_endpoints(clock):
    cluster = _cluster(clock)
    last = _renewed(cluster, NODE)
    cluster.kill_node(NODE)
    _pass(cluster, clock, 50)
    assert (_status(cluster), _redis_ready(cluster), _renewed(cluster, NODE)) == ("True", True, last)
    _pass(cluster, clock, 10)
    node = cluster.store.get(NODES, "", NODE)
    assert (_status(cluster), _redis_ready(cluster)) == ("Unknown", False)
    assert {(t["key"], t["effect"]) for t in node["spec"]["taints"]} == {
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    }


def test_a_node_that_returns_is_ready_and_so_are_its_pods(clock):
    cluster = _cluster(clock)
    cluster.kill_node(NODE)
    _pass(cluster, clock, 60)
    cluster.revive_node(NODE)
    node = cluster.store.get(NODES, "", NODE)
    assert (_status(cluster), _redis_ready(cluster), node["spec"]["taints"]) == ("True", True, [])


def test_an_endpoint_that_was_unready_before_the_crash_stays_so_after_it(clock):
    cluster = _cluster(clock)
    cluster.set_ready("default", article.REDIS, False)
    cluster.kill_node(NODE)
    _pass(cluster, clock, 60)
    cluster.revive_node(NODE)
    assert not _redis_ready(cluster)


def test_published_unready_endpoints_stay_in_dns(clock):
    cluster = _cluster(clock)
    service = next(s for s in cluster.services() if s["metadata"]["name"] == article.REDIS)
    cluster.store.put({**service, "spec": {**service["spec"], "publishNotReadyAddresses": True}})
    cluster.set_ready("default", article.REDIS, False)
    (document,) = cluster.slices("default", article.REDIS)
    assert document["endpoints"][0]["conditions"] == {"ready": True, "serving": False, "terminating": False}


def test_older_releases_wait_only_forty_seconds(clock):
    cluster = _cluster(clock, version="1.31")
    cluster.kill_node(NODE)
    _pass(cluster, clock, 50)
    assert _status(cluster) == "Unknown"


def test_a_frozen_lease_goes_stale_while_the_machine_lives(clock):
    cluster = _cluster(clock)
    cluster.freeze_lease(NODE)
    _pass(cluster, clock, 60)
    assert (_status(cluster), NODE in cluster.down) == ("Unknown", False)
    cluster.thaw_lease(NODE)
    assert _status(cluster) == "True"


def test_a_state_with_a_dead_node_is_loaded_dead(clock):
    cluster = _cluster(clock, down=[NODE])
    before = _renewed(cluster, NODE)
    _pass(cluster, clock, 60)
    assert (_renewed(cluster, NODE), _status(cluster)) == (before, "Unknown")
