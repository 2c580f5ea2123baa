"""Cmdlets of the engine itself: pipelines, output, JSON, modules."""

from __future__ import annotations

import functools
from datetime import UTC
from typing import Any

from .binding import Parameter
from .command import Cmdlet, Invocation, cmdlet
from .conversion import convert, to_number, to_text, truth
from .errors import ErrorRecord, ScriptError, Unsupported
from .formatting import format_date
from .json_text import Serializer, from_json
from .members import MISSING, call_method, get_property, property_names
from .operators import binary, compare, equal, wildcard
from .parser import parse
from .statics import new_object
from .values import NameMap, PSArray, PSObject, ScriptBlock, collected, items_of, plain

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


def _input(run: Invocation) -> list[Any]:
    if run["InputObject"] is not None:
        return items_of(run["InputObject"])
    return run.input or []


async def _for_each(run: Invocation) -> None:
    if run["Begin"]:
        await run.interp.each(run["Begin"], None, run.emit)
    process = run["Process"]
    for item in _input(run):
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
    for item in _input(run):
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
    items = _input(run)
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
    for item in _input(run):
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
    run.emit(PSObject([("Count", len(_input(run)))], "Microsoft.PowerShell.Commands.GenericMeasureInfo"))


async def _compare(run: Invocation) -> None:
    reference, difference = items_of(run["ReferenceObject"]), items_of(run["DifferenceObject"])
    for item in difference:
        if not any(equal(item, other) for other in reference):
            run.emit(PSObject([("InputObject", item), ("SideIndicator", "=>")]))
    for item in reference:
        if not any(equal(item, other) for other in difference):
            run.emit(PSObject([("InputObject", item), ("SideIndicator", "<=")]))


async def _to_json(run: Invocation) -> None:
    piped = run["InputObject"] is None and run.input is not None
    if piped:
        items = run.input or []
        if not items:
            return
        value = items[0] if len(items) == 1 else PSArray(items)
    else:
        value = run["InputObject"]
    depth = 2 if run["Depth"] is None else run["Depth"]
    serializer = Serializer(depth, bool(run["Compress"]), run.interp.wraps_arrays, piped)
    run.emit(serializer.text(value))


async def _from_json(run: Invocation) -> None:
    # The pieces of a pipeline are joined by line ends first; an array comes out as one object in 5.1.
    text = "\n".join(to_text(item) for item in _input(run))
    if text == "":
        raise ScriptError(
            ErrorRecord(
                "Cannot bind argument to parameter 'InputObject' because it is an empty string.",
                "ParameterArgumentValidationErrorEmptyStringNotAllowed,Microsoft.PowerShell.Commands.ConvertFromJsonCommand",
                "InvalidData",
                activity="ConvertFrom-Json",
            )
        )
    value = from_json(text)
    run.emit(PSArray(value) if isinstance(value, list) else value)


async def _write_output(run: Invocation) -> None:
    source = run["InputObject"] if run.input is None else PSArray(run.input)
    for item in items_of(source) if not run["NoEnumerate"] else [source]:
        run.emit(item)


async def _write_host(run: Invocation) -> None:
    text = " ".join(to_text(item) for item in items_of(run["Object"]))
    # Write-Host ends its lines with a bare line feed, unlike pipeline output.
    run.interp.console.out(text + ("" if run["NoNewline"] else "\n"))


def _message(kind: str, preference: str, prefix: str):  # type: ignore[no-untyped-def]
    async def write(run: Invocation) -> None:
        action = run["WarningAction"] if kind == "warning" else ("Continue" if run[kind.title()] else None)
        chosen = to_text(action or run.interp.scope.get(preference)).lower()
        if chosen == "continue":
            run.interp.console.message(
                kind, [f"{prefix}{line}" for line in to_text(run["Message"]).splitlines() or [""]]
            )

    return write


async def _write_error(run: Invocation) -> None:
    given = run["ErrorRecord"]
    if isinstance(given, ErrorRecord):
        run.error(given)
        return
    suffix = "Microsoft.PowerShell.Commands.WriteErrorException"
    error_id = f"{run['ErrorId']},{suffix}" if run["ErrorId"] else suffix
    run.error(
        ErrorRecord(
            to_text(run["Message"]), error_id, run["Category"] or "NotSpecified", run["TargetObject"],
            "Microsoft.PowerShell.Commands.WriteErrorException", "Write-Error",
        )
    )  # fmt: skip


