"""What `status` and `list` tell: a picture of the moment, as values."""

import asyncio
from datetime import datetime

from bot.engine.context import Context
from bot.engine.gateways import survey
from bot.model.candidates import Candidate, NodeHealth, candidates
from bot.model.errors import BackendError
from bot.model.incident import Incident
from bot.model.intent import Exposure
from bot.model.operation import Operation
from bot.model.people import Person
from bot.model.plan import Plan
from bot.model.site import ClusterSite
from bot.model.value import Value
from bot.model.world import World


class ExposureState(Value):
    """One exposure, with who asked for it and when it was done."""

    cluster: str
    exposure: Exposure
    since: datetime | None
    by: Person | None


class ClusterState(Value):
    """A cluster as it answers now. `problem` is why it could not be asked.

    `health` is what one look at the gateway found; `candidates` are the other nodes, the best first.
    """

    name: str
    gateway: str
    gateway_ready: bool | None
    nodes: int
    version: str
    problem: str = ""
    watched: bool = False
    incident: Incident | None = None
    health: NodeHealth = NodeHealth()
    candidates: tuple[Candidate, ...] = ()


class Overview(Value):
    clusters: tuple[ClusterState, ...]
    exposures: tuple[ExposureState, ...]
    under_way: tuple[Operation, ...]
    records: int
    head: str


async def overview(context: Context) -> Overview:
    """Reads the clusters concurrently; a cluster that does not answer is part of the picture."""
    world = await context.journal.world()
    clusters = await asyncio.gather(*(_cluster(context, world, cluster) for cluster in context.site.clusters))
    exposures = [
        _exposure(world, cluster.name, exposure)
        for cluster in context.site.clusters
        for exposure in world.intent(cluster.name).exposures
    ]
    return Overview(
        clusters=tuple(clusters),
        exposures=tuple(exposures),
        under_way=tuple(world.unfinished()),
        records=world.seq,
        head=world.head,
    )


async def _cluster(context: Context, world: World, cluster: ClusterSite) -> ClusterState:
    gateway = world.intent(cluster.name).gateway or cluster.gateway
    try:
        facts = await context.clusters[cluster.name].facts()
    except BackendError as error:
        return ClusterState(
            name=cluster.name,
            gateway=gateway,
            gateway_ready=None,
            nodes=0,
            version="",
            problem=str(error),
            watched=cluster.watch is not None,
            incident=world.incident(cluster.name),
        )
    node = facts.node(gateway)
    health = await survey(context, cluster, facts.nodes)
    return ClusterState(
        name=cluster.name,
        gateway=gateway,
        gateway_ready=node.ready if node else False,
        nodes=len(facts.nodes),
        version=facts.version,
        watched=cluster.watch is not None,
        incident=world.incident(cluster.name),
        health=health.get(gateway, NodeHealth()),
        candidates=candidates(facts, gateway, health),
    )


def _exposure(world: World, cluster: str, exposure: Exposure) -> ExposureState:
    """The newest finished change that brought this exposure."""
    for operation in reversed(world.operations.values()):  # type: ignore[call-overload]  # a dict's values reverse
        plan: Plan | None = operation.plan
        if plan is None or plan.cluster != cluster or operation.state not in ("done", "nothing-to-do"):
            continue
        if exposure in plan.intent_after.exposures and exposure not in plan.intent_before.exposures:
            return ExposureState(
                cluster=cluster, exposure=exposure, since=operation.records[-1].at, by=operation.request.actor
            )
    return ExposureState(cluster=cluster, exposure=exposure, since=None, by=None)
