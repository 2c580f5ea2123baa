"""The form behind `/k8snet`: what, which namespace, why, and where the card goes."""

from collections.abc import Iterator, Sequence
from typing import Any

from bot.engine.choosing import Choice
from bot.model.wording import marked, tr
from handlers.views.blocks import Block, plain_text, section

CALLBACK = "change"
REASON_LIMIT = 300
OPTIONS_LIMIT = 100  # of one group, and of groups: Slack's
NAMESPACES_LIMIT = 1000  # a form may have 250 kB
VERBS = {"expose": marked("Expose to the office"), "unexpose": marked("Take it back")}


def loading() -> Block:
    """Shown at once, while the clusters are asked."""
    return _modal([section(tr("Asking the clusters for their namespaces …"))])


def refusal(text: str) -> Block:
    """There is nothing to choose, and why."""
    return _modal([{"type": "section", "text": plain_text(text)}])


def filled(choices: Sequence[Choice], offices: Sequence[str], channel: str) -> Block:
    """The form itself; `channel` is where it was asked for, "" or a direct message for none."""
    blocks: list[Block] = [
        {
            "type": "context",
            "elements": [
                plain_text(tr("{cluster} does not answer: {problem}", cluster=choice.cluster, problem=choice.problem))
            ],
        }
        for choice in choices
        if choice.problem
    ]
    if sum(len(choice.namespaces) for choice in choices) > NAMESPACES_LIMIT:
        return refusal(tr("There are too many namespaces to choose from here. Type: /k8snet expose <namespace>"))
    groups = list(_groups(choices))
    if not groups:
        return _modal(
            [*blocks, {"type": "section", "text": plain_text(tr("There is no namespace that you may ask for."))}]
        )
    what = [_option(tr(label), verb) for verb, label in VERBS.items()]
    blocks += [
        _input("what", tr("What"), {"type": "radio_buttons", "options": what, "initial_option": what[0]}),
        _input("namespace", tr("Namespace"), {"type": "static_select", "option_groups": groups}),
    ]
    if len(offices) > 1:
        options = [_option(office, office) for office in offices]
        blocks.append(_input("office", tr("From which office"), {"type": "static_select", "options": options}))
    reason = {"type": "plain_text_input", "max_length": REASON_LIMIT}
    blocks += [
        _input("reason", tr("Why"), reason, optional=True),
        _input("channel", tr("Where the plan is shown"), _where(channel)),
        {"type": "context", "elements": [plain_text(tr("It stays as it is asked for until somebody takes it back."))]},
    ]
    return _modal(blocks, submit=tr("Show the plan"))


def _where(channel: str) -> Block:
    """Public and private channels of our own workspace: changes are made in the open."""
    element: Block = {
        "type": "conversations_select",
        "response_url_enabled": True,
        "filter": {"include": ["public", "private"], "exclude_external_shared_channels": True},
    }
    if channel and not channel.startswith("D"):
        element["initial_conversation"] = channel
    return element


def _groups(choices: Sequence[Choice]) -> Iterator[Block]:
    """One group a cluster, or several where it has more namespaces than a group may hold."""
    for choice in choices:
        names = choice.namespaces
        for start in range(0, len(names), OPTIONS_LIMIT):
            some = names[start : start + OPTIONS_LIMIT]
            label = (
                choice.cluster
                if len(names) <= OPTIONS_LIMIT
                else tr("{cluster}: {first} to {last}", cluster=choice.cluster, first=some[0], last=some[-1])
            )
            options = [
                _option(
                    tr("{name} (exposed)", name=name) if name in choice.exposed else name, f"{choice.cluster}/{name}"
                )
                for name in some
            ]
            yield {"label": plain_text(label, 75), "options": options}


def _option(label: str, value: str) -> Block:
    return {"text": plain_text(label, 75), "value": value}


def _input(name: str, label: str, element: Block, optional: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "label": plain_text(label),
        "element": {**element, "action_id": name},
        "optional": optional,
    }


def _modal(blocks: Sequence[Block], submit: str | None = None) -> Block:
    view: Block = {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": plain_text("k8snet"),
        "close": plain_text(tr("Not now")),
        "blocks": list(blocks),
    }
    return {**view, "submit": plain_text(submit)} if submit else view


def sent(values: dict[str, Any]) -> dict[str, str]:
    """What was chosen and written, by field; fields left empty are missing."""
    found: dict[str, str] = {}
    for block in values.values():
        for name, state in block.items():
            option = state.get("selected_option") or {}
            value = option.get("value") or state.get("selected_conversation") or state.get("value")
            if value:
                found[name] = str(value)
    return found
