"""What `status` and `list` tell: a picture of the moment, as values."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.engine.context import Context
from bot.engine.gateways import survey
from bot.engine.samples import availability_of, signals_of
from bot.model.candidates import Candidate, NodeHealth, candidates
from bot.model.errors import BackendError
from bot.model.incident import Incident
from bot.model.intent import Exposure
from bot.model.operation import Operation
from bot.model.people import Person
from bot.model.plan import Plan
from bot.model.samples import FAMILIES_OF_NODES, Day, State, Strip, exposure_subject
from bot.model.site import ClusterSite
from bot.model.value import Value
from bot.model.world import World

log = logging.getLogger(__name__)

PAST_INCIDENTS = 5


class ExposureState(Value):
    """One exposure, with who asked for it and when it was done; whether it can be used now, and could all day.

    `names` and `data` are the newest samples: whether the office's DNS servers know the names, and whether data came
    back from a service.
    """

    cluster: str
    exposure: Exposure
    since: datetime | None
    by: Person | None
    names: State = "unknown"
    data: State = "unknown"
    day: Strip | None = None


class ClusterState(Value):
    """A cluster as it answers now. `problem` is why it could not be asked.

    `health` is what one look at the gateway found; `candidates` are the other nodes, the best first. `days` are the
    signals of the last day, the gateway's first.
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
    days: tuple[Strip, ...] = ()
    firewall: str = ""


class Overview(Value):
    """`past` are incidents that are over, the newest first."""

    clusters: tuple[ClusterState, ...]
    exposures: tuple[ExposureState, ...]
    under_way: tuple[Operation, ...]
    records: int
    head: str
    past: tuple[Incident, ...] = ()


async def overview(context: Context) -> Overview:
    """Reads the clusters concurrently; a cluster that does not answer is part of the picture."""
    world = await context.journal.world()
    now = await context.journal.now()
    clusters = await asyncio.gather(*(_cluster(context, world, cluster, now) for cluster in context.site.clusters))
    exposures = []
    for cluster in context.site.clusters:
        day = await _samples(context, availability_of(cluster.name), now)
        exposures += [
            _with_day(_exposure(world, cluster.name, exposure), day)
            for exposure in world.intent(cluster.name).exposures
        ]
    over = [incident for incident in reversed(list(world.incidents.values())) if not incident.lasting]
    return Overview(
        clusters=tuple(clusters),
        exposures=tuple(exposures),
        under_way=tuple(world.unfinished()),
        records=world.seq,
        head=world.head,
        past=tuple(over[:PAST_INCIDENTS]),
    )


async def _samples(context: Context, stream: str, now: datetime) -> Day:
    try:
        return await context.samples.day(stream, now)
    except BackendError as error:
        log.warning("no samples of %s: %s", stream, error)
        return Day((), now)


def _with_day(state: ExposureState, day: Day) -> ExposureState:
    subject = exposure_subject(state.exposure.namespace, state.exposure.office)
    return state.model_copy(
        update={
            "names": day.latest(subject, "names"),
            "data": day.latest(subject, "reached"),
            "day": day.strip(subject, "exposure"),
        }
    )


def _days(day: Day, gateway: str, nodes: Sequence[str]) -> Iterator[Strip]:
    """Of the gateway, then of the others in that order: data where there was any, and the machine."""
    gone = [name for name in day.subjects if name not in nodes and name != gateway]
    for name in (gateway, *(node for node in nodes if node != gateway), *gone):
        for family in FAMILIES_OF_NODES:
            if (strip := day.strip(name, family)).known:
                yield strip


async def _cluster(context: Context, world: World, cluster: ClusterSite, now: datetime) -> ClusterState:
    gateway = world.intent(cluster.name).gateway or cluster.gateway
    incident = world.incident(cluster.name)
    day = await _samples(context, signals_of(cluster.name), now)
    try:
        facts = await context.facts(cluster.name)
    except BackendError as error:
        return ClusterState(
            name=cluster.name,
            gateway=gateway,
            gateway_ready=None,
            nodes=0,
            version="",
            problem=str(error),
            watched=cluster.watch is not None,
            incident=incident,
            days=tuple(_days(day, gateway, ())),
            firewall=cluster.firewall,
        )
    node = facts.node(gateway)
    health = await survey(context, cluster, facts, facts.nodes)
    ranked = candidates(facts, gateway, health)
    return ClusterState(
        name=cluster.name,
        gateway=gateway,
        gateway_ready=node.ready if node else False,
        nodes=len(facts.nodes),
        version=facts.version,
        watched=cluster.watch is not None,
        incident=incident,
        health=health.get(gateway, NodeHealth()),
        candidates=ranked,
        days=tuple(_days(day, gateway, [one.node for one in ranked])),
        firewall=cluster.firewall,
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
