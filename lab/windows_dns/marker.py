"""Strictness towards scripts that announce what they do.

A script may begin with `# op: <noun>.<verb>`. When the verb promises only to look, the script must not call a cmdlet
that changes anything; when it promises to change something, it must call one. Otherwise a mix-up of two script files
would pass every test that looks at the answer alone.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .powershell.calling import commands_in
from .powershell.errors import Unsupported
from .powershell.parser import parse

_MARKER = re.compile(r"\s*#\s*op:\s*([\w-]+)\.([\w-]+)")
_LOOKING = {"read", "list", "get", "show", "check", "test", "resolve", "probe", "verify", "status"}
_CHANGING = {"write", "add", "set", "put", "remove", "delete", "clear", "flush", "apply", "change"}
_WRITERS = re.compile(r"(add|set|remove|clear|new)-dns", re.IGNORECASE)


def review(text: str) -> None:
    """Raise Unsupported when the marker of a script that can be parsed and its body disagree."""
    match = _MARKER.match(text)
    if match is None:
        return
    writers = _writers(text)
    verb = match[2].lower()
    if verb in _LOOKING and writers:
        raise Unsupported(f"a script marked '{match[1]}.{match[2]}' that calls {writers[0]}: marker and body disagree")
    if verb in _CHANGING and not writers:
        raise Unsupported(f"a script marked '{match[1]}.{match[2]}' that changes nothing: marker and body disagree")


@lru_cache(maxsize=32)  # as the tree itself
def _writers(text: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in commands_in(parse(text)) if _WRITERS.match(name)))
