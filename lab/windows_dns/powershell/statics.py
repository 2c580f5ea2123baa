"""Static members: `[Convert]::FromBase64String(…)` and the like."""

from __future__ import annotations

import base64
import binascii
import math
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .conversion import canonical, convert, to_number, to_text
from .errors import Exit, ScriptError, Unsupported, runtime_error
from .members import string_format
from .parser import parse
from .values import DotNetList, Guid, Hashtable, IPAddress, PSArray, PSObject, ScriptBlock, items_of

if TYPE_CHECKING:
    from .interpreter import Interpreter

_EXCEPTIONS = re.compile(r"(system\.)?([a-z.]*exception)$", re.IGNORECASE)


def static_property(interp: Interpreter, type_name: str, name: str) -> Any:
    """`[type]::name`."""
    key = (canonical(type_name).removeprefix("system."), name.lower())
    if key in _CONSTANTS:
        return _CONSTANTS[key]
    if key in _PROPERTIES:
        return _PROPERTIES[key](interp)
    raise Unsupported(f"[{type_name}]::{name}")


def static_call(interp: Interpreter, type_name: str, name: str, args: list[Any]) -> Any:
    """`[type]::name(args)`; the result may have to be awaited."""
    own, lowered = canonical(type_name).removeprefix("system."), name.lower()
    if lowered == "new":
        return new_object(own, args)
    method = _METHODS.get((own, lowered))
    if method is None:
        raise Unsupported(f"[{type_name}]::{name}()")
    try:
        return method(interp, *args)
    except TypeError as error:
        message = f'Cannot find an overload for "{name}" and the argument count: "{len(args)}".'
        raise runtime_error(message, "MethodCountCouldNotFindBest", "NotSpecified") from error


def new_object(type_name: str, args: list[Any]) -> Any:
    """`[type]::new(args)` and `New-Object type args`."""
    own = canonical(type_name).removeprefix("system.")
    if own in ("arraylist", "collections.arraylist") or own.startswith("collections.generic.list"):
        return DotNetList(items_of(args[0]) if args else ())
    if own in ("hashtable", "collections.hashtable") or own.startswith("collections.generic.dictionary"):
        return Hashtable()
    if own in ("pscustomobject", "object"):
        return PSObject()
    if own == "io.streamreader":
        return args[0]
    if match := _EXCEPTIONS.match(own):
        name = match[2][0].upper() + match[2][1:]
        return PSObject([("Message", to_text(args[0]) if args else ""), ("InnerException", None)], f"System.{name}")
    if own == "text.utf8encoding":
        return _encoding("utf-8")
    if own == "guid":
        return convert(args[0], "guid")
    if own == "timespan":
        return timedelta(**dict(zip(("hours", "minutes", "seconds"), args, strict=True)))
    raise Unsupported(f"objects of type [{type_name}]")


def _encoding(name: str) -> PSObject:
    def get_bytes(text: Any) -> bytes:
        errors = "replace" if name == "ascii" else "surrogatepass"
        return to_text(text).encode(name, errors)

    def get_string(data: Any) -> str:
        return bytes(items_of(data)).decode(name, "replace")

    label = {"utf-8": "System.Text.UTF8Encoding", "utf-16-le": "System.Text.UnicodeEncoding"}.get(
        name, "System.Text.ASCIIEncoding"
    )
    return PSObject([("GetBytes", get_bytes), ("GetString", get_string), ("WebName", name)], label)


def _from_base64(_: Interpreter, text: Any) -> bytes:
    stripped = re.sub(r"\s", "", to_text(text))
    try:
        return base64.b64decode(stripped, validate=True)
    except binascii.Error:
        raise runtime_error(
            'Exception calling "FromBase64String" with "1" argument(s): "The input is not a valid Base-64 string as it '
            "contains a non-base 64 character, more than two padding characters, or an illegal character among the "
            'padding characters. "',
            "FormatException",
            "NotSpecified",
        ) from None


