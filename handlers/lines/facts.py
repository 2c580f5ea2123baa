"""What was read from a cluster, in plain words."""

from bot.model.facts import ClusterFacts
from bot.model.wording import tr


def facts_lines(facts: ClusterFacts) -> list[str]:
    """What was read from a cluster, and where each value comes from."""
    lines = [
        tr(
            "cluster {cluster} {version}, domain {domain} ({source})",
            cluster=facts.cluster,
            version=facts.version,
            domain=facts.domain,
            source=facts.domain_source,
        ),
        tr(
            "services {networks} ({source})",
            networks=", ".join(map(str, facts.service_networks)),
            source=facts.service_networks_source,
        ),
        tr(
            "pods     {networks} ({source})",
            networks=", ".join(map(str, facts.pod_networks)),
            source=facts.pod_networks_source,
        ),
        tr("kube-dns {address}", address=facts.kube_dns or tr("not found")),
    ]
    for node in facts.nodes:
        health = tr("Ready") if node.ready else tr("NOT Ready")
        lines.append(
            tr(
                "node {name} {address} {health}{cordoned}",
                name=node.name,
                address=node.internal_ip or "-",
                health=health,
                cordoned="" if node.schedulable else tr(", cordoned"),
            )
        )
    for namespace in facts.namespaces:
        names = ", ".join(service.name for service in facts.services_in(namespace))
        lines.append(tr("namespace {namespace}: {services}", namespace=namespace, services=names or tr("no services")))
    return [*lines, *(tr("! could not read {problem}", problem=problem) for problem in facts.unreadable)]
