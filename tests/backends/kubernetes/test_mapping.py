"""Every file of tests/cases/kubernetes: what the API said, and the part of the facts that must follow from it."""

import json
from pathlib import Path

import pytest

from backends.kubernetes.mapping import Raw, cluster_facts
from backends.kubernetes.settings import KubernetesSettings

CASES = sorted((Path(__file__).parents[2] / "cases" / "kubernetes").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_api_s_json_becomes_facts(path: Path) -> None:
    case = json.loads(path.read_text())
    settings = KubernetesSettings.model_validate({"kubeconfig": "unused", **case.get("settings", {})})
    facts = cluster_facts("qa", Raw.model_validate(case["raw"]), settings).model_dump(mode="json")
    assert {name: facts[name] for name in case["expect"]} == case["expect"], case["says"]


def test_there_are_cases() -> None:
    assert len(CASES) >= 20
