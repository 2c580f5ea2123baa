"""What an operator's monitoring asks of a bot, as values of the moment; and how long probes take."""

from collections import Counter
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import Literal

from bot.engine.context import Context
from bot.engine.ports import Prober
from bot.engine.samples import availability_of
from bot.engine.watching import GatewayWatch
from bot.model import facts
from bot.model.errors import BackendError
from bot.model.operation import FINAL
from bot.model.probes import ConnectAnswer, DnsAnswer, DnsTransport, PingAnswer
from bot.model.samples import Day, State, exposure_subject
from bot.model.value import Value
from bot.model.watch import SIGNALS, Health, Signal

MOST_EXPOSURES = 200  # of a cluster that are told one by one: monitoring suffers from more

ProbeKind = Literal["dns", "connect", "ping"]
Observe = Callable[[ProbeKind, str, float], None]


class GatewayMeasure(Value):
    """One watched cluster as this bot sees it. Health and signals are told by the bot that looks, and by nobody else.

    `bad` is in how many of the last rounds, of `window`, each signal was bad.
    """

    cluster: str
    gateway: str
    leader: bool
    health: Health | None
    bad: Mapping[Signal, int]
    window: int


class ExposureMeasure(Value):
    cluster: str
    namespace: str
    office: str
    names: State
    data: State


class Measures(Value):
    """Everything that is counted. `unsaid` are messages that the chat does not show as they are."""

    gateways: tuple[GatewayMeasure, ...]
    exposures: tuple[ExposureMeasure, ...]
    incidents: Mapping[str, int]  # by state, since the journal began
    operations: Mapping[tuple[str, str], int]  # by command and outcome, since the journal began
    under_way: int
    unsaid: int
    records: int


async def measures(context: Context, watches: Mapping[str, GatewayWatch]) -> Measures:
    """Raises BackendErrors when the journal cannot be read."""
    world, now = await context.journal.world(), await context.journal.now()
    exposures = []
    for cluster in context.site.clusters:
        try:
            day = await context.samples.day(availability_of(cluster.name), now)
        except BackendError:
            day = Day((), now)
        for exposure in world.intent(cluster.name).exposures[:MOST_EXPOSURES]:
            subject = exposure_subject(exposure.namespace, exposure.office)
            exposures.append(
                ExposureMeasure(
                    cluster=cluster.name,
                    namespace=exposure.namespace,
                    office=exposure.office,
                    names=day.latest(subject, "names"),
                    data=day.latest(subject, "reached"),
                )
            )
    ended = (one for one in world.operations.values() if one.state in FINAL)
    return Measures(
        gateways=tuple(_gateway(name, world.intent(name).gateway, watch) for name, watch in watches.items()),
        exposures=tuple(exposures),
        incidents=Counter(incident.state for incident in world.incidents.values()),
        operations=Counter((one.request.command.verb, one.state) for one in ended),
        under_way=sum(1 for _ in world.unfinished()),
        unsaid=sum(1 for _ in world.unannounced()) + sum(1 for _ in world.unshown()),
        records=world.seq,
    )


def _gateway(name: str, moved_to: str | None, watch: GatewayWatch) -> GatewayMeasure:
    return GatewayMeasure(
        cluster=name,
        gateway=moved_to or watch.cluster.gateway,
        leader=watch.leading,
        health=watch.watch.health if watch.leading else None,
        bad={signal: watch.watch.count(signal) for signal in SIGNALS} if watch.leading else {},
        window=watch.watch.rules.window,
    )


class TimedProber:
    """A Prober that tells how long each question took, and what came of it."""

    def __init__(self, prober: Prober, observe: Observe, monotonic: Callable[[], float]) -> None:
        """`observe` is given the kind of probe, its outcome, and seconds."""
        self._prober, self._observe, self._monotonic = prober, observe, monotonic

    async def dns(self, server: IPv4Address, name: str, transport: DnsTransport, timeout_s: float) -> DnsAnswer:
        started = self._monotonic()
        answer = await self._prober.dns(server, name, transport, timeout_s)
        self._observe("dns", answer.outcome, self._monotonic() - started)
        return answer

    async def connect(
        self, address: IPv4Address, port: int, protocol: facts.Protocol, speak: str, timeout_s: float
    ) -> ConnectAnswer:
        started = self._monotonic()
        answer = await self._prober.connect(address, port, protocol, speak, timeout_s)
        self._observe("connect", answer.outcome, self._monotonic() - started)
        return answer

    async def ping(self, address: IPv4Address, timeout_s: float) -> PingAnswer:
        started = self._monotonic()
        answer = await self._prober.ping(address, timeout_s)
        outcome = {True: "data", False: "timeout", None: "unknown"}[answer.answered]
        self._observe("ping", outcome, self._monotonic() - started)
        return answer
