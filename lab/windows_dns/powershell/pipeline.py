"""Cmdlets that work on what comes down a pipeline: filter, project, sort, compare."""

from __future__ import annotations

import functools
from typing import Any

from .binding import Parameter
from .command import Cmdlet, Invocation, cmdlet
from .conversion import to_text, truth
from .errors import ErrorRecord, ScriptError, Unsupported
from .members import MISSING, call_method, get_property, property_names
from .operators import binary, compare, equal, wildcard
from .values import NameMap, PSObject, ScriptBlock, collected, items_of, plain

_COMPARISONS = (
    "EQ",
    "NE",
    "GT",
    "GE",
    "LT",
    "LE",
    "Like",
    "NotLike",
    "Match",
    "NotMatch",
    "Contains",
    "NotContains",
    "In",
    "NotIn",
    "Is",
)


def input_of(run: Invocation) -> list[Any]:
    """-InputObject when given, else what came before in the pipeline."""
    if run["InputObject"] is not None:
        return items_of(run["InputObject"])
    return run.input or []


async def _for_each(run: Invocation) -> None:
    if run["Begin"]:
        await run.interp.each(run["Begin"], None, run.emit)
    process = run["Process"]
    for item in input_of(run):
        if isinstance(process, ScriptBlock):
            await run.interp.each(process, item, run.emit)
        else:
            found = get_property(item, to_text(process))
            value = call_method(item, to_text(process), []) if found is MISSING else found
            for each in items_of(value):
                run.emit(each)
    if run["End"]:
        await run.interp.each(run["End"], None, run.emit)


async def _where(run: Invocation) -> None:
    test = run["Property"]
    for item in input_of(run):
        if isinstance(test, ScriptBlock):
            out: list[Any] = []
            await run.interp.each(test, item, out.append)
            keep = truth(collected(out))
        else:
            keep = _where_property(run, item, to_text(test))
        if keep:
            run.emit(item)


def _where_property(run: Invocation, item: Any, name: str) -> bool:
    found = get_property(item, name)
    left = None if found is MISSING else found
    chosen = [operator for operator in _COMPARISONS if run[operator]]
    if not chosen:
        return truth(left)
    operator, right = chosen[0].lower(), run["Value"]
    if operator in ("match", "notmatch"):
        return truth(run.interp._match(operator, left, right))
    return truth(binary(operator, left, right))


async def _evaluated(run: Invocation, item: Any, wanted: Any) -> tuple[str, Any]:
    """A property of Select-Object or Sort-Object: a name, a script block, or a calculated property."""
    if isinstance(wanted, NameMap):
        name = to_text(wanted.get("Name") or wanted.get("N") or wanted.get("Label") or wanted.get("L") or "")
        wanted = wanted.get("Expression", wanted.get("E"))
        if not isinstance(wanted, ScriptBlock):
            return name, _property_value(item, to_text(wanted))
    elif not isinstance(wanted, ScriptBlock):
        return to_text(wanted), _property_value(item, to_text(wanted))
    else:
        name = wanted.source
    out: list[Any] = []
    await run.interp.each(wanted, item, out.append)
    return name, plain(collected(out))


def _property_value(item: Any, name: str) -> Any:
    found = get_property(item, name)
    return None if found is MISSING else found


async def _select(run: Invocation) -> None:
    items = input_of(run)
    if run["Skip"]:
        items = items[run["Skip"] :]
    if run["First"] is not None:
        items = items[: run["First"]]
    if run["Last"] is not None:
        items = items[-run["Last"] :] if run["Last"] else []
    done: list[Any] = []
    for item in items:
        if run["ExpandProperty"] is not None:
            value = get_property(item, run["ExpandProperty"])
            if value is MISSING:
                raise ScriptError(
                    ErrorRecord(
                        f'Property "{run["ExpandProperty"]}" cannot be found.',
                        "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand",
                        "InvalidArgument",
                        activity="Select-Object",
                    )
                )
            done.extend(items_of(value))
        elif run["Property"]:
            done.append(await _selected(run, item))
        else:
            done.append(item)
    for item in _distinct(done) if run["Unique"] else done:
        run.emit(item)


async def _selected(run: Invocation, item: Any) -> PSObject:
    made = PSObject(type_name="Selected.System.Management.Automation.PSCustomObject")
    for wanted in run["Property"]:
        text = wanted if isinstance(wanted, str) else ""
        if "*" in text:
            for name in property_names(item):
                if wildcard(text, name):
                    made.properties[name] = _property_value(item, name)
            continue
        name, value = await _evaluated(run, item, wanted)
        made.properties[name] = value
    return made


def _distinct(items: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if not any(equal(item, other, exact=True) for other in kept):
            kept.append(item)
    return kept


async def _sort(run: Invocation) -> None:
    keyed = []
    for item in input_of(run):
        keys = [(await _evaluated(run, item, wanted))[1] for wanted in run["Property"] or []] or [item]
        keyed.append((keys, item))

    def order(a: tuple[list[Any], Any], b: tuple[list[Any], Any]) -> int:
        return next((result for x, y in zip(a[0], b[0], strict=True) if (result := compare(x, y))), 0)

    keyed.sort(key=functools.cmp_to_key(order), reverse=bool(run["Descending"]))
    items = [item for _, item in keyed]
    for item in _distinct(items) if run["Unique"] else items:
        run.emit(item)


async def _measure(run: Invocation) -> None:
    if run["Sum"] or run["Property"]:
        raise Unsupported("Measure-Object with anything but a count")
    run.emit(PSObject([("Count", len(input_of(run)))], "Microsoft.PowerShell.Commands.GenericMeasureInfo"))


async def _compare(run: Invocation) -> None:
    reference, difference = items_of(run["ReferenceObject"]), items_of(run["DifferenceObject"])
    for item in difference:
        if not any(equal(item, other) for other in reference):
            run.emit(PSObject([("InputObject", item), ("SideIndicator", "=>")]))
    for item in reference:
        if not any(equal(item, other) for other in difference):
            run.emit(PSObject([("InputObject", item), ("SideIndicator", "<=")]))


P = Parameter
PIPELINE: tuple[Cmdlet, ...] = (
    cmdlet(
        "ForEach-Object",
        _for_each,
        P("Process", position=0, aliases=("MemberName",)),
        P("Begin"),
        P("End"),
        P("InputObject"),
    ),
    cmdlet(
        "Where-Object",
        _where,
        P("Property", position=0, aliases=("FilterScript",)),
        P("Value", position=1),
        P("InputObject"),
        *(P(name, "switch") for name in _COMPARISONS),
    ),
    cmdlet(
        "Select-Object",
        _select,
        P("Property", "object[]", position=0),
        P("ExpandProperty", "string"),
        P("First", "int"),
        P("Last", "int"),
        P("Skip", "int"),
        P("Unique", "switch"),
        P("InputObject"),
    ),
    cmdlet(
        "Sort-Object",
        _sort,
        P("Property", "object[]", position=0),
        P("Descending", "switch"),
        P("Unique", "switch"),
        P("InputObject"),
    ),
    cmdlet("Measure-Object", _measure, P("Property", "object[]", position=0), P("Sum", "switch"), P("InputObject")),
    cmdlet(
        "Compare-Object",
        _compare,
        P("ReferenceObject", mandatory=True, position=0),
        P("DifferenceObject", mandatory=True, position=1),
    ),
)
