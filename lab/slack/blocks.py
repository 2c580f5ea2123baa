"""Block Kit as Slack accepts it: the blocks, their elements and their limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.slack.model import Json
from lab.slack.schema import (
    Check,
    Problems,
    anything,
    array,
    boolean,
    both,
    number,
    one_of,
    problem,
    record,
    string,
    typed,
    union,
)

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
MARKDOWN_TOTAL = 12_000
# Slack publishes no number for all blocks of a message together. People have measured 13,297 characters in one block,
# 9,597 in fifty taken and 11,341 in forty-five refused (slackapi/bolt-js#2509, #2867): as if a block weighed 60 more.
MESSAGE_WEIGHT, BLOCK_WEIGHT = 13_297, 60
VIEW_BYTES = 250_000


def plain(most: int, least: int = 1) -> Check:
    return union({"plain_text": typed({"text": string(most, least)}, emoji=boolean)})


def prose(most: int, least: int = 1) -> Check:
    """plain_text or mrkdwn."""
    return union(
        {
            "plain_text": typed({"text": string(most, least)}, emoji=boolean),
            "mrkdwn": typed({"text": string(most, least)}, verbatim=boolean),
        }
    )


STYLE = one_of("primary", "danger")
ID = string(255)
CONFIRM = record({"title": plain(100), "text": prose(300), "confirm": plain(30), "deny": plain(30)}, style=STYLE)
OPTION = record({"text": prose(75), "value": string(150)}, description=prose(75), url=string(3000))
GROUP = record({"label": plain(75), "options": array(OPTION, 100)})
IMAGE = {
    "image_url": string(3000),
    "slack_file": record(id=string(), url=string()),
    "alt_text": string(2000, 0),
}


def options_or_groups(value: Any, pointer: str, problems: Problems) -> None:
    if bool(value.get("options")) == bool(value.get("option_groups")):
        problem(problems, "must define either `options` or `option_groups`", pointer)


def picture(value: Any, pointer: str, problems: Problems) -> None:
    if bool(value.get("image_url")) == bool(value.get("slack_file")):
        problem(problems, "must define either `image_url` or `slack_file`", pointer)
    if "alt_text" not in value:
        problem(problems, "missing required field: alt_text", pointer)


def section_content(value: Any, pointer: str, problems: Problems) -> None:
    if not value.get("text") and not value.get("fields"):
        problem(problems, "must define either `text` or `fields`", pointer)


SELECT = {"action_id": ID, "placeholder": plain(150), "confirm": CONFIRM, "focus_on_load": boolean}
OPTIONS = {"options": array(OPTION, 100), "option_groups": array(GROUP, 100)}
PICKED = {"initial_option": OPTION}
PICKED_MANY = {"initial_options": array(OPTION, 100), "max_selected_items": number}
FILTER = {"default_to_current_conversation": boolean, "response_url_enabled": boolean, "filter": anything}
TEXT_INPUT = {
    "action_id": ID,
    "placeholder": plain(150),
    "initial_value": string(3000, 0),
    "focus_on_load": boolean,
    "dispatch_action_config": anything,
}
MIN_MAX = {"min_length": number, "max_length": number}

BUTTON = typed(
    {"text": plain(75)},
    action_id=ID,
    value=string(2000),
    url=string(3000),
    style=STYLE,
    confirm=CONFIRM,
    accessibility_label=string(75),
)

SELECTS: dict[str, Check] = {
    "static_select": both(typed(**SELECT, **OPTIONS, **PICKED), options_or_groups),
    "multi_static_select": both(typed(**SELECT, **OPTIONS, **PICKED_MANY), options_or_groups),
    "external_select": typed(**SELECT, **PICKED, min_query_length=number),
    "multi_external_select": typed(**SELECT, **PICKED_MANY, min_query_length=number),
    "users_select": typed(**SELECT, initial_user=string()),
    "multi_users_select": typed(**SELECT, initial_users=array(string(), 100), max_selected_items=number),
    "conversations_select": typed(**SELECT, **FILTER, initial_conversation=string()),
    "multi_conversations_select": typed(
        **SELECT, **FILTER, initial_conversations=array(string(), 100), max_selected_items=number
    ),
    "channels_select": typed(**SELECT, initial_channel=string(), response_url_enabled=boolean),
    "multi_channels_select": typed(**SELECT, initial_channels=array(string(), 100), max_selected_items=number),
    "datepicker": typed(**SELECT, initial_date=string()),
    "timepicker": typed(**SELECT, initial_time=string(), timezone=string()),
    "datetimepicker": typed(action_id=ID, confirm=CONFIRM, focus_on_load=boolean, initial_date_time=number),
    "checkboxes": typed(
        {"options": array(OPTION, 10)},
        action_id=ID,
        confirm=CONFIRM,
        focus_on_load=boolean,
        initial_options=array(OPTION, 10),
    ),
    "radio_buttons": typed(
        {"options": array(OPTION, 10)}, action_id=ID, confirm=CONFIRM, focus_on_load=boolean, **PICKED
    ),
}
TEXT_INPUTS: dict[str, Check] = {
    "plain_text_input": typed(**TEXT_INPUT, **MIN_MAX, multiline=boolean),
    "email_text_input": typed(**TEXT_INPUT),
    "url_text_input": typed(**TEXT_INPUT),
    "number_input": typed({"is_decimal_allowed": boolean}, **TEXT_INPUT, min_value=anything, max_value=anything),
}
IMAGE_ELEMENT = both(typed(**IMAGE), picture)
OVERFLOW = typed({"options": array(OPTION, 5)}, action_id=ID, confirm=CONFIRM)

RICH_STYLE = record(bold=boolean, italic=boolean, strike=boolean, code=boolean, underline=boolean, highlight=boolean)
RICH_LEAF = union(
    {
        "text": typed({"text": string()}, style=RICH_STYLE),
        "link": typed({"url": string()}, text=string(None, 0), style=RICH_STYLE, unsafe=boolean),
        "user": typed({"user_id": string()}, style=RICH_STYLE),
        "usergroup": typed({"usergroup_id": string()}, style=RICH_STYLE),
        "channel": typed({"channel_id": string()}, style=RICH_STYLE),
        "emoji": typed({"name": string()}, unicode=string(), style=RICH_STYLE, url=string(), skin_tone=number),
        "broadcast": typed({"range": one_of("here", "channel", "everyone")}, style=RICH_STYLE),
        "date": typed({"timestamp": number, "format": string()}, url=string(), fallback=string(), style=RICH_STYLE),
        "color": typed({"value": string()}, style=RICH_STYLE),
    }
)
RICH_LINE = {"elements": array(RICH_LEAF, 1000, 0)}
RICH_SECTION = typed(RICH_LINE)
RICH_TEXT = typed(
    {
        "elements": array(
            union(
                {
                    "rich_text_section": RICH_SECTION,
                    "rich_text_preformatted": typed(RICH_LINE, border=number, language=string()),
                    "rich_text_quote": typed(RICH_LINE, border=number),
                    "rich_text_list": typed(
                        {
                            "style": one_of("bullet", "ordered"),
                            "elements": array(union({"rich_text_section": RICH_SECTION}), 1000, 0),
                        },
                        indent=number,
                        offset=number,
                        border=number,
                    ),
                }
            ),
            1000,
            0,
        )
    },
    block_id=ID,
)
RICH_INPUT = typed(
    action_id=ID,
    initial_value=RICH_TEXT,
    placeholder=plain(150),
    focus_on_load=boolean,
    dispatch_action_config=anything,
)

ACTIONS = union({"button": BUTTON, "overflow": OVERFLOW, **SELECTS})
ACCESSORY = union({"button": BUTTON, "overflow": OVERFLOW, "image": IMAGE_ELEMENT, **SELECTS})
CONTEXT = union(
    {
        "image": IMAGE_ELEMENT,
        "plain_text": typed({"text": string(3000)}, emoji=boolean),
        "mrkdwn": typed({"text": string(3000)}, verbatim=boolean),
    }
)
INPUTS = union({**SELECTS, **TEXT_INPUTS, "rich_text_input": RICH_INPUT})
CELL = union(
    {
        "rich_text": RICH_TEXT,
        "raw_text": typed({"text": string()}),
        "raw_number": typed({"value": number}, text=string()),
    }
)
COLUMN = record(align=one_of("left", "center", "right"), is_wrapped=boolean)

COMMON: dict[str, Check] = {
    "section": both(
        typed(
            text=prose(3000),
            fields=array(prose(2000), 10),
            accessory=ACCESSORY,
            block_id=ID,
            expand=boolean,
        ),
        section_content,
    ),
    "header": typed({"text": plain(150)}, block_id=ID),
    "divider": typed(block_id=ID),
    "context": typed({"elements": array(CONTEXT, 10)}, block_id=ID),
    "actions": typed({"elements": array(ACTIONS, 25)}, block_id=ID),
    "image": both(typed(**IMAGE, title=plain(2000), block_id=ID), picture),
    "rich_text": RICH_TEXT,
    "input": typed(
        {"label": plain(2000), "element": INPUTS},
        hint=plain(2000),
        optional=boolean,
        dispatch_action=boolean,
        block_id=ID,
    ),
    "file": typed({"external_id": string(), "source": one_of("remote")}, block_id=ID),
}
CONTEXT_ACTIONS = typed(
    {
        "elements": array(
            union(
                {
                    "feedback_buttons": typed({"positive_button": anything, "negative_button": anything}, action_id=ID),
                    "icon_button": typed(
                        {"icon": one_of("trash"), "text": plain(75)},
                        action_id=ID,
                        value=string(2000),
                        confirm=CONFIRM,
                        accessibility_label=string(75),
                        visible_to_user_ids=anything,
                    ),
                }
            ),
            5,
        )
    },
    block_id=ID,
)
MESSAGE_ONLY: dict[str, Check] = {
    "markdown": typed({"text": string(MARKDOWN_TOTAL)}, block_id=ID),
    "table": typed({"rows": array(array(CELL, 20), 100)}, column_settings=array(COLUMN, 20, 0), block_id=ID),
    "context_actions": CONTEXT_ACTIONS,
}
IN_MESSAGE = array(union({**COMMON, **MESSAGE_ONLY}), MESSAGE_BLOCKS, 0)
IN_VIEW = array(union(COMMON), VIEW_BLOCKS, 0)

MODAL = typed(
    {"title": plain(24), "blocks": IN_VIEW},
    submit=plain(24),
    close=plain(24),
    private_metadata=string(3000, 0),
    callback_id=string(255, 0),
    external_id=string(255, 0),
    clear_on_close=boolean,
    notify_on_close=boolean,
    submit_disabled=boolean,
)
HOME = typed(
    {"blocks": IN_VIEW},
    private_metadata=string(3000, 0),
    callback_id=string(255, 0),
    external_id=string(255, 0),
    title=anything,
    close=anything,
    submit=anything,
    clear_on_close=boolean,
    notify_on_close=boolean,
)


def message_problems(blocks: Any) -> Problems:
    """Everything Slack would object to in a message's blocks; an empty list when it would accept them."""
    problems: Problems = []
    IN_MESSAGE(blocks, "/blocks", problems)
    if problems or not isinstance(blocks, list):
        return problems
    repeated_ids(blocks, problems)
    total = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if total > MARKDOWN_TOTAL:
        problem(problems, f"must be less than {MARKDOWN_TOTAL + 1} characters", "/blocks")
    tables = [index for index, block in enumerate(blocks) if block["type"] == "table"]
    for index in tables[1:]:
        problem(problems, "only_one_table_allowed", f"/blocks/{index}")
    return problems