def _writer(write: Callable[[str], None], interp: Interpreter) -> PSObject:
    return PSObject(
        [
            ("WriteLine", lambda *args: write("".join(to_text(arg) for arg in args) + "\r\n")),
            ("Write", lambda *args: write("".join(to_text(arg) for arg in args))),
            ("Flush", interp.console.flush),
        ],
        "System.IO.TextWriter",
    )


def _reader(interp: Interpreter, encoding: str) -> PSObject:
    console = interp.console

    async def read_to_end() -> str:
        console.flush()
        return (await console.stdin.read_all()).decode(encoding, "replace").removeprefix("\ufeff")

    async def read_line() -> str | None:
        console.flush()
        line = await console.stdin.read_line()
        return None if line is None else line.decode(encoding, "replace")

    members = [("ReadToEnd", read_to_end), ("ReadLine", read_line), ("Dispose", lambda: None), ("Close", lambda: None)]
    return PSObject(members, "System.IO.StreamReader")


def _round(_: Interpreter, value: Any, digits: Any = 0) -> float:
    return float(round(to_number(value), int(to_number(digits))))


def _parse_address(_: Interpreter, text: Any) -> IPAddress:
    try:
        return IPAddress.parse(to_text(text))
    except ValueError:
        message = 'Exception calling "Parse" with "1" argument(s): "An invalid IP address was specified."'
        raise runtime_error(message, "FormatException", "NotSpecified") from None


def _environment_exit(_: Interpreter, code: Any = 0) -> None:
    raise Exit(int(to_number(code)))


async def _thread_sleep(interp: Interpreter, milliseconds: Any) -> None:
    interp.console.flush()
    await interp.console.clock.sleep(to_number(milliseconds) / 1000)


def _stopwatch(interp: Interpreter) -> PSObject:
    clock = interp.console.clock
    return _Stopwatch(clock.now())


class _Stopwatch(PSObject):
    """Reads the interpreter's clock through `stopwatch_elapsed`."""

    def __init__(self, started: float) -> None:
        super().__init__(type_name="System.Diagnostics.Stopwatch")
        self.started = started
        self.properties["Stop"] = lambda: None


def stopwatch_property(interp: Interpreter, value: Any, name: str) -> Any:
    """`Elapsed…` of a running stopwatch; None for anything else."""
    if not isinstance(value, _Stopwatch):
        return None
    elapsed = timedelta(seconds=interp.console.clock.now() - value.started)
    return {"elapsed": elapsed, "elapsedmilliseconds": int(elapsed.total_seconds() * 1000)}.get(name.lower())


def _block(_: Interpreter, text: Any) -> ScriptBlock:
    source = to_text(text)
    return ScriptBlock(parse(source), source)


def _identity(interp: Interpreter) -> PSObject:
    return PSObject([("Name", interp.user)], "System.Security.Principal.WindowsIdentity")


def _whitespace(_: Interpreter, text: Any) -> bool:
    return to_text(text).strip() == ""


def _try_parse(*_: Any) -> Any:
    raise Unsupported("[ref] arguments")


