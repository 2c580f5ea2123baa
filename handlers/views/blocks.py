"""Block Kit pieces that several views use. Text from outside goes into plain_text or rich_text, which parse nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.model.people import Person
from bot.model.wording import tr
from handlers.text import clip, visible

Block = dict[str, Any]

OURSELVES = "k8snet"  # the "team" of what the bot does by itself
SECTION_LIMIT = 3000
TEXT_LIMIT = 3900  # chat.update refuses a text of more than 4000
BLOCKS_LIMIT = 50
PREFORMATTED_LIMIT = 2900  # of characters in one block; longer lists are split over several


def escape(text: str) -> str:
    """Text of ours or others inside mrkdwn: Slack asks for exactly these three."""
    text = visible(text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mention(someone: Person) -> str:
    """A mention; notifies only in a new message, not in an update."""
    return "k8snet" if someone.team == OURSELVES else f"<@{someone.user}>"


def notify(called: Sequence[str]) -> str:
    """Mentions of user groups (S…) and people, by their ids."""
    return " ".join(f"<!subteam^{one}>" if one.startswith("S") else f"<@{one}>" for one in called)


def moment(at: datetime) -> str:
    """A time, shown in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def plain_text(text: str, limit: int = SECTION_LIMIT) -> Block:
    """A text object that parses nothing. Slack refuses empty ones."""
    return {"type": "plain_text", "text": clip(visible(text), limit) or "–", "emoji": False}


def sendable(text: str, blocks: Sequence[Block]) -> tuple[str, list[Block]]:
    """The same, within what Slack takes: whatever is too long says that something is missing."""
    if len(blocks) > BLOCKS_LIMIT:
        blocks = [
            *blocks[: BLOCKS_LIMIT - 1],
            context(tr("… and {count} more paragraphs", count=len(blocks) - BLOCKS_LIMIT + 1)),
        ]
    return clip_escaped(text, TEXT_LIMIT), list(blocks)


def clip_escaped(text: str, limit: int) -> str:
    """`clip` for text that is escaped already: no entity and no link of ours is cut in two."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    for opening, closing in (("&", ";"), ("<", ">")):
        if kept.rfind(opening) > kept.rfind(closing):
            kept = kept[: kept.rfind(opening)]
    return f"{kept}…"


def image(file: str, alt: str) -> Block:
    """An uploaded picture. Screen readers read `alt`."""
    return {"type": "image", "slack_file": {"id": file}, "alt_text": clip(visible(alt), 2000) or "–"}


def section(text: str) -> Block:
    """A paragraph of mrkdwn that is escaped already."""
    return {"type": "section", "text": _mrkdwn(text)}


def context(text: str) -> Block:
    """Small print of mrkdwn that is escaped already."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    """Slack refuses empty ones. `verbatim`: nothing that looks like a link or a channel becomes one by itself."""
    return {"type": "mrkdwn", "text": clip_escaped(text, SECTION_LIMIT) or "–", "verbatim": True}


def preformatted(lines: Sequence[str]) -> list[Block]:
    """Lines in a fixed-width box, unparsed; several boxes when one would be too long. Nothing is cut."""
    boxes: list[list[str]] = [[]]
    size = 0
    for line in map(visible, lines):
        if size + len(line) + 1 > PREFORMATTED_LIMIT and boxes[-1]:
            boxes.append([])
            size = 0
        boxes[-1].append(line)
        size += len(line) + 1
    return [_box("\n".join(box)) for box in boxes if box]


def _box(text: str) -> Block:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text or " "}]}],
    }


def button(
    label: str, action: str, value: str, style: str | None = None, confirm: tuple[str, str] | None = None
) -> Block:
    """A button; `confirm` is title and question of the dialog shown before the click is sent."""
    block: Block = {
        "type": "button",
        "text": plain_text(label, 75),
        "action_id": action,
        "value": value,
    }
    if style:
        block["style"] = style
    if confirm:
        title, question = confirm
        block["confirm"] = {
            "title": plain_text(title, 100),
            "text": plain_text(question, 300),
            "confirm": plain_text(label, 30),
            "deny": plain_text(tr("Not now"), 30),
        }
    return block


def actions(*buttons: Block) -> Block:
    return {"type": "actions", "elements": list(buttons)}