async def _sleep(run: Invocation) -> None:
    run.interp.console.flush()
    seconds = run["Seconds"] if run["Milliseconds"] is None else run["Milliseconds"] / 1000
    await run.interp.console.clock.sleep(to_number(seconds))


async def _get_date(run: Invocation) -> None:
    now = run.interp.console.clock.wall() if run["Date"] is None else convert(run["Date"], "datetime")
    if run["UFormat"] is not None:
        raise Unsupported("Get-Date -UFormat")
    run.emit(format_date(now, run["Format"]) if run["Format"] else now.astimezone(UTC))


async def _new_object(run: Invocation) -> None:
    made = new_object(run["TypeName"], items_of(run["ArgumentList"]) if run["ArgumentList"] is not None else [])
    if isinstance(made, PSObject) and run["Property"] is not None:
        for name, value in run["Property"].items():
            made.properties[to_text(name)] = value
    run.emit(made)


async def _add_member(run: Invocation) -> None:
    if run["MemberType"] and run["MemberType"].lower() != "noteproperty":
        raise Unsupported(f"Add-Member -MemberType {run['MemberType']}")
    for item in _input(run):
        item.properties[run["Name"]] = run["Value"]
        if run["PassThru"]:
            run.emit(item)


async def _import_module(run: Invocation) -> None:
    known = {each.module.lower(): each.module for each in run.interp.cmdlets.values()}
    for name in run["Name"]:
        if name.lower() not in known:
            message = f"The specified module '{name}' was not loaded because no valid module file was found in any module directory."
            error_id = "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
            exception = "System.IO.FileNotFoundException"
            run.error(ErrorRecord(message, error_id, "ResourceUnavailable", name, exception, "Import-Module"))
            continue
        if known[name.lower()] not in run.interp.modules:
            run.interp.modules.add(known[name.lower()])
            run.interp.show_progress("Preparing modules for first use.")


def _module(name: str) -> PSObject:
    version = {"DnsServer": "2.0.0.0", "DnsClient": "1.0.0.0"}.get(name, "3.1.0.0")
    return PSObject(
        [("Name", name), ("Version", version), ("ModuleType", "Manifest")], "System.Management.Automation.PSModuleInfo"
    )


async def _get_module(run: Invocation) -> None:
    names = {each.module for each in run.interp.cmdlets.values()} if run["ListAvailable"] else run.interp.modules
    for name in sorted(names):
        if not run["Name"] or any(wildcard(pattern, name) for pattern in run["Name"]):
            run.emit(_module(name))


async def _get_command(run: Invocation) -> None:
    for pattern in run["Name"] or ["*"]:
        found = [
            each
            for each in run.interp.cmdlets.values()
            if wildcard(pattern, each.name)
            and (not run["Module"] or each.module.lower() in map(str.lower, run["Module"]))
        ]
        for each in found:
            parameters = NameMap(
                (parameter.name, PSObject([("Name", parameter.name)])) for parameter in each.signature.parameters
            )
            properties = [("Name", each.name), ("ModuleName", each.module), ("Parameters", parameters)]
            run.emit(PSObject([*properties, ("CommandType", "Function" if each.module_function else "Cmdlet")]))
        if not found and "*" not in pattern:
            message = f"The term '{pattern}' is not recognized as the name of a cmdlet, function, script file, or operable program."
            error_id = "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand"
            exception = "System.Management.Automation.CommandNotFoundException"
            run.error(ErrorRecord(message, error_id, "ObjectNotFound", pattern, exception, "Get-Command"))


async def _nothing(run: Invocation) -> None:
    return None


async def _strict(run: Invocation) -> None:
    run.interp.strict = not run["Off"]


async def _remove_type_data(run: Invocation) -> None:
    if run["TypeName"].lower() != "system.array":
        raise Unsupported(f"Remove-TypeData {run['TypeName']}")
    run.interp.wraps_arrays = False


async def _invoke_expression(run: Invocation) -> None:
    text = run["Command"] if run["Command"] is not None else "\n".join(to_text(item) for item in run.input or [])
    block = ScriptBlock(parse(text), text)
    await run.interp.invoke_block(block, [], None, run.emit, new_scope=False)


async def _out_string(run: Invocation) -> None:
    raise Unsupported("Out-String; text for people is not data")


