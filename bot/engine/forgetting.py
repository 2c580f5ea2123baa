"""DNS servers that shall forget what they believe to know: a plan whose steps only empty caches."""

from bot.engine.context import Context
from bot.engine.targets import ForgetsAnswers, MayGo, Outcome, Target
from bot.model import names
from bot.model.commands import ClearDnsCache
from bot.model.errors import BackendError, OutcomeUnknown, UserError
from bot.model.facts import ClusterFacts
from bot.model.people import Person
from bot.model.plan import Plan
from bot.model.proof import fresh_names
from bot.model.resources import Cache
from bot.model.steps import Step
from bot.model.wording import listed, tr


async def plan_clearing(
    context: Context,
    command: ClearDnsCache,
    requester: Person,
    operation: str,
    approved: Plan | None,
    facts: ClusterFacts | None,
) -> Plan:
    """The plan as of now, as `make_plan` has it. Raises UserError when nothing is exposed or can do it."""
    names.namespace(command.namespace)
    cluster = context.cluster(command.cluster)
    intent = (await context.journal.world()).intent(cluster.name)
    offices = {one.office for one in intent.exposures if one.namespace == command.namespace}
    if not offices:
        raise UserError(
            tr(
                "Namespace {namespace} is not exposed, so no DNS server of an office remembers it for k8snet.",
                namespace=command.namespace,
            )
        )
    servers = context.site.dns_servers_of(offices)
    able = [server for server in servers if isinstance(context.targets.get(server.name), ForgetsAnswers)]
    unable = [server.name for server in servers if server not in able]
    if not able:
        raise UserError(tr("k8snet cannot clear the cache of {servers}; do it there by hand.", servers=listed(unable)))
    known = facts or await context.clusters[cluster.name].facts()
    warnings = [
        tr(
            "The whole cache of {servers} is emptied: every name that people use is looked up anew, once.",
            servers=listed(server.name for server in able),
        )
    ]
    if unable:
        warnings.append(tr("The cache of {servers} stays as it is; clear it there by hand.", servers=listed(unable)))
    return Plan(
        operation=operation,
        requester=requester,
        command=command,
        cluster=cluster.name,
        intent_before=intent,
        intent_after=intent,
        steps=tuple(Step(target=server.name, before=None, after=Cache()) for server in able),
        found=(),
        opens=(),
        closes=(),
        warnings=tuple(warnings),
        checks=tuple(fresh_names(command.namespace, able, known, operation)),
        expires_at=approved.expires_at if approved else await context.expiry(cluster),
    )


async def forget(target: Target, step: Step, may_go: MayGo) -> Outcome:
    """Take a step towards an empty cache, or back from it: what was forgotten comes back by itself.

    An answer that was lost is a failure: to forget twice does no harm, so it is asked for again.
    """
    if step.after is None:
        return Outcome(kind="already", detail=tr("a cache fills itself"))
    if not may_go() or not isinstance(target, ForgetsAnswers):
        return Outcome(kind="refused", detail=tr("not sent: its time was up before it could be"))
    try:
        await target.forget_answers()
    except OutcomeUnknown as error:
        return Outcome(kind="unknown", detail=error.problem)
    except BackendError as error:
        return Outcome(kind="refused", detail=tr("the cache was not cleared: {problem}", problem=error.problem))
    return Outcome(kind="applied", detail=tr("the server says that its cache is empty"))
