"""The cases of the diagnosis: what a check gathered in the lab, each as a change of a healthy path's evidence."""

import json
from pathlib import Path
from typing import Any

from bot.model.diagnosis import Evidence

FOLDER = Path(__file__).parent.parent / "cases/diagnose"
CASES = sorted(path.stem for path in FOLDER.glob("K8SNET-*.json"))
HEALTHY = {path.stem.removeprefix("healthy-"): json.loads(path.read_text()) for path in FOLDER.glob("healthy-*.json")}


def merged(document: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386), except that `{"[]": {"0": …}}` changes single items of a list."""
    if not isinstance(patch, dict):
        return patch
    if "[]" in patch:
        items = list(document)
        for index, change in patch["[]"].items():
            items[int(index)] = merged(items[int(index)], change)
        return items
    document = dict(document) if isinstance(document, dict) else {}
    return document | {key: merged(document.get(key), change) for key, change in patch.items()}


def case(name: str) -> tuple[Evidence, dict[str, Any]]:
    document = json.loads((FOLDER / f"{name}.json").read_text())
    return Evidence.model_validate(merged(HEALTHY[document["base"]], document["change"])), document
