"""From what people type, and what chat clients make of it, to commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.commands import (
    COMMANDS,
    SPEC,
    TYPES,
    Audit,
    Check,
    DryPlan,
    Expose,
    Failover,
    Help,
    History,
    Status,
    Unexpose,
    options,
    subject,
    typed,
)
from bot.model.errors import UserError
from handlers import parse


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", Help()),
        ("help me please", Help()),
        ("status", Status()),
        ("history", History()),
        ("history default", History(namespace="default")),
        ("audit", Audit()),
        ("EXPOSE default", Expose(namespace="default")),
        ("expose  default\u00a0on qa", Expose(namespace="default", cluster="qa")),
        ("expose default from hq on qa", Expose(namespace="default", office="hq", cluster="qa")),
        (
            "expose default on qa because sprint 12 on monday",
            Expose(namespace="default", cluster="qa", reason="sprint 12 on monday"),
        ),
        ("unexpose default because “done”", Unexpose(namespace="default", reason='"done"')),
        ("expose `default`", Expose(namespace="default")),
        ("plan default on qa", DryPlan(namespace="default", cluster="qa")),
        ("failover", Failover()),
        ("failover to node-03 on qa because of the fan", Failover(node="node-03", cluster="qa", reason="of the fan")),
        ("failover because it rattles", Failover(reason="it rattles")),
        ("check", Check()),
        ("check on qa", Check(cluster="qa")),
        ("check redis-abc-gns.default:6379", Check(name="redis-abc-gns.default:6379")),
        ("check <http://redis.default.dev|redis.default.dev>", Check(name="redis.default.dev")),
        ("check <http://redis.default.dev>", Check(name="redis.default.dev")),
        ("check redis\u2011abc.default\u200b", Check(name="redis-abc.default")),
    ],
)
def test_a_line_becomes_its_command(text: str, command: object) -> None:
    assert parse.command(text) == command


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("expsoe default", "Did you mean expose?"),
        ("frobnicate", "Commands: expose, unexpose, failover"),
        ("expose", "expose <namespace>"),
        ("expose on qa", "expose <namespace>"),
        ("expose default qa", "I do not understand 'qa'"),
        ("failover node-03", "failover [to <node>]"),
        ("failover to", "failover [to <node>]"),
        ("failover to a to b", "failover [to <node>]"),
        ("expose because it is there", "expose <namespace>"),
        ("expose default on", "I do not understand 'on'"),
        ("expose default on qa on prod", "I do not understand 'on'"),
        ("expose default because ", "needs a reason"),
        ("check redis.default because I say so", "takes no reason"),
        ("check redis.default from hq", "every office"),
        ("clear-dns-cache default from hq", "every office"),
        ("status now", "takes nothing after it"),
        ("audit now", "takes nothing after it"),
        ("history default please", "I do not understand 'please'"),
        ("x" * 1001, "at most 1000"),
    ],
)
def test_what_cannot_be_understood_says_how_to_type_it(text: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        parse.command(text)
    assert says in str(refused.value)


@given(st.text(max_size=200))
def test_no_text_is_anything_but_a_command_or_a_sentence(text: str) -> None:
    try:
        command = parse.command(text)
    except UserError:
        return
    assert command.verb in {spec.verb for spec in COMMANDS}


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(lambda t: t not in ("from", "on"))


@given(labels, st.none() | labels, st.none() | labels)
def test_a_command_typed_out_parses_back_to_itself(namespace: str, office: str | None, cluster: str | None) -> None:
    command = Expose(namespace=namespace, office=office, cluster=cluster, reason="because")
    assert parse.command(typed(command)) == command


@pytest.mark.parametrize("verb", SPEC)
def test_whatever_a_command_can_hold_can_be_typed(verb: str) -> None:
    fields = {field for field in (subject(verb), *options(verb).values()) if field is not None}
    command = TYPES[verb].model_validate({field: f"some-{field}" for field in fields})
    assert parse.command(typed(command)) == command
    held = set(TYPES[verb].model_fields) - {"verb", "incident"}
    assert held == fields, "a field that nobody can type"


def test_the_registry_and_the_types_of_commands_are_the_same_verbs() -> None:
    assert set(SPEC) == set(TYPES)


def test_every_command_of_the_registry_can_be_parsed() -> None:
    examples = {"expose": "x", "unexpose": "x", "check": "a.b", "plan": "x", "clear-dns-cache": "x"}
    for spec in COMMANDS:
        assert parse.command(f"{spec.verb} {examples.get(spec.verb, '')}").verb == spec.verb


def test_the_clickers_own_workspace_counts() -> None:
    body = {
        "user": {"id": "U9", "team_id": "T9"},
        "team": {"id": "T1"},
        "channel": {"id": "C1"},
        "trigger_id": "1.2.3",
        "actions": [{"action_id": "confirm", "value": "op.digest"}],
    }
    assert str(parse.click(body).actor) == "T9/U9"


def test_a_form_of_another_version_is_a_sentence() -> None:
    body = {"user": {"id": "U9", "team_id": "T9"}, "view": {"state": {"values": {}}}, "trigger_id": "1.2.3"}
    with pytest.raises(UserError, match="another version"):
        parse.submission(body)
