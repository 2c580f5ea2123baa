"""Every state of every message, block for block, from real operations of the engine in memory."""

import json

import pytest

from bot.engine.announcing import AUDITED_KINDS
from bot.engine.choosing import Choice
from bot.model.commands import Check, DryPlan, Expose
from bot.model.errors import UserError
from handlers.lines.check import detail_lines
from handlers.text import LINE
from handlers.views import answers, form, history
from handlers.views.audit import audit_line
from handlers.views.operation import operation_view, unseen_view
from tests.asking import say_yes
from tests.golden import assert_golden, in_every_language
from tests.handlers.stories import CHANGE_STATES, asked, change_story, changed
from tests.office import ADA, DANA, Company


@pytest.mark.parametrize("name", CHANGE_STATES)
@in_every_language
async def test_an_operations_message(name: str) -> None:
    assert_golden(f"operation-{name}", operation_view(await change_story(name)))


@pytest.mark.parametrize("name", CHANGE_STATES)
async def test_only_what_waits_for_a_person_has_buttons(name: str) -> None:
    operation = await change_story(name)
    _, blocks = operation_view(operation)
    buttons = [b["action_id"] for block in blocks if block["type"] == "actions" for b in block["elements"]]
    assert buttons == {"awaiting": ["confirm", "cancel"], "stuck": ["resume", "release"]}.get(operation.state, [])


@pytest.mark.parametrize("name", CHANGE_STATES)
async def test_a_message_keeps_slacks_limits_and_mentions_nobody_by_force(name: str) -> None:
    text, blocks = operation_view(await change_story(name))
    assert len(text) <= 4000
    assert len(blocks) <= 50
    assert "<!channel>" not in json.dumps([b for b in blocks if b["type"] != "rich_text"]) + text


@pytest.mark.parametrize("name", ["awaiting", "nothing-to-do", "unplannable"])
@in_every_language
async def test_what_is_told_of_a_card_that_nobody_sees(name: str) -> None:
    assert_golden(f"unseen-{name}", unseen_view(await change_story(name)))


@in_every_language
async def test_a_checks_answer_before_and_after() -> None:
    company = Company()
    engine = company.engine()
    command = Check(name="redis-abc-gns.default")
    assert_golden("check-not-exposed", answers.report_view(await engine.check(command), command))
    await changed(engine)
    assert_golden("check-passed", answers.report_view(await engine.check(command), command))
    assert_golden("check-cut-short", answers.cut_short_view(command))
    missing = Check(name="redis-abc-gsn.default:99")
    assert_golden("check-no-such-service", answers.report_view(await engine.check(missing), missing))


@in_every_language
async def test_short_answers() -> None:
    company = Company()
    engine = company.engine()
    plan = await engine.dry_plan(DryPlan(namespace="default"))
    assert_golden("dry-plan", answers.plan_view(plan))
    assert_golden("status-empty", answers.overview_view(await engine.overview()))
    await changed(engine)
    assert_golden("status", answers.overview_view(await engine.overview()))
    assert_golden("list", answers.exposures_view(await engine.overview()))
    assert_golden("help", answers.help_view(await engine.permissions(DANA)))
    assert_golden("help-all", answers.help_view(await engine.permissions(ADA)))
    assert_golden("history", history.history_view(await engine.history(), None))
    assert_golden("history-empty", history.history_view(await engine.history("kube-system"), "kube-system"))
    assert_golden("audit-whole", history.audit_view(await engine.audit()))
    assert_golden("whoami", answers.whoami_view(DANA, await engine.roles(DANA)))


@in_every_language
async def test_audit_lines_tell_the_whole_story() -> None:
    company = Company()
    engine = company.engine()
    operation = await asked(engine)
    with pytest.raises(UserError):
        await say_yes(engine, operation, DANA)
    await changed(engine, Expose(namespace="monitoring"), "d2")
    world = await engine.context.journal.world()
    lines = [audit_line(record, world.operations) for record in world.records if record.entry.kind in AUDITED_KINDS]
    assert_golden("audit", ("\n".join(lines), []))
    assert not any("<" in line for line in lines)


@in_every_language
async def test_the_form_offers_what_the_person_may_ask_for() -> None:
    company = Company()
    engine = company.engine()
    assert_golden("form-loading", ("", [form.loading()]))
    await changed(engine)
    assert_golden("form", ("", [form.filled(await engine.choices(DANA, "C1"), engine.offices(), "C1")]))
    many = Choice(cluster="qa", namespaces=tuple(f"ns-{n:03}" for n in range(250)), exposed=frozenset())
    view = form.filled([many], ["hq", "lab"], "D1")
    groups = next(b["element"] for b in view["blocks"] if b["block_id"] == "namespace")["option_groups"]
    assert [len(group["options"]) for group in groups] == [100, 100, 50]
    assert "initial_conversation" not in json.dumps(view)


@in_every_language
async def test_a_broken_journal_is_told_with_the_place_where_it_breaks() -> None:
    company = Company()
    engine = company.engine()
    await changed(engine)
    log = company.contents.streams["journal"]
    log[1] = log[1].model_copy(update={"body": log[1].body.replace("sprint 12", "sprint 13")})
    report = await engine.audit()
    assert report.problem
    assert_golden("audit-broken", history.audit_view(report))


async def test_a_threads_long_lines_are_left_for_slack_to_break() -> None:
    engine = Company().engine()
    long = await engine.check(Check(name="redis-abc-gns.default"))
    details = answers.details_view(long)
    assert details is not None
    [shown] = [block["elements"][0]["elements"][0]["text"] for block in details[1]]
    assert shown.splitlines() == detail_lines(long)
    assert max(map(len, shown.splitlines())) > LINE
