"""What a person put into the inputs of a view or message, in the shape of `state.values`."""

from __future__ import annotations

from typing import Any

from lab.slack.blocks import interactive
from lab.slack.model import Json
from lab.slack.workspace import Workspace, is_interactive

OPTION = ("selected_option", "initial_option")
OPTIONS = ("selected_options", "initial_options")
SLOTS: dict[str, tuple[str, str]] = {
    "static_select": OPTION,
    "external_select": OPTION,
    "radio_buttons": OPTION,
    "overflow": OPTION,
    "multi_static_select": OPTIONS,
    "multi_external_select": OPTIONS,
    "checkboxes": OPTIONS,
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "rich_text_input": ("rich_text_value", "initial_value"),
}
TEXT = ("value", "initial_value")


def slot(element: Json) -> tuple[str, str]:
    return SLOTS.get(element["type"], TEXT)


class Unfilled(ValueError):
    """The client itself refuses to send the form; `errors` says why, by block_id."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(str(errors))
        self.errors = errors


def state_values(workspace: Workspace, blocks: list[Json], given: Json) -> Json:
    """`values[block_id][action_id]` for every input; `given` is keyed as in `entered`."""
    values: Json = {}
    for block in blocks:
        for element, _ in interactive(block):
            if not is_interactive(element) or element["type"] == "button":
                continue
            key, initial = slot(element)
            found = entered(given, block, element)
            value = chosen(workspace, element, found[0]) if found else element.get(initial)
            if value is None and key in ("selected_options", "selected_users"):
                value = []
            values.setdefault(block["block_id"], {})[element["action_id"]] = {"type": element["type"], key: value}
    return values


def entered(given: Json, block: Json, element: Json) -> list[Any]:
    """What was given for this input: one value, or none. `{block_id: {action_id: value}}` is the exact form."""
    exact = given.get(block["block_id"])
    if isinstance(exact, dict) and element["action_id"] in exact:
        return [exact[element["action_id"]]]
    label = block.get("label", {}).get("text")
    return [given[name] for name in (element["action_id"], block["block_id"], label) if name in given][:1]


def chosen(workspace: Workspace, element: Json, value: Any) -> Any:
    """A person's words (an option's text, a user's name) as the value that Slack sends."""
    key, _ = slot(element)
    if isinstance(value, list):
        return [chosen_one(workspace, key.removesuffix("s"), element, one) for one in value]
    return chosen_one(workspace, key, element, value)


def chosen_one(workspace: Workspace, key: str, element: Json, value: Any) -> Any:
    if value is None:
        return None
    match key:
        case "selected_option":
            return option(element, value)
        case "selected_user":
            return workspace.user(value).id
        case "selected_channel" | "selected_conversation":
            return workspace.channel(value).id
        case "value":
            return str(value)
    return value


def options(element: Json) -> list[Json]:
    groups = element.get("option_groups") or []
    return [*(element.get("options") or []), *(one for group in groups for one in group["options"])]


def option(element: Json, wanted: Any) -> Json:
    """By value or by text; for external selects the option itself, as it was suggested."""
    if isinstance(wanted, dict):
        return wanted
    for one in options(element):
        if wanted in (one["value"], one["text"]["text"]):
            return one
    raise ValueError(f"there is no option {wanted!r}; there are {[one['text']['text'] for one in options(element)]}")


def refuse_unfilled(blocks: list[Json], values: Json) -> None:
    """What the client checks before it sends a form. Raises Unfilled."""
    errors = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        value = values[block["block_id"]][element["action_id"]][slot(element)[0]]
        if not value and not block.get("optional"):
            errors[block["block_id"]] = "Please complete this required field."
        elif isinstance(value, str):
            if len(value) < element.get("min_length", 0):
                errors[block["block_id"]] = f"Please enter at least {element['min_length']} characters."
            if len(value) > element.get("max_length", 3000):
                errors[block["block_id"]] = f"Please enter at most {element.get('max_length', 3000)} characters."
    if errors:
        raise Unfilled(errors)