def too_long(blocks: list[Json]) -> bool:
    """Whether all blocks of a message together hold more than Slack takes."""
    return sum(BLOCK_WEIGHT + characters(block) for block in blocks) > MESSAGE_WEIGHT + BLOCK_WEIGHT


def characters(node: Any) -> int:
    """Of every text in a block."""
    if isinstance(node, list):
        return sum(map(characters, node))
    if not isinstance(node, dict):
        return 0
    own = node.get("text")
    return (len(own) if isinstance(own, str) else 0) + sum(map(characters, node.values()))


def view_problems(view: Any) -> Problems:
    """The same for a modal or a Home tab. Pointers start at `/view`."""
    problems: Problems = []
    union({"modal": MODAL, "home": HOME})(view, "/view", problems)
    if problems:
        return problems
    repeated_ids(view["blocks"], problems, "/view")
    has_input = any(block["type"] == "input" for block in view["blocks"])
    if view["type"] == "modal" and has_input and not view.get("submit"):
        problem(problems, "missing required field: submit", "/view")
    return problems


def interactive(block: Json) -> Iterator[tuple[Json, str]]:
    """The elements of a block that a person can operate, with their pointers inside the block."""
    for index, element in enumerate(block.get("elements") or []):
        if block["type"] in ("actions", "context_actions"):
            yield element, f"/elements/{index}"
    for key in ("accessory", "element"):
        if isinstance(block.get(key), dict) and block[key].get("type") != "image":
            yield block[key], f"/{key}"


def repeated_ids(blocks: list[Json], problems: Problems, root: str = "") -> None:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        pointer = f"{root}/blocks/{index}"
        block_id = block.get("block_id")
        if block_id in seen:
            problem(problems, f"`block_id` {block_id} already exists for another block", f"{pointer}/block_id")
        if block_id:
            seen.add(block_id)
        actions: set[str] = set()
        for element, where in interactive(block):
            action_id = element.get("action_id")
            if action_id in actions:
                text = f"`action_id` {action_id} already exists for another interactive element"
                problem(problems, text, f"{pointer}{where}/action_id")
            if action_id:
                actions.add(action_id)
