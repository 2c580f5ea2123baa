"""Proof on the wire: nothing is done before its checks have passed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from itertools import count

from bot.engine.context import Context
from bot.engine.targets import ForgetsAnswers
from bot.model.commands import Expose, Unexpose
from bot.model.describe import describe, describe_connection
from bot.model.doors import Door
from bot.model.errors import BackendError
from bot.model.journal import CheckResult, Verified
from bot.model.operation import Operation
from bot.model.plan import CarriesData, DoesNotResolve, Forwards, Question, ReachesOne, Resolves
from bot.model.probes import DnsAnswer
from bot.model.wording import clauses, marked, tr

PAUSES_S = (0.5, 1.0, 2.0, 3.0, 3.0)
ATTEMPTS = len(PAUSES_S) + 1
PATIENT_PAUSE_S = 10.0
SAMPLE_ATTEMPTS = 1  # once what must pass has passed, a sample that fails is given one more chance
FIRST_TIMEOUT_S = 1.5  # what works answers at once, and what does not shall be asked again soon
PROBE_TIMEOUT_S = 4.0
FRESH_NAMES = "abcd"
# A Windows DNS server without way to the root answers SERVFAIL only after its recursion time-out of 8 s.
NEGATIVE_TIMEOUT_S = 12.0

StillOurs = Callable[[], Awaitable[bool]]


async def verify(context: Context, operation: Operation, still_ours: StillOurs) -> Verified:
    """Run the operation's checks until each has passed once, or devices have had time enough to follow.

    What has passed is not asked again: the write it proves was before it. Checks with patience are asked on while
    nothing else is in the way, for as long as the operation is `still_ours`.
    """
    started = context.env.monotonic()
    results: dict[int, CheckResult] = {}
    checks = operation.due
    left = list(range(len(checks)))
    for attempt in count():
        if attempt:
            await context.env.sleep(PAUSES_S[attempt - 1] if attempt < ATTEMPTS else PATIENT_PAUSE_S)
        timeout_s = FIRST_TIMEOUT_S if attempt == 0 else PROBE_TIMEOUT_S
        asked = [_fresh(checks[index], attempt) for index in left]
        answers = await asyncio.gather(*(_result(context, check, timeout_s) for check in asked))
        answers = await asyncio.gather(
            *(_forgetful(context, operation, *pair) for pair in zip(asked, answers, strict=True))
        )
        results.update(zip(left, answers, strict=True))
        verified = _verified(operation, results)
        if all(result.passed for result in verified.results) or (verified.passed and attempt >= SAMPLE_ATTEMPTS):
            break
        left = [index for index, result in results.items() if not result.passed]
        if attempt + 1 >= ATTEMPTS:
            elapsed = context.env.monotonic() - started
            left = [index for index in left if _patience(checks[index]) > elapsed]
            decided = {index: result for index, result in results.items() if index not in left}
            if not left or not _verified(operation, decided).passed or not await still_ours():
                break
    return verified


def _verified(operation: Operation, results: Mapping[int, CheckResult]) -> Verified:
    return Verified(operation=operation.id, results=tuple(results[index] for index in sorted(results)))


async def _forgetful(context: Context, operation: Operation, check: Question, result: CheckResult) -> CheckResult:
    """A replica that has just learned of the change forgets what it knew before; whoever wrote it did so in writing.

    That this fails changes nothing about the proof: the server forwards, it only remembers some names wrongly.
    """
    if not (result.passed and isinstance(check, Forwards | DoesNotResolve)):
        return result
    assert operation.plan is not None
    replica = check.server in {server.name for server in context.site.dns_servers if server.forgets}
    target = context.targets.get(check.server)
    if (
        not replica
        or not isinstance(operation.plan.command, Expose | Unexpose)
        or not isinstance(target, ForgetsAnswers)
    ):
        return result
    try:
        await target.forget_answers()
    except BackendError as error:
        told = tr(
            "its cache could not be cleared, so names that it was asked for before may be answered wrongly "
            "for up to 15 minutes: {problem}",
            problem=error,
        )
    else:
        told = tr("its cache was cleared")
    return result.model_copy(update={"evidence": clauses([result.evidence, told])})


def _patience(check: Question) -> int:
    return check.patience_s if isinstance(check, Forwards | DoesNotResolve) else 0


def _fresh(check: Question, attempt: int) -> Question:
    """The check with a name that nobody has asked for: the server may remember the answer of the attempt before."""
    if not isinstance(check, Forwards | DoesNotResolve) or attempt == 0:
        return check
    return check.model_copy(update={"name": f"t{attempt}-{check.name}"})


WORDS = {
    "resolves": marked("resolves"),
    "does-not-resolve": marked("does not resolve"),
    "carries-data": marked("carries data"),
    "reaches-one": marked("reaches one"),
    "forwards": marked("forwards"),
}


async def _result(context: Context, check: Question, timeout_s: float) -> CheckResult:
    """A probe that could not even be sent proves nothing, and so does not pass."""
    try:
        return await run_check(context, check, timeout_s)
    except BackendError as error:
        sample = isinstance(check, CarriesData) and check.sample
        return CheckResult(what=tr(WORDS[check.kind]), passed=False, evidence=str(error), sample=sample)


async def run_check(context: Context, check: Question, timeout_s: float) -> CheckResult:
    """Ask once. Raises BackendErrors when the question could not even be sent."""
    match check:
        case Resolves():
            answer = await context.prober.dns(check.address, check.name, "udp", timeout_s)
            return CheckResult(
                what=tr("{server} resolves {name}", server=check.server, name=check.name.rstrip(".")),
                passed=_resolved(check, answer),
                evidence=describe(answer),
            )
        case DoesNotResolve():
            answer = await context.prober.dns(check.address, check.name, "udp", NEGATIVE_TIMEOUT_S)
            return CheckResult(
                what=tr(
                    "{server} no longer forwards {zone}",
                    server=check.server,
                    zone=check.name.partition(".")[2].rstrip("."),
                ),
                passed=_not_forwarded(check, answer),
                evidence=describe(answer),
            )
        case CarriesData():
            reply = await context.prober.connect(check.address, check.port, check.protocol, check.speak, timeout_s)
            return CheckResult(
                what=tr("{label} {address}:{port} answers", label=check.label, address=check.address, port=check.port),
                passed=reply.outcome == "data",
                evidence=describe_connection(reply),
                sample=check.sample,
            )
        case ReachesOne():
            passed, evidence = await knock(context, check.doors, timeout_s)
            return CheckResult(what=tr("data reaches {label}", label=check.label), passed=passed, evidence=evidence)
        case Forwards():
            # Several at once: of kube-dns' pods some may just have died, and each question meets one by chance.
            names = [f"{letter}-{check.name}" for letter in FRESH_NAMES]
            passed, evidence = await _first([_forwarded(context, check, name, timeout_s) for name in names])
            what = tr("{server} gets its answers from the cluster", server=check.server)
            return CheckResult(what=what, passed=passed, evidence=evidence)


async def _forwarded(context: Context, check: Forwards, name: str, timeout_s: float) -> tuple[bool, str]:
    try:
        answer = await context.prober.dns(check.address, name, "udp", timeout_s)
    except BackendError as error:
        return False, str(error)
    return _from_cluster(answer, check.zone), describe(answer)


async def knock(context: Context, doors: Sequence[Door], timeout_s: float) -> tuple[bool, str]:
    """Knock at all doors at once; the first one that data came back from decides. Otherwise what each one said."""
    return await _first([_knock(context, door, timeout_s) for door in doors])


async def _first(questions: Sequence[Coroutine[None, None, tuple[bool, str]]]) -> tuple[bool, str]:
    """The first good answer's evidence, as soon as it is there; otherwise what everybody said."""
    asking = [asyncio.ensure_future(question) for question in questions]
    said = set()
    try:
        for answered in asyncio.as_completed(asking):
            good, evidence = await answered
            if good:
                return True, evidence
            said.add(evidence)
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    return False, clauses(sorted(said))


