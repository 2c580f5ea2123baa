"""`check`: what was asked for, found among the cluster's facts; then the path to it, walked within one deadline."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from bot.engine.checking.asking import Ahead, Asking, cancelled
from bot.engine.checking.known import Known, known
from bot.engine.checking.many import Many
from bot.engine.checking.one import One
from bot.engine.checking.subject import Subject
from bot.engine.checking.surroundings import Surroundings
from bot.engine.context import Context
from bot.model import names
from bot.model.causes.many import together
from bot.model.commands import Check
from bot.model.diagnosis import Report
from bot.model.errors import BackendError, UserError
from bot.model.facts import ClusterFacts
from bot.model.names import Asked
from bot.model.site import CheckLimits, ClusterSite
from bot.model.suggest import expect_namespace, suggestion
from bot.model.wording import listed, tr
from bot.model.world import World


async def check(context: Context, command: Check, limits: CheckLimits | None = None) -> Report:
    """Walk the path to a service, an address, a namespace, or (nothing named) to all that is exposed.

    Answers within the deadline of `limits`, or of app.yaml, also when cluster, firewall or DNS servers cannot be asked:
    that is part of the report. Raises UserError for what cannot be one of the cluster's names or addresses, and for an
    ambiguous word.
    """
    asked = names.asked(command.name)
    limits = limits or context.site.check
    started = context.env.monotonic()
    if asked == Asked() and command.cluster is None:
        reports = await asyncio.gather(*(_cluster(context, one, asked, limits) for one in context.site.clusters))
        report = reports[0] if len(reports) == 1 else together(tr("everything exposed"), "", reports)
    else:
        report = await _cluster(context, context.cluster(command.cluster), asked, limits)
    return report.model_copy(
        update={
            "vantage": context.vantage,
            "at": context.env.now(),
            "elapsed_ms": round((context.env.monotonic() - started) * 1000),
        }
    )


async def _cluster(context: Context, cluster: ClusterSite, asked: Asked, limits: CheckLimits) -> Report:
    ahead = Ahead()
    asking = Asking(limits, context.env.new_id(), ahead if _one(asked) else None)
    world = await context.journal.world()
    guess = asyncio.ensure_future(_guess(context, cluster, asked, asking.guessing(), world))
    try:
        facts = await _facts(context, cluster, asking)
        around = _around(context, cluster, asked, asking, world, facts)
        if asked == Asked():
            exposed = sorted({exposure.namespace for exposure in around.intent.exposures})
            name = tr("everything exposed on {cluster}", cluster=cluster.name)
            if exposed:
                return together(name, cluster.name, await _namespaces(around, exposed))
            said = tr("{name}: there is nothing to check. Expose a namespace first.", name=name)
            return together(name, cluster.name, []).model_copy(update={"summary": said})
        subject = _subject(asked, around.known, cluster)
        if isinstance(subject, str):
            name = tr("namespace {namespace}", namespace=subject)
            return together(name, cluster.name, await _namespaces(around, [subject]))
        return await One(around, subject).report()
    finally:
        await cancelled(guess)
        await ahead.close()


def _one(asked: Asked) -> bool:
    """Whether the text names one thing: what is asked of a thousand is not asked ahead."""
    return asked.address is not None or asked.name is not None or asked.word is not None


def _around(
    context: Context, cluster: ClusterSite, asked: Asked, asking: Asking, world: World, facts: ClusterFacts | None
) -> Surroundings:
    knowledge = known(facts, world, cluster, asked.domain)
    return Surroundings(context, asking, cluster, knowledge, world.intent(cluster.name))


async def _guess(context: Context, cluster: ClusterSite, asked: Asked, asking: Asking, world: World) -> None:
    """Ask on the facts of last time while the cluster tells those of now. Where they are the same, so are the
    questions, and the answers are on their way; where they are not, nobody will ask for these answers."""
    facts = context.seen.get(cluster.name)
    if facts is None or not _one(asked):
        return
    with suppress(UserError, BackendError):
        around = _around(context, cluster, asked, asking, world, facts)
        subject = _subject(asked, around.known, cluster)
        if isinstance(subject, Subject):
            await One(around, subject).foretaste()


async def _facts(context: Context, cluster: ClusterSite, asking: Asking) -> ClusterFacts | None:
    """The cluster's facts, unless they take so long that nothing would be left for the path."""

    async def within() -> ClusterFacts:
        async with asyncio.timeout(asking.limits.facts_s):
            return await context.facts(cluster.name)

    return await asking.ask(cluster.name, lambda: tr("the cluster's facts"), within)


