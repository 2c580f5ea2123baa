"""Cmdlets of the engine itself: pipelines, output, JSON, modules."""

from __future__ import annotations

from datetime import UTC

from .binding import Parameter
from .command import Cmdlet, Invocation, cmdlet
from .conversion import convert, to_number, to_text
from .errors import ErrorRecord, ScriptError, Unsupported
from .formatting import format_date
from .json_text import Serializer, from_json
from .operators import wildcard
from .parser import parse
from .pipeline import PIPELINE, input_of
from .statics import new_object
from .values import NameMap, PSArray, PSObject, ScriptBlock, items_of


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
    text = "\n".join(to_text(item) for item in input_of(run))
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
            to_text(run["Message"]),
            error_id,
            run["Category"] or "NotSpecified",
            run["TargetObject"],
            "Microsoft.PowerShell.Commands.WriteErrorException",
            "Write-Error",
        )
    )


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
    for item in input_of(run):
        item.properties[run["Name"]] = run["Value"]
        if run["PassThru"]:
            run.emit(item)


_MODULES = ("dnsserver", "dnsclient", "microsoft.powershell.utility", "microsoft.powershell.core")


async def _import_module(run: Invocation) -> None:
    known = {each.module.lower(): each.module for each in run.interp.cmdlets.values()}
    for name in run["Name"]:
        if name.lower() not in _MODULES:
            raise Unsupported(f"the module '{name}'")
        if name.lower() not in known:
            message = (
                f"The specified module '{name}' was not loaded because no valid module file was found in any module "
                "directory."
            )
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
    if unknown := [name for name in run["Name"] or () if "*" not in name and name.lower() not in _MODULES]:
        raise Unsupported(f"the module '{unknown[0]}'")
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
        if not found and "*" not in pattern and pattern.lower() not in run.interp.absent:
            raise Unsupported(f"the command '{pattern}'")
        if not found and "*" not in pattern:
            message = (
                f"The term '{pattern}' is not recognized as the name of a cmdlet, function, script file, or operable "
                "program."
            )
            error_id = "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand"
            exception = "System.Management.Automation.CommandNotFoundException"
            run.error(ErrorRecord(message, error_id, "ObjectNotFound", pattern, exception, "Get-Command"))


async def _nothing(_run: Invocation) -> None:
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


async def _out_string(_run: Invocation) -> None:
    raise Unsupported("Out-String; text for people is not data")


P = Parameter
ENGINE: tuple[Cmdlet, ...] = (
    *PIPELINE,
    cmdlet("ConvertTo-Json", _to_json, P("InputObject", position=0), P("Depth", "int"), P("Compress", "switch")),
    cmdlet("ConvertFrom-Json", _from_json, P("InputObject", position=0)),
    cmdlet("Write-Output", _write_output, P("InputObject", position=0), P("NoEnumerate", "switch")),
    cmdlet(
        "Write-Host",
        _write_host,
        P("Object", position=0),
        P("NoNewline", "switch"),
        P("ForegroundColor", "string"),
        P("BackgroundColor", "string"),
    ),
    cmdlet("Write-Warning", _message("warning", "WarningPreference", "WARNING: "), P("Message", "string", position=0)),
    cmdlet("Write-Verbose", _message("verbose", "VerbosePreference", "VERBOSE: "), P("Message", "string", position=0)),
    cmdlet("Write-Debug", _message("debug", "DebugPreference", "DEBUG: "), P("Message", "string", position=0)),
    cmdlet(
        "Write-Error",
        _write_error,
        P("Message", "string", position=0),
        P("ErrorRecord"),
        P("ErrorId", "string"),
        P("Category", "string"),
        P("TargetObject"),
    ),
    cmdlet(
        "Write-Progress",
        _nothing,
        P("Activity", "string", position=0),
        P("Status", "string"),
        P("Completed", "switch"),
        P("PercentComplete", "int"),
    ),
    cmdlet("Out-Null", _nothing, P("InputObject")),
    cmdlet("Out-String", _out_string, P("InputObject"), P("Stream", "switch"), P("Width", "int")),
    cmdlet("Start-Sleep", _sleep, P("Seconds", "double", position=0), P("Milliseconds", "int", aliases=("m",))),
    cmdlet("Get-Date", _get_date, P("Date", position=0), P("Format", "string"), P("UFormat", "string")),
    cmdlet(
        "New-Object",
        _new_object,
        P("TypeName", "string", mandatory=True, position=0),
        P("ArgumentList", "object[]", position=1),
        P("Property", "hashtable"),
    ),
    cmdlet(
        "Add-Member",
        _add_member,
        P("MemberType", "string", position=0),
        P("Name", "string", position=1),
        P("Value", position=2),
        P("InputObject"),
        P("PassThru", "switch"),
    ),
    cmdlet(
        "Import-Module",
        _import_module,
        P("Name", "string[]", mandatory=True, position=0),
        P("Force", "switch"),
        P("Global", "switch"),
        P("DisableNameChecking", "switch"),
        module="Microsoft.PowerShell.Core",
    ),
    cmdlet(
        "Get-Module",
        _get_module,
        P("Name", "string[]", position=0),
        P("ListAvailable", "switch"),
        module="Microsoft.PowerShell.Core",
    ),
    cmdlet(
        "Get-Command",
        _get_command,
        P("Name", "string[]", position=0),
        P("Module", "string[]"),
        P("CommandType", "string"),
        module="Microsoft.PowerShell.Core",
    ),
    cmdlet("Set-StrictMode", _strict, P("Version", "string"), P("Off", "switch"), module="Microsoft.PowerShell.Core"),
    cmdlet("Remove-TypeData", _remove_type_data, P("TypeName", "string", mandatory=True, position=0)),
    cmdlet("Invoke-Expression", _invoke_expression, P("Command", "string", position=0)),
)
