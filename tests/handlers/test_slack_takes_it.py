"""Whatever is shown keeps Slack's rules, as the simulated workspace enforces them: lengths, counts, ids."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from bot.engine.choosing import Choice
from bot.engine.overview import ClusterState, ExposureState, Overview
from bot.model.commands import Check
from bot.model.diagnosis import Finding, Report
from bot.model.intent import Exposure
from bot.model.resources import Route
from bot.model.samples import Strip
from bot.model.steps import Step
from handlers.views import answers, form
from handlers.views.blocks import Block, actions, button, preformatted, section, sendable
from handlers.views.home import home_view
from handlers.views.incident import incident_view
from lab.slack import blocks as block_kit
from tests.engine.watched import ADDRESS, GATEWAY, watched
from tests.office import OMAR

GOLDEN = Path(__file__).parent.parent / "golden"
FILES = sorted(str(file.relative_to(GOLDEN)) for file in GOLDEN.rglob("*.json"))
FIXES = ("expose", "clear DNS cache", "fail over")


def problems(blocks: list[Block]) -> list[str]:
    """What Slack would object to."""
    return [*block_kit.message_problems(blocks), *(["msg_blocks_too_long"] if block_kit.too_long(blocks) else [])]


@pytest.mark.parametrize("name", FILES)
def test_every_state_of_every_message(name: str) -> None:
    shown = json.loads((GOLDEN / name).read_text(encoding="utf-8"))["blocks"]
    if shown and shown[0]["type"] in ("home", "modal"):
        assert [block_kit.view_problems(view) for view in shown] == [[]] * len(shown)
    else:
        assert problems(shown) == []


def test_an_answer_that_offers_every_remedy_at_once() -> None:
    findings = tuple(
        Finding(code=f"K8SNET-X-{n}", hop="firewall", verdict="failed", explanation="broken", evidence=(), fix=fix)
        for n, fix in enumerate(FIXES)
    )
    report = Report(
        name="redis.default",
        cluster="qa",
        namespace="default",
        verdict="failed",
        summary="redis.default is broken",
        hops=(("firewall", "failed"),),
        findings=findings,
    )
    _, shown = answers.report_view(report, Check(name="redis.default"))
    assert problems(shown) == []
    [offered] = [block["elements"] for block in shown if block["type"] == "actions"]
    assert [element.get("style") for element in offered] == ["primary", None, None, None]


def route(number: int) -> Step:
    before = Route(
        destination=f"10.{number // 250}.{number % 250}.0/24", gateway="172.16.1.106", device="Test", row=1000 + number
    )
    return Step(target="fw", before=before, after=before.model_copy(update={"gateway": IPv4Address("172.16.1.107")}))


async def test_an_incident_that_moves_hundreds_of_routes_can_be_shown() -> None:
    office = await watched()
    office.company.wire.dead.add(ADDRESS[GATEWAY])
    await office.rounds(5)
    incident = await office.asked()
    steps = tuple(route(number) for number in range(300))
    large = incident.model_copy(update={"picture": incident.picture.model_copy(update={"steps": steps})})
    _, shown = incident_view(large)
    said = json.dumps(shown, ensure_ascii=False)
    assert problems(shown) == []
    assert "10.0.0.0/24" in said
    assert "10.1.49.0/24" in said
    assert "failover-0" in said


def exposed(number: int) -> ExposureState:
    name = f"{'team-with-a-rather-long-name-of-its-own-' * 2}"[: 63 - 5] + f"-{number:04}"
    return ExposureState(
        cluster="qa",
        exposure=Exposure(namespace=name, office="hq"),
        since=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        by=OMAR,
        names="good",
        data="good",
        day=Strip(subject=name, family="exposure", states=("good",) * 96, minutes=1440, share=1.0),
    )


def overview(exposures: int) -> Overview:
    cluster = ClusterState(name="qa", gateway="node-02", gateway_ready=True, nodes=7, version="v1.34.0")
    return Overview(
        clusters=(cluster,), exposures=tuple(map(exposed, range(exposures))), under_way=(), records=1, head="0" * 64
    )


@pytest.mark.parametrize("count", [0, 1, 15, 16, 30])
def test_a_list_of_what_is_exposed_loses_none(count: int) -> None:
    _, shown = sendable(*answers.exposures_view(overview(count)))
    assert problems(shown) == []
    told = json.dumps(shown)
    assert all(exposed(number).exposure.namespace in told for number in range(count))


@pytest.mark.parametrize("view", [answers.exposures_view, answers.overview_view])
def test_a_list_of_a_thousand_says_that_there_are_more(view: Callable[[Overview], answers.View]) -> None:
    text, shown = sendable(*view(overview(1000)))
    assert problems(shown) == []
    assert any("more; `k8snet status` in a terminal lists them all" in json.dumps(block) for block in shown)
    assert len(text) <= 4000


def test_a_home_tab_of_a_thousand_exposures_still_tells_the_last_changes() -> None:
    shown = home_view(roles=(), permissions=frozenset(), waiting=(), picture=overview(1000), latest=())
    assert block_kit.view_problems(shown) == []
    assert "Nobody has asked for a change yet." in json.dumps(shown)


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 20000])
def test_a_form_with_the_longest_names_is_never_too_large(count: int) -> None:
    names = tuple(f"{'n' * 57}-{number:05}" for number in range(count))
    view = form.filled([Choice(cluster="qa", namespaces=names, exposed=frozenset(names))], ["hq"], "C1")
    assert block_kit.view_problems(view) == []
    assert len(json.dumps(view)) < block_kit.VIEW_BYTES


def test_whatever_is_too_long_for_a_message_is_cut_where_buttons_are_not() -> None:
    lines = [f"line {number:05} {'.' * 60}" for number in range(1000)]
    shown = [section("head"), *preformatted(lines), actions(button("Confirm", "confirm", "x"))]
    _, kept = sendable("text", shown)
    assert problems(kept) == []
    assert kept[0] == shown[0]
    assert kept[-1] == shown[-1]
    assert "more paragraphs" in json.dumps(kept[-2])
