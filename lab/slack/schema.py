"""A small vocabulary for saying what JSON is acceptable, with the error texts and JSON pointers that Slack answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Problems = list[str]
Check = Callable[[Any, str, Problems], None]


def problem(problems: Problems, text: str, pointer: str) -> None:
    problems.append(f"{text} [json-pointer:{pointer}]")


def string(most: int | None = None, least: int = 1) -> Check:
    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, str):
            problem(problems, "must be a string", pointer)
        elif len(value) < least:
            problem(problems, f"must be more than {least - 1} characters", pointer)
        elif most is not None and len(value) > most:
            problem(problems, f"must be less than {most + 1} characters", pointer)

    return check


def one_of(*allowed: str) -> Check:
    def check(value: Any, pointer: str, problems: Problems) -> None:
        if value not in allowed:
            problem(problems, "must be a valid enum value", pointer)

    return check


def boolean(value: Any, pointer: str, problems: Problems) -> None:
    if not isinstance(value, bool):
        problem(problems, "must be a boolean", pointer)


def number(value: Any, pointer: str, problems: Problems) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        problem(problems, "must be a number", pointer)


def anything(value: Any, pointer: str, problems: Problems) -> None:
    del value, pointer, problems


def array(item: Check, most: int, least: int = 1) -> Check:
    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, list):
            problem(problems, "must be an array", pointer)
            return
        if len(value) > most:
            problem(problems, f"no more than {most} items allowed", pointer)
        if len(value) < least:
            problem(problems, f"no fewer than {least} items allowed", pointer)
        for index, one in enumerate(value):
            item(one, f"{pointer}/{index}", problems)

    return check


def record(required: Mapping[str, Check] | None = None, /, **optional: Check) -> Check:
    """An object with these fields and no others."""
    required = required or {}
    fields = {**required, **optional}

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problem(problems, "must provide an object", pointer)
            return
        for name in required:
            if value.get(name) is None:
                problem(problems, f"missing required field: {name}", pointer)
        for name, one in value.items():
            if name not in fields:
                problem(problems, f"invalid additional property: {name}", pointer)
            elif one is not None:
                fields[name](one, f"{pointer}/{name}", problems)

    return check


def union(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` chooses its check."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problem(problems, "must provide an object", pointer)
        elif "type" not in value:
            problem(problems, "missing required field: type", pointer)
        elif value["type"] not in kinds:
            problem(problems, f"unsupported type: {value['type']}", f"{pointer}/type")
        else:
            kinds[value["type"]](value, pointer, problems)

    return check


def typed(required: Mapping[str, Check] | None = None, /, **optional: Check) -> Check:
    """A record that belongs to a union."""
    return record({"type": anything, **(required or {})}, **optional)


def both(*checks: Check) -> Check:
    def check(value: Any, pointer: str, problems: Problems) -> None:
        for one in checks:
            one(value, pointer, problems)

    return check