async def _namespaces(around: Surroundings, namespaces: Sequence[str]) -> list[Report]:
    facts = around.known.facts
    if facts is None:
        unknown = (Subject("*", namespace, None, None, None, None) for namespace in namespaces)
        return list(await asyncio.gather(*(One(around, subject).report() for subject in unknown)))
    reports = await asyncio.gather(*(Many(around, facts.services_in(one)).reports() for one in namespaces))
    return [report for of_namespace in reports for report in of_namespace]


# --- what a text means, with the facts at hand ---------------------------------------------------------------------


def _subject(asked: Asked, knowledge: Known, cluster: ClusterSite) -> Subject | str:
    """One thing to check, or the name of a namespace. Raises UserError."""
    if asked.address is not None:
        return _at_address(asked, knowledge, cluster)
    if asked.word is not None:
        return _word(asked, knowledge.facts)
    assert asked.namespace is not None  # all other forms name one
    if asked.name is None:
        if knowledge.facts is not None:
            expect_namespace(asked.namespace, knowledge.facts)
        return asked.namespace
    if asked.domain is not None and knowledge.facts is not None and asked.domain != knowledge.domain:
        raise UserError(
            tr(
                "{domain} is not the domain of cluster {cluster}, which is {actual}.",
                domain=asked.domain,
                cluster=cluster.name,
                actual=knowledge.domain,
            )
        )
    service = knowledge.facts.service(asked.namespace, asked.name) if knowledge.facts else None
    return Subject(asked.name, asked.namespace, asked.host, None, asked.port, service)


def _word(asked: Asked, facts: ClusterFacts | None) -> Subject | str:
    """A bare word is a service if exactly one namespace has it, else a namespace."""
    word = asked.word or ""
    if facts is None:
        raise UserError(
            tr(
                "The cluster's API does not answer, so it is not known where {word} is. Write <service>.<namespace>.",
                word=word,
            )
        )
    services = [service for service in facts.services if service.name == word]
    is_namespace = word in facts.namespaces and asked.port is None
    if is_namespace and not services:
        return word
    if len(services) == 1 and not is_namespace:
        return Subject(word, services[0].namespace, None, None, asked.port, services[0])
    if not services and word in facts.namespaces:
        raise UserError(
            tr(
                "{word} is a namespace; a port is one of a service's. Write <service>.{word}:{port}.",
                word=word,
                port=asked.port,
            )
        )
    if not services:
        known_words = (*facts.namespaces, *(service.name for service in facts.services))
        raise UserError(
            tr(
                "{word!r} is not a service name here, and no namespace either, in cluster "
                "{cluster}.{suggestion} Write <service>.<namespace>[:port].",
                word=word,
                cluster=facts.cluster,
                suggestion=suggestion(word, known_words),
            )
        )
    port = f":{asked.port}" if asked.port else ""
    choices = [*(f"{word}.{service.namespace}{port}" for service in services), *([f"*.{word}"] if is_namespace else [])]
    raise UserError(tr("Which {word}? Write one of: {choices}.", word=word, choices=listed(choices)))


def _at_address(asked: Asked, knowledge: Known, cluster: ClusterSite) -> Subject:
    address = asked.address
    assert address is not None  # the caller looked
    networks = (*knowledge.service_networks, *knowledge.pod_networks)
    if not any(address in network for network in networks):
        inside = listed(networks) or tr("not known now, because the cluster's API does not answer")
        raise UserError(
            tr(
                "{address} is not an address of cluster {cluster}'s services or pods "
                "({inside}); nothing else is probed.",
                address=address,
                cluster=cluster.name,
                inside=inside,
            )
        )
    for service in knowledge.facts.services if knowledge.facts else ():
        if address == service.cluster_ip or any(address == endpoint.address for endpoint in service.endpoints):
            return Subject(service.name, service.namespace, None, address, asked.port, service)
    return Subject(str(address), "", None, address, asked.port, None)
