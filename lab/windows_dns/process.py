"""What cmd.exe makes of a command line: powershell.exe with its switches, and a few plain programs.

Anything else is refused loudly. Meta characters of cmd.exe are live on a real machine, so a line that contains them is
refused as well instead of being run as if they were text.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from dataclasses import dataclass, field

from .cmdlets import absent_from, cmdlets_of
from .cmdlets.caller import Caller
from .marker import review
from .powershell.console import Console
from .powershell.errors import Unsupported
from .powershell.interpreter import Interpreter
from .powershell.values import Hashtable, PSObject

_log = logging.getLogger(__name__)
CMD_LIMIT = 8191
CREATE_PROCESS_LIMIT = 32_000
_META = set("%&|<>^")


@dataclass
class PowerShellCall:
    """The switches of powershell.exe. `stdin` means that the script itself comes on standard input."""

    script: str | None = None
    encoded: str | None = None
    stdin: bool = False
    interactive: bool = True
    output_format: str | None = None
    flags: list[str] = field(default_factory=list)


async def run_line(line: str, console: Console, caller: Caller) -> int:
    """Run one command line to its end; the exit code of the process."""
    try:
        return await _run_line(line, console, caller)
    except Unsupported as refusal:
        console.raw_error(f"{refusal}\r\n")
        return 1
    except Exception as error:
        # A gap of the simulator must not look like an answer of Windows.
        _log.exception("the simulator failed in a command of %s", caller.account.user)
        console.raw_error(f"simulator failed: {type(error).__name__}: {error}\r\n")
        return 1
    finally:
        console.close()


async def _run_line(line: str, console: Console, caller: Caller) -> int:
    if len(line) >= CMD_LIMIT:
        console.raw_error("The command line is too long.\r\n")
        return 1
    program, _, rest = line.strip().partition(" ")
    name = program.strip('"').lower().rsplit("\\", 1)[-1].removesuffix(".exe")
    if name == "powershell":
        return await _powershell(_switches(rest), console, caller)
    if live := sorted(_META & set(line)):
        raise Unsupported(f"the meta character '{live[0]}' of cmd.exe")
    settings = caller.server.settings
    if name == "hostname":
        console.out(f"{settings.hostname}\r\n")
    elif name == "whoami":
        console.out(f"{caller.account.user.lower()}\r\n")
    elif name == "echo":
        console.out(f"{rest}\r\n")
    elif name == "exit":
        return int(rest or 0)
    else:
        raise Unsupported(f"the program '{program}'")
    return 0


_WORD = re.compile(r'(?:"[^"]*(?:"|$)|[^ \t"]+)+')


def _words(text: str) -> list[str]:
    """Split as the C run time does, without nested quotes."""
    return [word.replace('"', "") for word in _WORD.findall(text)]


_VALUE_SWITCHES = ("outputformat", "inputformat", "executionpolicy", "windowstyle", "version", "configurationname")
_FLAGS = ("nologo", "noprofile", "noninteractive", "noexit", "sta", "mta")


def _switch(word: str) -> str:
    """The full name of an abbreviated switch, as powershell.exe resolves it."""
    text = word[1:].lower()
    special = {
        "e": "encodedcommand",
        "ec": "encodedcommand",
        "c": "command",
        "ep": "executionpolicy",
        "ex": "executionpolicy",
    }
    if text in special:
        return special[text]
    for name in ("encodedcommand", "command", "file", *_FLAGS, *_VALUE_SWITCHES):
        minimum = {"noninteractive": 4, "noprofile": 3, "nologo": 3}.get(name, 1)
        if len(text) >= minimum and name.startswith(text):
            return name
    raise Unsupported(f"the switch {word} of powershell.exe")


def _switches(rest: str) -> PowerShellCall:
    call, words = PowerShellCall(), _words(rest)
    while words:
        word = words.pop(0)
        if word == "-":
            call.stdin = True
            continue
        name = _switch(word) if word[:1] in "-/" else "command"
        if name == "command":
            text = " ".join(words) if word[:1] in "-/" else " ".join([word, *words])
            call.stdin, call.script = text == "-", None if text == "-" else text
            break
        if name == "file":
            raise Unsupported("powershell.exe -File")
        if name in _FLAGS:
            call.flags.append(name)
            call.interactive = call.interactive and name != "noninteractive"
            continue
        value = words.pop(0) if words else ""
        if name == "encodedcommand":
            call.encoded = value
        elif name == "outputformat":
            call.output_format = value.lower()
    return call


async def _powershell(call: PowerShellCall, console: Console, caller: Caller) -> int:
    console.interactive = call.interactive
    console.clixml = call.encoded is not None and call.output_format is None
    if call.output_format == "xml":
        raise Unsupported("powershell.exe -OutputFormat XML")
    if call.encoded is not None:
        try:
            script = _decoded(call.encoded)
        except ValueError:
            console.raw_error(
                "Cannot process the command because the value specified with -EncodedCommand is not properly encoded. "
                "The value must be Base64 encoded.\r\n"
            )
            return -196608
    elif call.stdin:
        script = (await console.stdin.read_all()).decode(console.encoding, "replace")
    elif call.script is not None:
        script = call.script
    else:
        raise Unsupported("an interactive powershell.exe")
    return await interpreter(console, caller).run(script)


def _decoded(encoded: str) -> str:
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(encoded) from error
    if not data or len(data) % 2:
        raise ValueError(encoded)
    return data.decode("utf-16-le")


def interpreter(console: Console, caller: Caller) -> Interpreter:
    """A fresh powershell.exe of this caller on this machine."""
    settings = caller.server.settings
    version = PSObject([("Major", 5), ("Minor", 1), ("Build", 20348), ("Revision", 2227)], "System.Version")
    version.properties["ToString"] = lambda: "5.1.20348.2227"
    return Interpreter(
        console,
        cmdlets_of(caller.server),
        context=caller,
        user=caller.account.user,
        machine=settings.hostname,
        version=Hashtable([("PSVersion", version), ("PSEdition", "Desktop")]),
        review=review if settings.strict_markers else None,
        absent=absent_from(caller.server),
    )
