"""Label and field selectors of list and watch requests."""

import re
from collections.abc import Callable

from lab.cluster.resources import Json

Match = Callable[[Json], bool]

_SET = re.compile(r"(?P<key>[^\s!=]+)\s+(?P<operator>in|notin)\s+\((?P<values>[^)]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s!=]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s!=]*)")
_EXISTS = re.compile(r"(?P<absent>!?)\s*(?P<key>[^\s!=,()]+)")
_FIELDS = {"metadata.name": "name", "metadata.namespace": "namespace"}


class BadSelector(ValueError):
    """The selector cannot be parsed, or names a field that cannot be selected by."""


def label_selector(text: str) -> Match:
    """The predicate for a ``labelSelector``: equality, set and existence requirements, all of which must hold."""
    requirements = [_requirement(part.strip()) for part in re.split(r",(?![^(]*\))", text) if part.strip()]

    def matches(document: Json) -> bool:
        labels = document["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return matches


def _requirement(text: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET.fullmatch(text):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["operator"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUALITY.fullmatch(text):
        key, value = match["key"], match["value"]
        if match["operator"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.fullmatch(text):
        key, wanted = match["key"], not match["absent"]
        return lambda labels: (key in labels) == wanted
    raise BadSelector(f"unable to parse requirement: {text!r}")


def field_selector(text: str) -> Match:
    """The predicate for a ``fieldSelector``; only ``metadata.name`` and ``metadata.namespace`` are selectable."""
    requirements = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _EQUALITY.fullmatch(part)
        if match is None:
            raise BadSelector(f"invalid selector: {part!r}; can't understand {part!r}")
        if match["key"] not in _FIELDS:
            raise BadSelector(f"field label not supported: {match['key']}")
        requirements.append((_FIELDS[match["key"]], match["value"], match["operator"] != "!="))
    return lambda document: all(
        (document["metadata"].get(field, "") == value) == wanted for field, value, wanted in requirements
    )
