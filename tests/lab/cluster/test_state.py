"""State in and out, the control endpoint, and the program on its own."""

import asyncio
import json
import os
import signal
import stat
import sys

import aiohttp
import dns.asyncquery
import dns.message
import pytest
import yaml

from lab.cluster import article
from lab.cluster.access import Account
from lab.cluster.model import NODES, SERVICES, Cluster, is_ready
from lab.cluster.store import ObjectStore
from tests.lab.cluster.clients import READER

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "new"}, "spec": {"clusterIP": "10.68.9.9"}}


def test_a_dumped_state_loads_as_the_same_state(clock):
    first = article.cluster(READER, clock=clock)
    first.freeze_lease("k8s-qa-node-02")
    again = Cluster.load(json.loads(json.dumps(first.dump())), clock=clock)

    def comparable(cluster):
        state = cluster.dump()
        for document in state["objects"]:
            del document["metadata"]["resourceVersion"]
        return state

    assert comparable(again) == comparable(first)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, "unknown kind"),
        ({"apiVersion": "v1", "kind": "Service", "metadata": {}}, "needs metadata.name"),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "namespace": "b"}}, "cluster-scoped"),
    ],
)
def test_an_object_that_cannot_be_says_why(clock, document, complaint):
    with pytest.raises(ValueError, match=complaint):
        ObjectStore(clock).put(document)


def test_a_merge_patch_merges_replaces_and_removes(clock):
    store = ObjectStore(clock)
    store.put({**SERVICE, "spec": {"a": {"b": 1, "c": 2}, "d": [1, 2], "e": 3}})
    patched = store.patch(SERVICES, "default", "new", {"spec": {"a": {"b": 9}, "d": [3], "e": None}})
    assert patched["spec"] == {"a": {"b": 9, "c": 2}, "d": [3]}
    assert patched["metadata"]["uid"] == store.get(SERVICES, "default", "new")["metadata"]["uid"]


def test_a_token_is_not_shown():
    assert READER not in repr(Account("user", READER, ()))


class Control:
    def __init__(self, session, url):
        self._session, self._url = session, url

    async def __call__(self, method, path, body=None):
        async with self._session.request(method, f"{self._url}{path}", json=body) as response:
            return response.status, await response.json()


@pytest.fixture
async def control(lab):
    async with aiohttp.ClientSession() as session:
        yield Control(session, lab.control_url)


async def test_objects_are_changed_from_outside(lab, control):
    store = lab.cluster.store
    assert (await control("PUT", "/objects", SERVICE))[0] == 200
    await control("PATCH", "/objects/services/default/new", {"spec": {"clusterIP": "10.68.9.10"}})
    assert store.get(SERVICES, "default", "new")["spec"]["clusterIP"] == "10.68.9.10"
    await control("PATCH", "/objects/nodes/-/k8s-qa-node-02", {"spec": {"unschedulable": True}})
    assert store.get(NODES, "", "k8s-qa-node-02")["spec"]["unschedulable"]
    assert (await control("DELETE", "/objects/services/default/new"))[0] == 200
    assert store.get(SERVICES, "default", "new") is None


async def test_nodes_are_switched_from_outside(lab, control):
    await control("POST", "/nodes/k8s-qa-node-02/kill")
    assert lab.cluster.down == {"k8s-qa-node-02"}
    await control("POST", "/nodes/k8s-qa-node-02/revive")
    await control("POST", "/nodes/*/freeze-lease")
    assert (lab.cluster.down, len(lab.cluster.silent)) == (set(), 7)


async def test_readiness_is_switched_from_outside(lab, control):
    await control("POST", "/ready/default/web-abc", {"ready": False})
    (document,) = lab.cluster.slices("default", "web-abc")
    assert not any(is_ready(endpoint) for endpoint in document["endpoints"])


async def test_the_api_and_dns_are_stopped_and_started_from_outside(lab, control):
    await control("POST", "/api/stop")
    await control("POST", "/dns/stop")
    assert (lab.api.serving, lab.dns.serving) == (False, False)
    await control("POST", "/api/start")
    await control("POST", "/dns/start")
    assert (lab.api.serving, lab.dns.serving) == (True, True)


