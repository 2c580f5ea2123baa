"""Whatever is shown keeps Slack's rules, as the simulated workspace enforces them: lengths, counts, ids."""

import json
from pathlib import Path

import pytest

from bot.model.commands import Check
from bot.model.diagnosis import Finding, Report
from handlers.views import answers
from lab.slack import blocks as block_kit

GOLDEN = Path(__file__).parent.parent / "golden"
FILES = sorted(str(file.relative_to(GOLDEN)) for file in GOLDEN.rglob("*.json"))
FIXES = ("expose", "clear DNS cache", "fail over")


@pytest.mark.parametrize("name", FILES)
def test_every_state_of_every_message(name: str) -> None:
    shown = json.loads((GOLDEN / name).read_text(encoding="utf-8"))["blocks"]
    if shown and shown[0]["type"] in ("home", "modal"):
        assert [block_kit.view_problems(view) for view in shown] == [[]] * len(shown)
    else:
        assert block_kit.message_problems(shown) == []


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
    assert block_kit.message_problems(shown) == []
    [offered] = [block["elements"] for block in shown if block["type"] == "actions"]
    assert [element.get("style") for element in offered] == ["primary", None, None, None]
