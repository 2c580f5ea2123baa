"""Comparisons on the wire: other services and pods of the cluster, and a second word on what is silent among them."""

import asyncio

from bot.engine.checking.asking import all_of, cancelled
from bot.engine.checking.samples import Planned, planned
from bot.engine.checking.surroundings import Surroundings
from bot.model.causes.signals import better, unanswered
from bot.model.diagnosis import Sample
from bot.model.facts import Service
from bot.model.probes import ConnectAnswer, PolicyAnswer


async def compared(around: Surroundings, checked: Service | None) -> tuple[Sample, ...]:
    """Connections to other things of the cluster, with the firewall's word on each."""
    if around.known.facts is None:
        return ()
    plans = planned(around.known.facts, checked, around.known.gateway)
    found = await all_of(_compared(around, plan) for plan in plans)
    return tuple(sample for of_plan in found for sample in of_plan)


async def _compared(around: Surroundings, plan: Planned) -> list[Sample]:
    """What does not answer at once is asked again, together with its spare; these questions end with the first one. So
    a lost packet proves nothing, and the doubt costs no time."""
    limits, rest_s = around.asking.limits, around.asking.rest_s
    policy = asyncio.ensure_future(around.from_office(plan.address, "TCP", plan.port))
    first = asyncio.ensure_future(_connect(around, plan))
    again: asyncio.Future[ConnectAnswer | None] | None = None
    beside: asyncio.Future[list[Sample]] | None = None
    try:
        await asyncio.wait({first}, timeout=limits.doubt_s)
        if not (first.done() and _spoke(first.result())):
            again = asyncio.ensure_future(_connect(around, plan, rest_s))
            beside = asyncio.ensure_future(_spare(around, plan.spare, rest_s))
        answer = await first
        if again is None or beside is None or _spoke(answer):
            return _sampled(plan, answer, await policy)
        return [*_sampled(plan, better(answer, await again), await policy), *await beside]
    finally:
        await cancelled(policy, first, again, beside)


async def _spare(around: Surroundings, plan: Planned | None, timeout_s: float) -> list[Sample]:
    if plan is None:
        return []
    answer, policy = await asyncio.gather(
        _connect(around, plan, timeout_s), around.from_office(plan.address, "TCP", plan.port)
    )
    return _sampled(plan, answer, policy)


async def _connect(around: Surroundings, plan: Planned, timeout_s: float | None = None) -> ConnectAnswer | None:
    return await around.connect(plan.address, plan.port, plan.speak, timeout_s=timeout_s)


def _spoke(answer: ConnectAnswer | None) -> bool:
    return answer is not None and not unanswered(answer)


def _sampled(plan: Planned, answer: ConnectAnswer | None, policy: PolicyAnswer | None) -> list[Sample]:
    if answer is None:
        return []
    return [
        Sample(
            service=plan.service,
            namespace=plan.namespace,
            kind=plan.kind,
            place=plan.place,
            nodes=plan.nodes,
            own=plan.own,
            answer=answer,
            policy=policy,
        )
    ]