async def test_faults_are_set_and_cleared_from_outside(lab, control):
    await control("POST", "/faults", {"kind": "error", "path": "/version"})
    assert [fault.kind for fault in lab.cluster.faults.active] == ["error"]
    await control("DELETE", "/faults")
    assert lab.cluster.faults.active == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "hint"),
    [
        ("POST", "/nodes/nobody/kill", None, 404, "k8s-qa-node-01"),
        ("POST", "/nodes/k8s-qa-node-02/tickle", None, 404, "revive"),
        ("DELETE", "/objects/services/default/nothing", None, 404, "no Service 'nothing' in 'default'"),
        ("PATCH", "/objects/pods/default/a", {}, 404, "endpointslices"),
        ("PUT", "/objects", {"kind": "Pod"}, 400, "unknown kind"),
        ("POST", "/faults", {"kind": "explode"}, 400, "hang"),
        ("POST", "/faults", {"kind": "hang", "where": "/"}, 400, "no field 'where'"),
        ("POST", "/faults", {}, 400, "needs a kind"),
        ("POST", "/faults", None, 400, "not JSON"),
        ("POST", "/faults", [], 400, "JSON object"),
        ("POST", "/ready/default/web-abc", {}, 400, "true"),
    ],
)
async def test_mistakes_are_explained(control, method, path, body, status, hint):
    code, answer = await control(method, path, body)
    assert code == status
    assert hint in answer["error"]


async def test_the_state_read_from_outside_can_be_loaded(lab, control, clock):
    _, state = await control("GET", "/state")
    assert [n["metadata"]["name"] for n in Cluster.load(state, clock=clock).nodes()] == lab.cluster.node_names()


async def _start(tmp_path, *arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lab.cluster", "--listen", "127.0.0.1:0", "--dns", "127.0.0.1:0", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "K8SNET_LAB_CLUSTER_TOKEN": READER},
    )  # fmt: skip


async def test_the_program_serves_until_it_is_told_to_stop(tmp_path):
    paths = {name: tmp_path / name for name in ("kubeconfig", "ca", "dump")}
    options = [f"--kubeconfig-out={paths['kubeconfig']}", f"--ca-out={paths['ca']}", f"--dump={paths['dump']}"]
    process = await _start(tmp_path, *options)
    ready = (await process.stdout.readline()).decode()
    assert ready.startswith("cluster ready: API https://127.0.0.1:")
    host, port = ready.split("DNS ")[1].split(",")[0].split(":")
    query = dns.message.make_query("dns-version.cluster.local.", "TXT")
    assert (await dns.asyncquery.udp(query, host, port=int(port), timeout=10)).answer
    config = yaml.safe_load(paths["kubeconfig"].read_text())
    assert config["clusters"][0]["cluster"]["server"] in ready
    assert stat.S_IMODE(paths["kubeconfig"].stat().st_mode) == 0o600
    assert paths["ca"].read_text().startswith("-----BEGIN CERTIFICATE")
    process.send_signal(signal.SIGTERM)
    out, errors = await process.communicate()
    assert (process.returncode, out, errors) == (0, b"", b"")
    assert Cluster.read(paths["dump"]).version == "1.34"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        ("nonsense", "not the state of a cluster"),
        ('{"version": "1.34"}', "the field 'objects' is missing"),
        ('{"version": "2.0", "objects": [], "corefile": ""}', "not a Kubernetes version"),
        ('{"version": "1.34", "objects": [], "corefile": ""}', "no server block"),
    ],
)
async def test_the_program_says_why_it_cannot_start(tmp_path, content, complaint):
    path = tmp_path / "state.json"
    if content is not None:
        path.write_text(content)
    process = await _start(tmp_path, "--load", str(path))
    out, errors = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert str(path) in errors.decode()
    assert complaint in errors.decode()
    assert b"Traceback" not in errors


async def test_a_state_without_tokens_has_nobody_to_write_a_kubeconfig_for(lab, tmp_path):
    lab.cluster.accounts.clear()
    with pytest.raises(ValueError, match="no tokens"):
        lab.write_kubeconfig(tmp_path / "kubeconfig")
