"""What happens to words between a person's fingers and the app."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from lab.slack.workspace import Workspace

URL = re.compile(r"\bhttps?://[^\s<>]+")
NAME = re.compile(r"(?<![\w<])([@#])([\w.-]*\w)")
BARE_HOST = re.compile(r"(?<![\w@/.:-])((?:[\w-]+\.)+(?:dev|app|io|net|com|org|network|sh|zone|cloud))(?![\w.-])")
BROADCASTS = ("here", "channel", "everyone")

MANGLE: dict[str, Callable[[str], str]] = {
    "smart_quotes": lambda text: re.sub(r"'([^']*)'", "‘\\1’", re.sub(r'"([^"]*)"', "“\\1”", text)),
    "em_dash": lambda text: text.replace("--", "—"),
    "ellipsis": lambda text: text.replace("...", "…"),
    "nbsp": lambda text: text.replace(" ", "\u00a0"),
    "zero_width": lambda text: re.sub(r"(\w)([.:/])", "\\1\u200b\\2", text),
    "linkify": lambda text: BARE_HOST.sub(r"<http://\1|\1>", text),
}


def mangled(text: str, ways: Iterable[str]) -> str:
    """Damage that phones and rich composers do to commands. Raises ValueError for an unknown way."""
    for way in ways:
        if way not in MANGLE:
            raise ValueError(f"no such way to mangle: {way!r}; there are {', '.join(MANGLE)}")
        text = MANGLE[way](text)
    return text


def escaped(workspace: Workspace, text: str) -> str:
    """Mentions, channels, links and `& < >` as messages have them, and commands with `should_escape`."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = URL.sub(lambda match: f"<{match[0]}>", text)
    return NAME.sub(lambda match: mention(workspace, match[1], match[2]) or match[0], text)


def mention(workspace: Workspace, sign: str, name: str) -> str | None:
    state = workspace.state
    if sign == "#":
        channel = workspace.find_channel(name)
        if channel is None:
            return None
        return f"<#{channel.id}|{'' if channel.is_private else channel.name}>"
    if name in BROADCASTS:
        return f"<!{name}>"
    for user in state.users.values():
        if user.name == name:
            return f"<@{user.id}>"
    for group in state.groups.values():
        if group.handle == name:
            return f"<!subteam^{group.id}|@{group.handle}>"
    return None
