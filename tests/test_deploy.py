"""deploy/ and the Dockerfile say what the program needs: rights, places to write, names of variables, files."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backends.kubernetes.reader import KubernetesReader
from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import BackendError
from lab.cluster.access import Account
from lab.cluster.article import cluster
from lab.cluster.serving import running

ROOT = Path(__file__).parent.parent
READER = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/reader.yaml").read_text(encoding="utf-8")))
CANARY = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/canary.yaml").read_text(encoding="utf-8")))
[BOT] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))["services"].values()
EXAMPLE = (ROOT / "app.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
TOKEN = "a-token-of-the-reader"


def rights() -> Iterator[dict[str, Any]]:
    """Each single right: one verb on one resource, of one name where names are given."""
    bound = {one["roleRef"]["name"] for one in READER if one["kind"].endswith("Binding")}
    for role in READER:
        if role["kind"] in ("Role", "ClusterRole"):
            assert role["metadata"]["name"] in bound
            for rule in role["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        for verb in rule["verbs"]:
                            for name in rule.get("resourceNames", [None]):
                                yield {
                                    "apiGroups": [group],
                                    "resources": [resource],
                                    "verbs": [verb],
                                    "namespace": role["metadata"].get("namespace", ""),
                                    **({"resourceNames": [name]} if name else {}),
                                }


async def lacking(rules: list[dict[str, Any]], tmp_path: Path) -> tuple[str, ...]:
    """What an account with these rules cannot read."""
    account = Account.load({"user": "system:serviceaccount:k8snet:k8snet-reader", "token": TOKEN, "rules": rules})
    async with running(cluster("another-token", accounts=(account,))) as served:
        kubeconfig = served.write_kubeconfig(tmp_path / "kubeconfig", account)
        reader = KubernetesReader("qa", KubernetesSettings(kubeconfig=kubeconfig))
        try:
            return (await reader.facts()).unreadable
        except BackendError as error:
            return (str(error),)
        finally:
            await reader.close()


async def test_the_reader_has_every_right_that_reading_needs(tmp_path: Path) -> None:
    assert await lacking(list(rights()), tmp_path) == ()


@pytest.mark.parametrize("number", range(len(list(rights()))))
async def test_the_reader_has_no_right_that_reading_does_not_need(number: int, tmp_path: Path) -> None:
    without = list(rights())
    taken = without.pop(number)
    assert await lacking(without, tmp_path) != (), taken


def test_both_manifests_agree_on_their_namespace() -> None:
    one, other = (doc for doc in (*READER, *CANARY) if doc["kind"] == "Namespace")
    assert one == other, "applied one after the other, the second would take the first one's labels away"


def test_a_container_whose_root_is_read_only_has_the_places_that_are_written_to() -> None:
    """The Kubernetes client puts what is embedded in a kubeconfig into temporary files; SQLite writes the journal."""
    assert BOT["read_only"] is True
    assert "/tmp" in BOT["tmpfs"]
    journal = re.search(r"sqlite:///(/\S+)/", EXAMPLE)
    assert journal is not None
    assert f"journal:{journal[1]}" in BOT["volumes"]
    assert f"VOLUME {journal[1]}" in DOCKERFILE


def test_the_container_is_given_every_variable_that_the_example_names() -> None:
    named = [line for line in EXAMPLE.splitlines() if not line.lstrip().startswith("#")]
    assert sorted(BOT["environment"]) == sorted(re.findall(r"\{env: (\w+)\}", "\n".join(named)))


def test_the_health_check_asks_where_the_example_would_listen() -> None:
    listen = re.search(r"listen: (\S+:8086)", EXAMPLE)
    assert listen is not None
    assert f"http://{listen[1]}/healthz" in BOT["healthcheck"]["test"][-1]


def test_the_image_holds_the_packages_and_starts_the_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    files = [name for line in copied for name in line.split()]
    assert all((ROOT / name).exists() for name in files)
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages - set(files) == {"lab"}
    assert project["project"]["readme"] in files
    [extras] = re.findall(r"pip install .*'\.\[(.+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
    [program] = re.findall(r'^ENTRYPOINT \["(.+)"\]$', DOCKERFILE, re.MULTILINE)
    assert program in project["project"]["scripts"]
