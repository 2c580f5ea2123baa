"""Proof on the wire: nothing is done before its checks have passed."""

import asyncio
from collections.abc import Sequence

from bot.engine.context import Context
from bot.model.describe import describe, describe_connection
from bot.model.errors import BackendError
from bot.model.journal import CheckResult, Verified
from bot.model.operation import Operation
from bot.model.plan import CarriesData, Check, DoesNotResolve, Resolves
from bot.model.probes import DnsAnswer

ATTEMPTS = 6
PAUSE_S = 2.0
SAMPLE_ATTEMPTS = 1  # once what must pass has passed, a sample that fails is given one more chance
PROBE_TIMEOUT_S = 4.0
# A Windows DNS server without way to the root answers SERVFAIL only after its recursion time-out of 8 s.
NEGATIVE_TIMEOUT_S = 12.0


async def verify(context: Context, operation: Operation) -> Verified:
    """Run the operation's checks until all pass, or until a device has had time enough to act on what it was told."""
    results: Sequence[CheckResult] = ()
    for attempt in range(ATTEMPTS):
        if attempt:
            await context.env.sleep(PAUSE_S)
        results = await asyncio.gather(*(_result(context, check) for check in operation.checks))
        if all(result.passed for result in results):
            break
        if Verified(operation=operation.id, results=tuple(results)).passed and attempt >= SAMPLE_ATTEMPTS:
            break
    return Verified(operation=operation.id, results=tuple(results))


async def _result(context: Context, check: Check) -> CheckResult:
    """A probe that could not even be sent proves nothing, and so does not pass."""
    try:
        return await _run(context, check)
    except BackendError as error:
        sample = isinstance(check, CarriesData) and check.sample
        return CheckResult(what=check.kind.replace("-", " "), passed=False, evidence=str(error), sample=sample)


async def _run(context: Context, check: Check) -> CheckResult:
    match check:
        case Resolves():
            answer = await context.prober.dns(check.address, check.name, "udp", PROBE_TIMEOUT_S)
            return CheckResult(
                what=f"{check.server} resolves {check.name.rstrip('.')}",
                passed=_resolved(check, answer),
                evidence=describe(answer),
            )
        case DoesNotResolve():
            answer = await context.prober.dns(check.address, check.name, "udp", NEGATIVE_TIMEOUT_S)
            return CheckResult(
                what=f"{check.server} no longer forwards {check.name.partition('.')[2].rstrip('.')}",
                passed=_not_forwarded(check, answer),
                evidence=describe(answer),
            )
        case CarriesData():
            reply = await context.prober.connect(
                check.address, check.port, check.protocol, check.speak, PROBE_TIMEOUT_S
            )
            return CheckResult(
                what=f"{check.label} {check.address}:{check.port} answers",
                passed=reply.outcome == "data",
                evidence=describe_connection(reply),
                sample=check.sample,
            )


def _resolved(check: Resolves, answer: DnsAnswer) -> bool:
    if not check.expected:
        return answer.outcome in ("answer", "nodata")
    # A DNS server may hold an answer for its TTL while pods come and go: some of the expected is enough.
    return answer.outcome == "answer" and bool(set(answer.addresses) & set(check.expected))


def _not_forwarded(check: DoesNotResolve, answer: DnsAnswer) -> bool:
    """A negative answer that does not come from the cluster. Silence is no proof: the server may just be slow."""
    if answer.outcome == "nxdomain":
        return answer.soa_owner is None or not f".{answer.soa_owner}".endswith(f".{check.zone}")
    return answer.outcome in ("servfail", "refused-rcode")
