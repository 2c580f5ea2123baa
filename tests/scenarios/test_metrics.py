"""Prometheus' view: scraped over a real socket, read with Prometheus' own parser."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bot.engine.monitoring import TimedProber
from bot.engine.ports import Stored
from handlers.edge import health_served
from handlers.metrics import Metrics
from handlers.settings import Listen
from tests.engine.watched import ADDRESS, GATEWAY
from tests.scenarios.chat import Chat, chat, eventually, watched_chat

MANUAL = Path(__file__).parent.parent.parent / "docs/operating.md"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@asynccontextmanager
async def scraped(room: Chat, metrics: Metrics | None) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        health_served(Listen(host="127.0.0.1", port=0), room.engine, room.ears, metrics) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        yield http


async def samples(http: httpx.AsyncClient) -> Samples:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


async def test_a_scrape_tells_gateway_incident_exposure_operations_and_probes() -> None:
    async with watched_chat("socket") as room:
        metrics = Metrics()
        prober = TimedProber(room.engine.context.prober, metrics.observe, room.engine.context.env.monotonic)
        async with scraped(room, metrics) as http:
            availability = room.engine.availability("qa")
            assert availability is not None
            await availability.tick()
            await prober.connect(ADDRESS[GATEWAY], 10250, "TCP", "https", 1.0)

            async def healthy() -> bool:
                return value(await samples(http), "k8snet_gateway_state", cluster="qa", state="healthy") == 1

            await eventually(healthy)
            found = await samples(http)
            assert value(found, "k8snet_watch_leader", cluster="qa") == 1
            assert value(found, "k8snet_gateway_info", cluster="qa", node=GATEWAY) == 1
            for what in ("names", "data"):
                where = {"cluster": "qa", "namespace": "default", "office": "hq", "what": what}
                assert value(found, "k8snet_exposure_available", **where) == 1
            assert value(found, "k8snet_operations_total", command="expose", outcome="done") == 1
            assert value(found, "k8snet_incidents", state="open") == 0
            assert value(found, "k8snet_chat_connected") == 1
            assert value(found, "k8snet_probe_duration_seconds_count", kind="connect", outcome="data") == 1
            room.company.wire.dead.add(ADDRESS[GATEWAY])
            await room.slack.until(contains="The gateway of qa is down")
            found = await samples(http)
            assert value(found, "k8snet_gateway_state", cluster="qa", state="down") == 1
            assert value(found, "k8snet_gateway_state", cluster="qa", state="healthy") == 0
            assert (value(found, "k8snet_gateway_signal_bad_rounds", cluster="qa", signal="host") or 0) >= 5
            assert value(found, "k8snet_incidents", state="open") == 1


async def test_what_the_manual_lists_is_what_is_served() -> None:
    async with watched_chat("socket") as room:
        metrics = Metrics()
        metrics.observe("dns", "answer", 0.001)
        async with scraped(room, metrics) as http:
            text = (await http.get("/metrics")).text
        served = set(re.findall(r"^# TYPE (\w+) ", text, re.M)) - {"k8snet_probe_duration_seconds_created"}
        listed = set(re.findall(r"^\| `(k8snet_\w+)` \|", MANUAL.read_text(), re.M))
        assert served == listed


async def test_there_are_no_metrics_unless_they_are_configured() -> None:
    async with chat() as room, scraped(room, None) as http:
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.get("/healthz")).status_code == 200


async def test_a_journal_that_cannot_be_read_is_told_and_no_numbers_are_made_up() -> None:
    async with chat() as room, scraped(room, Metrics()) as http:
        room.company.contents.streams["journal"] = [Stored(seq=1, at=datetime.now(UTC), body="{")]
        answer = await http.get("/metrics")
        assert answer.status_code == 503
        assert "cannot be read" in answer.text