P = Parameter
ENGINE: tuple[Cmdlet, ...] = (
    cmdlet("ForEach-Object", _for_each, P("Process", position=0, aliases=("MemberName",)), P("Begin"), P("End"), P("InputObject")),
    cmdlet(
        "Where-Object", _where, P("Property", position=0, aliases=("FilterScript",)), P("Value", position=1), P("InputObject"),
        *(P(name, "switch") for name in _COMPARISONS),
    ),
    cmdlet(
        "Select-Object", _select, P("Property", "object[]", position=0), P("ExpandProperty", "string"), P("First", "int"),
        P("Last", "int"), P("Skip", "int"), P("Unique", "switch"), P("InputObject"),
    ),
    cmdlet("Sort-Object", _sort, P("Property", "object[]", position=0), P("Descending", "switch"), P("Unique", "switch"), P("InputObject")),
    cmdlet("Measure-Object", _measure, P("Property", "object[]", position=0), P("Sum", "switch"), P("InputObject")),
    cmdlet("Compare-Object", _compare, P("ReferenceObject", mandatory=True, position=0), P("DifferenceObject", mandatory=True, position=1)),
    cmdlet("ConvertTo-Json", _to_json, P("InputObject", position=0), P("Depth", "int"), P("Compress", "switch")),
    cmdlet("ConvertFrom-Json", _from_json, P("InputObject", position=0)),
    cmdlet("Write-Output", _write_output, P("InputObject", position=0), P("NoEnumerate", "switch")),
    cmdlet(
        "Write-Host", _write_host, P("Object", position=0), P("NoNewline", "switch"), P("ForegroundColor", "string"),
        P("BackgroundColor", "string"),
    ),
    cmdlet("Write-Warning", _message("warning", "WarningPreference", "WARNING: "), P("Message", "string", position=0)),
    cmdlet("Write-Verbose", _message("verbose", "VerbosePreference", "VERBOSE: "), P("Message", "string", position=0)),
    cmdlet("Write-Debug", _message("debug", "DebugPreference", "DEBUG: "), P("Message", "string", position=0)),
    cmdlet(
        "Write-Error", _write_error, P("Message", "string", position=0), P("ErrorRecord"), P("ErrorId", "string"),
        P("Category", "string"), P("TargetObject"),
    ),
    cmdlet("Write-Progress", _nothing, P("Activity", "string", position=0), P("Status", "string"), P("Completed", "switch"), P("PercentComplete", "int")),
    cmdlet("Out-Null", _nothing, P("InputObject")),
    cmdlet("Out-String", _out_string, P("InputObject"), P("Stream", "switch"), P("Width", "int")),
    cmdlet("Start-Sleep", _sleep, P("Seconds", "double", position=0), P("Milliseconds", "int", aliases=("m",))),
    cmdlet("Get-Date", _get_date, P("Date", position=0), P("Format", "string"), P("UFormat", "string")),
    cmdlet("New-Object", _new_object, P("TypeName", "string", mandatory=True, position=0), P("ArgumentList", "object[]", position=1), P("Property", "hashtable")),
    cmdlet(
        "Add-Member", _add_member, P("MemberType", "string", position=0), P("Name", "string", position=1), P("Value", position=2),
        P("InputObject"), P("PassThru", "switch"),
    ),
    cmdlet(
        "Import-Module", _import_module, P("Name", "string[]", mandatory=True, position=0), P("Force", "switch"), P("Global", "switch"),
        P("DisableNameChecking", "switch"), module="Microsoft.PowerShell.Core",
    ),
    cmdlet("Get-Module", _get_module, P("Name", "string[]", position=0), P("ListAvailable", "switch"), module="Microsoft.PowerShell.Core"),
    cmdlet(
        "Get-Command", _get_command, P("Name", "string[]", position=0), P("Module", "string[]"), P("CommandType", "string"),
        module="Microsoft.PowerShell.Core",
    ),
    cmdlet("Set-StrictMode", _strict, P("Version", "string"), P("Off", "switch"), module="Microsoft.PowerShell.Core"),
    cmdlet("Remove-TypeData", _remove_type_data, P("TypeName", "string", mandatory=True, position=0)),
    cmdlet("Invoke-Expression", _invoke_expression, P("Command", "string", position=0)),
)  # fmt: skip
