"""Block Kit pieces that several views use. Text from outside goes into plain_text or rich_text, which parse nothing."""

from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Any

from bot.model.people import Person
from bot.model.wording import tr, tr_n
from handlers.text import clip, fold, packed, visible

Block = dict[str, Any]

OURSELVES = "k8snet"  # the "team" of what the bot does by itself
SECTION_LIMIT = 3000
TEXT_LIMIT = 3900  # chat.update refuses a text of more than 4000
BLOCKS_LIMIT = 50
# For all blocks of a message together Slack publishes no number. Measured: 13,297 characters in one block taken, 9,597
# in fifty taken, 11,341 in forty-five refused (slackapi/bolt-js#2509, #2867): as if each block weighed 60 more.
MESSAGE_LIMIT = 12_000
BLOCK_WEIGHT = 60
STAYING = ("actions", "context")
LIST_LIMIT = 9000  # of characters in a message that is mainly one list
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
    return clip_escaped(text, TEXT_LIMIT), fitting(blocks, BLOCKS_LIMIT, MESSAGE_LIMIT)


def fitting(blocks: Sequence[Block], most: int, weight: float = inf) -> list[Block]:
    """As many as may be shown, and how many are missing; what can be pressed, and small print, always stay."""
    if len(blocks) <= most and sum(map(_weight, blocks)) <= weight:
        return list(blocks)
    staying = [block for block in blocks if block["type"] in STAYING]
    room, left = most - len(staying) - 1, weight - sum(map(_weight, staying)) - 2 * BLOCK_WEIGHT
    kept: list[Block] = []
    missing: list[int] = []  # where they would stand
    for block in blocks:
        if block["type"] not in STAYING:
            room, left = room - 1, left - _weight(block)
            if missing or room < 0 or left < 0:
                missing.append(len(kept))
                continue
        kept.append(block)
    kept.insert(
        missing[0], context(tr_n("… and {count} more paragraph", "… and {count} more paragraphs", len(missing)))
    )
    return kept


def _weight(block: Block) -> int:
    return BLOCK_WEIGHT + _characters(block)


def _characters(node: Any) -> int:
    """Of every text in a block."""
    if isinstance(node, list):
        return sum(map(_characters, node))
    if not isinstance(node, dict):
        return 0
    own = node.get("text")
    return (len(own) if isinstance(own, str) else 0) + sum(map(_characters, node.values()))


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


def preformatted(lines: Sequence[str], wide: bool = True) -> list[Block]:
    """Lines in a fixed-width box, unparsed; several boxes when one would be too long. Nothing is cut.

    Long lines are broken for a channel, unless the box is not `wide`: nobody knows how narrow a thread is shown.
    """
    folded = (part for line in lines for part in (fold(visible(line)) if wide else [visible(line)]))
    return [_box("\n".join(some)) for some in packed(folded, PREFORMATTED_LIMIT)]


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
