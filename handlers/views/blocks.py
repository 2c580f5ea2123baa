"""Block Kit pieces that several views use. Text from outside goes into plain_text or rich_text, which parse nothing."""

from collections.abc import Sequence
from typing import Any

from bot.model.people import Person

Block = dict[str, Any]

SECTION_LIMIT = 3000
PREFORMATTED_LIMIT = 2900  # of characters in one block; longer lists are split over several


def escape(text: str) -> str:
    """Text of ours or others inside mrkdwn: Slack asks for exactly these three."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mention(someone: Person) -> str:
    """A mention; notifies only in a new message, not in an update."""
    return f"<@{someone.user}>"


def section(mrkdwn: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn[:SECTION_LIMIT], "verbatim": True}}


def context(mrkdwn: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": mrkdwn[:SECTION_LIMIT], "verbatim": True}]}


def preformatted(lines: Sequence[str]) -> list[Block]:
    """Lines in a fixed-width box, unparsed; several boxes when one would be too long. Nothing is cut."""
    boxes: list[list[str]] = [[]]
    size = 0
    for line in lines:
        if size + len(line) + 1 > PREFORMATTED_LIMIT and boxes[-1]:
            boxes.append([])
            size = 0
        boxes[-1].append(line)
        size += len(line) + 1
    return [_box("\n".join(box)) for box in boxes if box]


def _box(text: str) -> Block:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}],
    }


def button(
    label: str, action: str, value: str, style: str | None = None, confirm: tuple[str, str] | None = None
) -> Block:
    """A button; `confirm` is title and question of the dialog shown before the click is sent."""
    block: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": label, "emoji": False},
        "action_id": action,
        "value": value,
    }
    if style:
        block["style"] = style
    if confirm:
        title, question = confirm
        block["confirm"] = {
            "title": {"type": "plain_text", "text": title},
            "text": {"type": "plain_text", "text": question[:300]},
            "confirm": {"type": "plain_text", "text": label[:30]},
            "deny": {"type": "plain_text", "text": "Not now"},
        }
    return block


def actions(*buttons: Block) -> Block:
    return {"type": "actions", "elements": list(buttons)}
