"""What a person may choose from in a form."""

import asyncio

from bot.engine.context import Context
from bot.model.errors import BackendError, UserError
from bot.model.people import Permission, Person, Profile, may
from bot.model.site import ClusterSite
from bot.model.value import Value


class Choice(Value):
    """A cluster's namespaces that somebody may ask for. `problem` is why the cluster could not be asked."""

    cluster: str
    namespaces: tuple[str, ...]
    exposed: frozenset[str]
    problem: str = ""


async def choices(context: Context, actor: Person, channel: str) -> tuple[Choice, ...]:
    """Clusters that are operated from this channel ("" for anywhere), with what this person may ask for there.

    Raises UserError with the roles it takes when that is nothing at all, Unreachable.
    """
    profile = await context.directory.profile(actor)
    refusal = may(profile, Permission.REQUEST, context.grants)
    if refusal is not None:
        raise UserError(refusal.reason)
    clusters = [cluster for cluster in context.site.clusters if cluster.operated_from(channel)]
    return tuple(await asyncio.gather(*(_choice(context, cluster, profile) for cluster in clusters)))


async def _choice(context: Context, cluster: ClusterSite, profile: Profile) -> Choice:
    intent = (await context.journal.world()).intent(cluster.name)
    exposed = frozenset(exposure.namespace for exposure in intent.exposures)
    try:
        facts = await context.facts(cluster.name)
    except BackendError as error:
        return Choice(cluster=cluster.name, namespaces=(), exposed=exposed, problem=str(error))
    allowed = (
        namespace
        for namespace in facts.namespaces
        if may(profile, Permission.REQUEST, context.grants, cluster.name, namespace) is None
    )
    return Choice(cluster=cluster.name, namespaces=tuple(allowed), exposed=exposed)
