"""Prometheus metrics. Names and labels are listed in docs/operating.md; a test holds the two together.

Labels are names from app.yaml and from what people exposed, and words of ours: nothing that grows with traffic.
"""

from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from bot.engine.monitoring import Measures, ProbeKind
from bot.model.samples import State
from bot.model.watch import Health

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_VALUES: dict[State, float] = {"good": 1.0, "doubtful": 0.5, "bad": 0.0}


class Metrics:
    """Gathers probe durations as they happen; the rest is asked for at each scrape."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._probes = Histogram(
            "k8snet_probe_duration_seconds",
            "How long probes took, by what came of them.",
            ("kind", "outcome"),
            registry=self._registry,
            buckets=BUCKETS_S,
        )

    def observe(self, kind: ProbeKind, outcome: str, seconds: float) -> None:
        """One probe has ended."""
        self._probes.labels(kind, outcome).observe(seconds)

    def text(self, measures: Measures, chat_connected: bool) -> bytes:
        """Everything in Prometheus' text format, of type `content_type`."""
        now = CollectorRegistry()
        now.register(_Now(measures, chat_connected))
        return generate_latest(now) + generate_latest(self._registry)


class _Now(Collector):
    def __init__(self, measures: Measures, chat_connected: bool) -> None:
        self._measures, self._chat_connected = measures, chat_connected

    def collect(self) -> Iterator[Metric]:
        yield from self._gateways()
        yield from self._exposures()
        yield from self._counts()

    def _gateways(self) -> Iterator[Metric]:
        leader = GaugeMetricFamily("k8snet_watch_leader", "1 on the bot that watches the gateway.", labels=["cluster"])
        info = GaugeMetricFamily(
            "k8snet_gateway_info", "1 for the node that carries the routes.", labels=["cluster", "node"]
        )
        state = GaugeMetricFamily(
            "k8snet_gateway_state",
            "1 for the state that the gateway is in; told by the leader only.",
            labels=["cluster", "state"],
        )
        signals = GaugeMetricFamily(
            "k8snet_gateway_signal_bad_rounds",
            "In how many of the last rounds a signal was bad; told by the leader only.",
            labels=["cluster", "signal"],
        )
        for one in self._measures.gateways:
            leader.add_metric([one.cluster], one.leader)
            info.add_metric([one.cluster, one.gateway], 1)
            if one.health is not None:
                for health in get_args(Health):
                    state.add_metric([one.cluster, health], one.health == health)
            for signal, count in one.bad.items():
                signals.add_metric([one.cluster, signal], count)
        yield from (leader, info, state, signals)

    def _exposures(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "k8snet_exposure_available",
            "1 works, 0.5 is doubtful, 0 does not; absent while not known. What: names or data.",
            labels=["cluster", "namespace", "office", "what"],
        )
        for one in self._measures.exposures:
            for what, state in (("names", one.names), ("data", one.data)):
                if state in _VALUES:
                    family.add_metric([one.cluster, one.namespace, one.office, what], _VALUES[state])
        yield family

    def _counts(self) -> Iterator[Metric]:
        measures = self._measures
        incidents = GaugeMetricFamily("k8snet_incidents", "Incidents by state.", labels=["state"])
        for incident_state in ("open", "answered", "withdrawn", "resolved"):
            incidents.add_metric([incident_state], measures.incidents.get(incident_state, 0))
        operations = CounterMetricFamily(
            "k8snet_operations", "Changes that have ended, by command and outcome.", labels=["command", "outcome"]
        )
        for (command, outcome), count in sorted(measures.operations.items()):
            operations.add_metric([command, outcome], count)
        yield from (incidents, operations)
        yield GaugeMetricFamily("k8snet_operations_under_way", "Changes that have not ended.", measures.under_way)
        yield GaugeMetricFamily("k8snet_outbox_depth", "Messages that the chat does not show yet.", measures.unsaid)
        yield GaugeMetricFamily("k8snet_journal_records", "Records in the journal.", measures.records)
        yield GaugeMetricFamily("k8snet_chat_connected", "1 while Slack can reach the bot.", self._chat_connected)