async def _knock(context: Context, door: Door, timeout_s: float) -> tuple[bool, str]:
    try:
        reply = await context.prober.connect(door.address, door.port, "TCP", door.speak, timeout_s)
    except BackendError as error:
        return False, f"{door.label}: {error}"
    return reply.outcome == "data", f"{door.label} {door.address}:{door.port} {describe_connection(reply)}"


def _resolved(check: Resolves, answer: DnsAnswer) -> bool:
    if not check.expected:
        return answer.outcome in ("answer", "nodata")
    # A DNS server may hold an answer for its TTL while pods come and go: some of the expected is enough.
    return answer.outcome == "answer" and bool(set(answer.addresses) & set(check.expected))


def _not_forwarded(check: DoesNotResolve, answer: DnsAnswer) -> bool:
    """A negative answer that does not come from the cluster. Silence is no proof: the server may just be slow."""
    if answer.outcome == "nxdomain":
        return not _from_cluster(answer, check.zone)
    return answer.outcome in ("servfail", "refused-rcode")


def _from_cluster(answer: DnsAnswer, zone: str) -> bool:
    """A negative answer whose authority is the cluster's own zone."""
    negative = answer.outcome in ("nxdomain", "nodata")
    # With or without the final dot: probes write names as people do, apart from the root.
    owner, zone = (answer.soa_owner or ".").rstrip("."), zone.rstrip(".")
    return negative and f".{owner}".endswith(f".{zone}")