_UTF8, _UTF16, _ASCII = _encoding("utf-8"), _encoding("utf-16-le"), _encoding("ascii")
_CONSTANTS: dict[tuple[str, str], Any] = {
    ("text.encoding", "utf8"): _UTF8,
    ("text.encoding", "unicode"): _UTF16,
    ("text.encoding", "ascii"): _ASCII,
    ("environment", "newline"): "\r\n",
    ("string", "empty"): "",
    ("int", "maxvalue"): 2**31 - 1,
    ("guid", "empty"): Guid("00000000-0000-0000-0000-000000000000"),
    ("stringcomparison", "ordinalignorecase"): "OrdinalIgnoreCase",
}
_PROPERTIES: dict[tuple[str, str], Callable[[Interpreter], Any]] = {
    ("console", "out"): lambda interp: _writer(interp.console.out, interp),
    ("console", "error"): lambda interp: _writer(interp.console.raw_error, interp),
    ("console", "in"): lambda interp: _reader(interp, interp.console.encoding),
    ("console", "outputencoding"): lambda interp: PSObject(
        [("CodePage", interp.console.codepage)], "System.Text.Encoding"
    ),
    ("console", "inputencoding"): lambda interp: PSObject(
        [("CodePage", interp.console.codepage)], "System.Text.Encoding"
    ),
    ("datetime", "utcnow"): lambda interp: interp.console.clock.wall(),
    ("datetime", "now"): lambda interp: interp.console.clock.wall(),
    ("environment", "machinename"): lambda interp: interp.machine,
    ("environment", "username"): lambda interp: interp.user.rpartition("\\")[2],
}
_METHODS: dict[tuple[str, str], Callable[..., Any]] = {
    ("convert", "frombase64string"): _from_base64,
    ("convert", "tobase64string"): lambda _, data: base64.b64encode(bytes(items_of(data))).decode(),
    ("convert", "toint32"): lambda _, value: convert(value, "int"),
    ("convert", "tostring"): lambda _, value: to_text(value),
    ("console", "writeline"): lambda interp, *args: interp.console.out("".join(map(to_text, args)) + "\r\n"),
    ("console", "write"): lambda interp, *args: interp.console.out("".join(map(to_text, args))),
    ("console", "openstandardinput"): lambda interp: _reader(interp, "utf-8"),
    ("math", "max"): lambda _, a, b: max(to_number(a), to_number(b)),
    ("math", "min"): lambda _, a, b: min(to_number(a), to_number(b)),
    ("math", "abs"): lambda _, a: abs(to_number(a)),
    ("math", "floor"): lambda _, a: float(math.floor(to_number(a))),
    ("math", "ceiling"): lambda _, a: float(math.ceil(to_number(a))),
    ("math", "truncate"): lambda _, a: float(math.trunc(to_number(a))),
    ("math", "round"): _round,
    ("string", "isnullorempty"): lambda _, text: to_text(text) == "",
    ("string", "isnullorwhitespace"): _whitespace,
    ("string", "join"): lambda _, glue, *items: to_text(glue).join(
        to_text(each) for item in items for each in items_of(item)
    ),
    ("string", "format"): lambda _, template, *args: string_format(template, PSArray(args)),
    ("string", "concat"): lambda _, *args: "".join(to_text(arg) for arg in args),
    ("string", "equals"): lambda _, a, b, *mode: (
        to_text(a).casefold() == to_text(b).casefold() if mode else to_text(a) == to_text(b)
    ),
    ("ipaddress", "parse"): _parse_address,
    ("ipaddress", "tryparse"): _try_parse,
    ("guid", "newguid"): lambda _: Guid(str(uuid.uuid4())),
    ("environment", "getenvironmentvariable"): lambda interp, name, *_: interp.console.environment.get(
        to_text(name).upper()
    ),
    ("environment", "exit"): _environment_exit,
    ("threading.thread", "sleep"): _thread_sleep,
    ("diagnostics.stopwatch", "startnew"): _stopwatch,
    ("scriptblock", "create"): _block,
    ("security.principal.windowsidentity", "getcurrent"): _identity,
    ("regex", "escape"): lambda _, text: re.escape(to_text(text)),
    ("timespan", "fromseconds"): lambda _, value: timedelta(seconds=to_number(value)),
    ("datetime", "parse"): lambda _, text: convert(text, "datetime"),
}


def set_static(interp: Interpreter, type_name: str, name: str, value: Any) -> None:
    """`[Console]::OutputEncoding = …` is the one static property that scripts set."""
    if (canonical(type_name), name.lower()) not in (("console", "outputencoding"), ("console", "inputencoding")):
        raise Unsupported(f"setting [{type_name}]::{name}")
    if not isinstance(value, PSObject) or value.properties.get("WebName") not in ("utf-8", "ascii"):
        raise ScriptError(runtime_error("The encoding cannot be set on the console.", "SetValueInvocation").record)
    interp.console.codepage = 65001 if value.properties["WebName"] == "utf-8" else 437
