"""Open connections and a move of their routes: how many it will cut, and which of ours lead nowhere afterwards."""

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network

from bot.engine.context import Context
from bot.engine.gateways import KUBELET_PORT, PROXY_HEALTH_PORT
from bot.engine.targets import ClearsSessions
from bot.model.commands import Failover
from bot.model.errors import BackendError
from bot.model.facts import ClusterFacts
from bot.model.incident import incident_of
from bot.model.journal import Cleared, Intended
from bot.model.move import impact
from bot.model.operation import Operation
from bot.model.probes import OpenSessions
from bot.model.resources import Route
from bot.model.site import ClusterSite
from bot.model.steps import Step
from bot.model.wording import tr
from bot.model.world import World

COUNT_S = 2.0  # people wait for the plan
ASKED_NODES = 3
CLEAR_S = 10.0  # and for the word that they are through


async def counted_impact(context: Context, cluster: ClusterSite, policies: Collection[str], facts: ClusterFacts) -> str:
    """What a move does to the connections that these policies have let through, with their number if it can be told."""
    firewall = context.targets[cluster.firewall]
    networks = (*facts.service_networks, *facts.pod_networks)
    if not isinstance(firewall, ClearsSessions):
        return impact(
            OpenSessions(count=None, problem=tr("{firewall} does not tell", firewall=cluster.firewall)), facts
        )
    try:
        async with asyncio.timeout(COUNT_S):
            own = await _own_address(context, facts)
            return impact(await firewall.open_sessions(policies, networks, own), facts)
    except TimeoutError:
        problem = tr(
            "{firewall} took more than {seconds:g} s to count them", firewall=cluster.firewall, seconds=COUNT_S
        )
        return impact(OpenSessions(count=None, problem=problem), facts)
    except BackendError as error:
        return impact(OpenSessions(count=None, problem=str(error)), facts)


async def _own_address(context: Context, facts: ClusterFacts) -> IPv4Address | None:
    """Where our probes come from: they are nobody's connections. None when that cannot be told."""
    nodes = [node.internal_ip for node in facts.nodes if node.ready and node.internal_ip is not None][:ASKED_NODES]
    asking = [
        asyncio.ensure_future(context.prober.connect(node, port, "TCP", speak, COUNT_S / 2))
        for node in nodes
        for port, speak in ((KUBELET_PORT, "https"), (PROXY_HEALTH_PORT, "healthz"))
    ]
    try:
        for answered in asyncio.as_completed(asking):
            with contextlib.suppress(BackendError):
                if (source := (await answered).source) is not None:
                    return source
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    return None


def will_clear(world: World, cluster: ClusterSite, command: object) -> bool:
    """Whether a move ends with the firewall forgetting flows: it was asked for, and the old gateway is gone.

    While the old gateway lives, its flows do: the firewall sends them over the new one, which resets them, or keeps
    them where they were.
    """
    if not cluster.clear_stale_sessions or not isinstance(command, Failover) or command.incident is None:
        return False
    incident = world.incidents.get(command.incident.partition(".")[0])
    return incident is not None and incident.picture.severity == "down"


async def clear_stale(context: Context, operation: Operation) -> Sequence[Cleared]:
    """Make the firewall forget what our policies let through before a proven move, to the networks that moved.

    Nothing where that was not part of the plan. Never raises: what could not be done is in the answer.
    """
    if incident_of(operation) is None:
        return []
    plan, world = operation.plan, await context.journal.world()
    assert plan is not None  # of an operation that ends
    cluster = context.cluster(plan.cluster)
    firewall = context.targets[cluster.firewall]
    if not will_clear(world, cluster, plan.command):
        return []
    if not isinstance(firewall, ClearsSessions):
        return [
            Cleared(
                operation=operation.id,
                cleared=0,
                left=None,
                problem=tr("{firewall} cannot do that", firewall=cluster.firewall),
            )
        ]
    begun = next(record.at for record in operation.records if isinstance(record.entry, Intended))
    age = (await context.journal.now() - begun) / timedelta(seconds=1)
    policies = [key.name for target, key in world.owned(cluster.name) if key.kind == "policy"]
    try:
        answer = await firewall.clear_sessions(policies, _moved(plan.steps), age, context.env.monotonic() + CLEAR_S)
    except BackendError as error:
        return [Cleared(operation=operation.id, cleared=0, left=None, problem=str(error))]
    return [Cleared(operation=operation.id, cleared=answer.cleared, left=answer.left, problem=answer.problem)]


def _moved(steps: Sequence[Step]) -> list[IPv4Network]:
    return [step.after.destination for step in steps if isinstance(step.after, Route)]
