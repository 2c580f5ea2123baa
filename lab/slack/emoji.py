"""Emoji names, and how Slack writes a message down: emoji become `:name:`, stray `& < >` are escaped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

EMOJI: dict[str, str] = json.loads((Path(__file__).parent / "page" / "emoji.json").read_text())
NAMES = {character: name for name, character in reversed(EMOJI.items())}
ANY = re.compile("|".join(re.escape(one) for one in sorted(NAMES, key=len, reverse=True)))
SHORTCODE = re.compile(r":([a-z0-9_+'-]+):")
CONTROL = re.compile(r"<(?:[@#!][^<>\n]*|(?:https?|mailto|tel):[^<>\s][^<>\n]*)>")
BARE_AMPERSAND = re.compile(r"&(?!amp;|lt;|gt;)")


def to_names(text: str) -> str:
    return ANY.sub(lambda match: f":{NAMES[match[0]]}:", text)


def to_characters(text: str) -> str:
    return SHORTCODE.sub(lambda match: EMOJI.get(match[1], match[0]), text)


def as_stored(text: str) -> str:
    """A message's `text` as Slack hands it back: control sequences stay, everything else is escaped once."""
    parts, end = [], 0
    for match in CONTROL.finditer(text):
        parts += [escape(text[end : match.start()]), match[0]]
        end = match.end()
    return to_names("".join([*parts, escape(text[end:])]))


def escape(text: str) -> str:
    return BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def blocks_as_stored(node: Any) -> Any:
    """A copy of blocks with the emoji of their text objects written as names."""
    if isinstance(node, list):
        return [blocks_as_stored(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: blocks_as_stored(value) for key, value in node.items() if value is not None}
    if copy.get("type") in ("plain_text", "mrkdwn") and isinstance(copy.get("text"), str):
        copy["text"] = to_names(copy["text"])
    return copy
