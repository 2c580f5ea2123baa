"""Messages as files that somebody has looked at. K8SNET_GOLDEN=write writes them anew; then read the difference."""

import json
import os
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def assert_golden(name: str, view: tuple[str, list[dict[str, Any]]]) -> None:
    """The view equals the file of that name, block for block."""
    text, blocks = view
    file = FOLDER / f"{name}.json"
    said = json.dumps({"text": text.splitlines(), "blocks": blocks}, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("K8SNET_GOLDEN") == "write":
        file.write_text(said, encoding="utf-8")
    assert file.exists(), f"no golden file {name}; write it with K8SNET_GOLDEN=write and look at it"
    assert _steady(said) == _steady(file.read_text(encoding="utf-8"))


def _steady(text: str) -> str:
    """Digests cover more than what a message shows: whatever a plan learns to hold would change them."""
    return re.sub(r"\b[0-9a-f]{12,64}\b", "<digest>", text)
