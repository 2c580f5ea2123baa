"""What a reader sees: messages and views as plain text, with the things that can be pressed."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

from lab.slack.blocks import interactive
from lab.slack.emoji import to_characters
from lab.slack.errors import SlackError
from lab.slack.model import Json, Message
from lab.slack.workspace import Workspace, is_interactive

LINK = re.compile(r"<([^<>\n]+)>")
MARKS = re.compile(r"(?<![\w*~_])([*_~])(?=\S)(.+?)(?<=\S)\1(?![\w*~_])")
FENCE = re.compile(r"```\n?(.*?)\n?```|`([^`\n]+)`", re.DOTALL)
DATE_FORMATS = {
    "{date_num}": "%Y-%m-%d",
    "{date}": "%B %-d, %Y",
    "{date_short}": "%b %-d, %Y",
    "{date_long}": "%A, %B %-d, %Y",
    "{date_pretty}": "%B %-d, %Y",
    "{date_short_pretty}": "%b %-d, %Y",
    "{date_long_pretty}": "%A, %B %-d, %Y",
    "{time}": "%H:%M",
    "{time_secs}": "%H:%M:%S",
    "{ago}": "%Y-%m-%d %H:%M",
}


class Reader:
    """Renders for a person in this workspace; names are looked up, nothing is guessed."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def message(self, message: Message) -> str:
        """Blocks if there are any, otherwise the text; then attachments and files."""
        parts = [self.blocks(message.blocks)] if message.blocks else [self.mrkdwn(message.text)]
        for attachment in message.attachments or []:
            inner = attachment.get("blocks")
            parts.append(self.blocks(inner) if inner else self.mrkdwn(str(attachment.get("text", ""))))
        parts += [f"[file: {self.workspace.state.files[one].name}]" for one in message.files]
        return "\n".join(part for part in parts if part)

    def blocks(self, blocks: list[Json]) -> str:
        return "\n".join(filter(None, (self.block(block) for block in blocks)))

    def block(self, block: Json) -> str:
        match block["type"]:
            case "section":
                texts = [block["text"]] if block.get("text") else []
                lines = [self.text(one) for one in [*texts, *(block.get("fields") or [])]]
                accessory = block.get("accessory")
                return "\n".join(lines + ([self.element(accessory)] if accessory else []))
            case "header":
                return self.text(block["text"])
            case "divider":
                return "────"
            case "context":
                return " ".join(self.element(one) for one in block["elements"])
            case "actions" | "context_actions":
                return " ".join(self.element(one) for one in block["elements"])
            case "input":
                return f"{self.text(block['label'])}: {self.element(block['element'])}"
            case "image":
                return f"[image: {block['alt_text']}]"
            case "rich_text":
                return "\n".join(self.rich(one) for one in block["elements"])
            case "markdown":
                return to_characters(str(block["text"]))
            case "table":
                return "\n".join(" | ".join(self.cell(cell) for cell in row) for row in block["rows"])
        return f"[{block['type']}]"

    def element(self, element: Json) -> str:
        if element["type"] in ("mrkdwn", "plain_text"):
            return self.text(element)
        if element["type"] == "image":
            return f"[image: {element['alt_text']}]"
        return f"[{self.label(element)}]"

    def label(self, element: Json) -> str:
        """What is written on something that can be pressed or filled in."""
        for key in ("text", "placeholder"):
            if isinstance(element.get(key), dict):
                return self.text(element[key])
        return str(element.get("action_id") or element["type"])

    def cell(self, cell: Json) -> str:
        if cell["type"] == "rich_text":
            return self.block(cell)
        return str(cell.get("text", cell.get("value", "")))

    def rich(self, node: Json) -> str:
        kind, elements = node["type"], node.get("elements", [])
        if kind == "rich_text_list":
            first = int(node.get("offset", 0)) + 1
            ordered = node["style"] == "ordered"
            indent = "  " * int(node.get("indent", 0))
            return "\n".join(
                f"{indent}{f'{number}.' if ordered else '•'} {self.rich(item)}"
                for number, item in enumerate(elements, first)
            )
        line = "".join(self.leaf(one) for one in elements)
        return "\n".join(f"> {part}" for part in line.split("\n")) if kind == "rich_text_quote" else line

    def leaf(self, leaf: Json) -> str:
        match leaf["type"]:
            case "text":
                return str(leaf["text"])
            case "link":
                return str(leaf.get("text") or leaf["url"])
            case "user":
                return self.mention("@" + leaf["user_id"])
            case "channel":
                return self.mention("#" + leaf["channel_id"])
            case "usergroup":
                return self.mention("!subteam^" + leaf["usergroup_id"])
            case "broadcast":
                return f"@{leaf['range']}"
            case "emoji":
                return to_characters(f":{leaf['name']}:")
            case "date":
                return date(float(leaf["timestamp"]), leaf["format"])
        return str(leaf.get("value", ""))

    def text(self, text: Json) -> str:
        return self.mrkdwn(text["text"]) if text["type"] == "mrkdwn" else to_characters(text["text"])

    def mrkdwn(self, text: str) -> str:
        parts, end = [], 0
        for code in FENCE.finditer(text):
            inside = code[1] if code[1] is not None else code[2]
            parts += [self.formatted(text[end : code.start()]), html.unescape(self.linked(inside))]
            end = code.end()
        return "".join([*parts, self.formatted(text[end:])])

    def formatted(self, text: str) -> str:
        plain = MARKS.sub(r"\2", MARKS.sub(r"\2", self.linked(text)))
        return to_characters(html.unescape(plain))

    def linked(self, text: str) -> str:
        return LINK.sub(lambda match: self.mention(match[1]), text)

    def mention(self, inside: str) -> str:
        """The reader's form of what stands between `<` and `>`."""
        target, _, label = inside.partition("|")
        state = self.workspace.state
        match target[0]:
            case "@":
                user = state.users.get(target[1:])
                return f"@{user.name if user else label or target[1:]}"
            case "#":
                channel = state.channels.get(target[1:])
                return f"#{channel.name if channel else label or target[1:]}"
            case "!" if target.startswith("!subteam^"):
                group = state.groups.get(target.removeprefix("!subteam^"))
                return f"@{group.handle if group else label.removeprefix('@') or target[9:]}"
            case "!" if target.startswith("!date^"):
                _, unix, pattern, *_ = target.split("^")
                return date(float(unix), pattern)
            case "!":
                return f"@{target[1:]}"
        return label or target

    def buttons(self, blocks: list[Json] | None) -> list[Json]:
        """Everything that can be operated, in reading order."""
        return [
            {
                "label": self.label(element),
                "type": element["type"],
                "action_id": element.get("action_id"),
                "block_id": block.get("block_id"),
                "value": element.get("value"),
                "style": element.get("style"),
                "url": element.get("url"),
                "confirm": self.dialog(element.get("confirm")),
            }
            for block in blocks or []
            for element, _ in interactive(block)
            if is_interactive(element)
        ]

    def dialog(self, confirm: Json | None) -> Json | None:
        return {key: self.text(confirm[key]) for key in ("title", "text", "confirm", "deny")} if confirm else None

    def find(self, blocks: list[Json] | None, wanted: Json) -> tuple[Json, Json]:
        """The (block, element) meant by `action_id`, `label` and `block_id`. SlackError no_such_element."""
        for block in blocks or []:
            for element, _ in interactive(block):
                if is_interactive(element) and self.matches(block, element, wanted):
                    return block, element
        raise SlackError(
            "no_such_element",
            wanted={key: wanted[key] for key in ("action_id", "label", "block_id") if wanted.get(key)},
            there_is=[button["label"] for button in self.buttons(blocks)],
        )

    def matches(self, block: Json, element: Json, wanted: Json) -> bool:
        found: dict[str, Any] = {
            "action_id": element.get("action_id"),
            "block_id": block.get("block_id"),
            "label": self.label(element),
        }
        return all(found[key] == wanted[key] for key in found if wanted.get(key))


def date(unix: float, pattern: str) -> str:
    """Slack's date patterns, in UTC."""
    moment = datetime.fromtimestamp(unix, UTC)
    return re.sub(r"\{\w+\}", lambda match: moment.strftime(DATE_FORMATS.get(match[0], match[0])), pattern)
