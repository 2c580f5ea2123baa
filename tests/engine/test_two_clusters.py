"""Two clusters behind one firewall: what both use stays for as long as either needs it."""

from bot.engine.engine import Engine
from bot.model.commands import Expose, Unexpose
from bot.model.resources import Key
from tests.asking import ask, change
from tests.office import Company, StillCluster

OFFICE = Key(kind="address", name="office-hq")
SERVER = Key(kind="address", name="dns-dc1")


def two_clusters() -> tuple[Company, Engine]:
    """prod is like qa, with names of its own."""
    company = Company()
    [qa] = company.site.clusters
    prod = qa.model_copy(
        update={
            "name": "prod",
            "service_object": "prod-services",
            "pod_object": "prod-pods",
            "kube_dns_object": "k8snet-prod-kube-dns",
            "policy_prefix": "k8snet-prod",
        }
    )
    company.site = company.site.model_copy(update={"clusters": (qa, prod)})
    engine = company.engine()
    reader = StillCluster()
    reader.now = reader.now.model_copy(update={"cluster": "prod"})
    object.__setattr__(engine.context, "clusters", {"qa": company.cluster, "prod": reader})  # of this one life
    return company, engine


async def test_what_the_other_cluster_s_policies_use_is_not_removed_and_that_is_said() -> None:
    company, engine = two_clusters()
    assert (await change(engine, Expose(namespace="default", cluster="qa"), "d1")).state == "done"
    assert (await change(engine, Expose(namespace="monitoring", cluster="prod"), "d2")).state == "done"
    operation = await ask(engine, Unexpose(namespace="default", cluster="qa"), delivery="d3")
    assert operation.plan is not None
    removed = {step.key for step in operation.plan.steps if step.after is None}
    assert Key(kind="policy", name="k8snet-qa-hq") in removed
    assert not {OFFICE, SERVER} & removed
    assert "address office-hq on fw stays: cluster prod uses it" in " ".join(operation.plan.warnings)
    assert OFFICE in company.firewall.resources


async def test_once_nobody_uses_it_whoever_made_it_takes_it_away() -> None:
    company, engine = two_clusters()
    await change(engine, Expose(namespace="default", cluster="qa"), "d1")
    await change(engine, Expose(namespace="monitoring", cluster="prod"), "d2")
    await change(engine, Unexpose(namespace="monitoring", cluster="prod"), "d3")
    await change(engine, Unexpose(namespace="default", cluster="qa"), "d4")
    assert company.resources() == {"fw": {}, "dc1": {}}
