"""Messages as files that somebody has looked at. K8SNET_GOLDEN=write writes them anew; then read the difference.

A message in another language than English has its file in a folder of that name.
"""

import functools
import inspect
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from bot.locales import catalogue
from bot.model.wording import Locale, speaking, spoken

FOLDER = Path(__file__).parent


def in_every_language(test: Callable[..., Awaitable[None] | None]) -> Callable[..., Awaitable[None]]:
    """The test is played once in each language."""

    @functools.wraps(test)
    async def played(*, language: Locale, **fixtures: Any) -> None:
        with speaking(catalogue(language)):
            done = test(**fixtures)
            if done is not None:
                await done

    own = inspect.signature(test)
    named = inspect.Parameter("language", inspect.Parameter.KEYWORD_ONLY)
    played.__signature__ = own.replace(parameters=[*own.parameters.values(), named])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("language", get_args(Locale))(played)


def assert_golden(name: str, view: tuple[str, list[dict[str, Any]]]) -> None:
    """The view equals the file of that name, block for block."""
    text, blocks = view
    folder = FOLDER if spoken() == "en" else FOLDER / spoken()
    file = folder / f"{name}.json"
    said = json.dumps({"text": text.splitlines(), "blocks": blocks}, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("K8SNET_GOLDEN") == "write":
        folder.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
    assert file.exists(), f"no golden file {name}; write it with K8SNET_GOLDEN=write and look at it"
    assert _steady(said) == _steady(file.read_text(encoding="utf-8"))


def _steady(text: str) -> str:
    """Without what changes when nothing that is said does.

    Digests cover more than a message shows: whatever a plan learns to hold would change them. And a virtual clock goes
    on by every sleep of anybody, so that moments and durations depend on how often somebody waits.
    """
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "<digest>", text)
    text = re.sub(r"(?<![0-9])[0-9]{2}:[0-9]{2}:[0-9]{2}\b", "<time>", text)
    text = re.sub(r"<!date\^[0-9]+\^", "<!date^<moment>^", text)
    return re.sub(r"(?<![0-9.])[0-9]+(\.[0-9]+)?( s\b| 秒)", "<seconds>", text)
