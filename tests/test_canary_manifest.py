"""deploy/kubernetes/canary.yaml holds together, and asks for no rights."""

from pathlib import Path

import yaml

from bot.model.canary import canary_name

MANIFEST = Path(__file__).parents[1] / "deploy/kubernetes/canary.yaml"
DOCUMENTS = list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))


def of(kind: str) -> list[dict]:
    return [one for one in DOCUMENTS if one["kind"] == kind]


def test_every_service_leads_to_the_pods_on_the_port_they_listen_on() -> None:
    (pods,) = of("DaemonSet")
    template = pods["spec"]["template"]
    (container,) = template["spec"]["containers"]
    (port,) = container["ports"]
    assert str(port["containerPort"]) in container["command"]
    for service in of("Service"):
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        assert [one["targetPort"] for one in service["spec"]["ports"]] == [port["name"]]
        assert service["spec"]["ports"][0]["port"] == port["containerPort"]


def test_the_services_bear_the_names_by_which_they_are_found() -> None:
    names = [service["metadata"]["name"] for service in of("Service")]
    assert names == [canary_name(f"k8s-qa-node-0{number}") for number in (3, 4, 5)]
    assert canary_name("node.example.org") == "canary-node-example-org"
    assert len(canary_name("n" * 80)) <= 63


def test_the_pods_have_no_rights() -> None:
    (pods,) = of("DaemonSet")
    spec = pods["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & {one["kind"] for one in DOCUMENTS}
