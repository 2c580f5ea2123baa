"""Status in plain words: clusters, gateways, candidates, exposures and their last day."""

from collections.abc import Iterator

from bot.engine.overview import ClusterState, Overview
from bot.model.candidates import Candidate
from bot.model.picture import SHOWN_CANDIDATES
from bot.model.wording import clauses, listed, tr, tr_n
from handlers.lines.change import state_line, title
from handlers.lines.day import bar, day_lines, usable
from handlers.lines.incident import open_line, past_line

PAST_SHOWN = 3


def overview_lines(picture: Overview) -> list[str]:
    """Clusters, the last day of their nodes, the last incidents, exposures, changes under way."""
    return [*machine_lines(picture), *exposure_lines(picture), *journal_lines(picture)]


def machine_lines(picture: Overview) -> list[str]:
    """Clusters, the last day of their nodes, the last incidents."""
    lines = [*cluster_lines(picture), *(line for cluster in picture.clusters for line in day_lines(cluster))]
    return lines + [tr("over: {incident}", incident=past_line(incident)) for incident in picture.past[:PAST_SHOWN]]


def journal_lines(picture: Overview) -> list[str]:
    """Changes under way, and how far the journal has come."""
    lines = [f"… {title(operation)} ({operation.id}): {state_line(operation)}" for operation in picture.under_way]
    return [*lines, tr("journal: {records} records, head {head}", records=picture.records, head=picture.head[:12])]


def cluster_lines(picture: Overview) -> list[str]:
    """Clusters, their gateways and open incidents."""
    lines = []
    for cluster in picture.clusters:
        if cluster.incident is not None:
            lines.append(open_line(cluster.incident))
        if cluster.problem:
            lines.append(tr("✗ cluster {name}: {problem}", name=cluster.name, problem=cluster.problem))
            continue
        lines.append(
            tr_n(
                "cluster {name} {version}: {count} node",
                "cluster {name} {version}: {count} nodes",
                cluster.nodes,
                name=cluster.name,
                version=cluster.version,
            )
        )
        lines += _gateway_lines(cluster)
    return lines


def _gateway_lines(cluster: ClusterState) -> Iterator[str]:
    """The node that carries the routes, and who could carry them instead."""
    ready = tr("Ready") if cluster.gateway_ready else tr("NOT Ready")
    said = {True: tr("answers"), False: tr("DOES NOT ANSWER"), None: tr("not known whether it answers")}[
        cluster.health.host_answers
    ]
    proxy = {True: tr(", kube-proxy healthy"), False: tr(", kube-proxy NOT healthy"), None: ""}[
        cluster.health.proxy_healthy
    ]
    watched = tr("watched") if cluster.watched else tr("not watched (see watch: in app.yaml)")
    yield tr(
        "  gateway {gateway}: {ready}, {said}{proxy}; {watched}",
        gateway=cluster.gateway,
        ready=ready,
        said=said,
        proxy=proxy,
        watched=watched,
    )
    for one in cluster.candidates[:SHOWN_CANDIDATES]:
        yield f"  {candidate_line(one)}"


def candidate_line(one: Candidate) -> str:
    """A node that could carry the routes, or what speaks against it."""
    address = f" {one.address}" if one.address else ""
    if one.eligible:
        notes = listed(one.notes) or tr("nothing speaks against it")
        return f"✓ {one.node}{address}: {notes}"
    return f"✗ {one.node}{address}: {clauses(one.against)}"


def exposure_lines(picture: Overview) -> list[str]:
    """Each exposure, and whether it can be used."""
    lines = []
    for state in picture.exposures:
        since = tr(" since {since:%Y-%m-%d %H:%M} UTC by {by}", since=state.since, by=state.by) if state.since else ""
        lines.append(
            tr(
                "{namespace} on {cluster} → office {office}{since}",
                namespace=state.exposure.namespace,
                cluster=state.cluster,
                office=state.exposure.office,
                since=since,
            )
        )
        lines.append(f"  {usable(state)}{f'  {bar(state.day)}' if state.day and state.day.known else ''}")
    return lines or [tr("Nothing is exposed.")]
