"""The constant PowerShell scripts, one per operation, and the command line that runs each.

A script never changes: what an operation is about travels as base64 JSON in the environment variable `PARAMETERS`
of the remote shell, so nothing is ever quoted or spliced. The script itself travels in the command line, which
cmd.exe cuts off at 8191 characters; UTF-16 and base64 cost 8 characters for every 3 of the script, which is why
comments and indentation stay at home.
"""

import base64
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from bot.model.wording import tr

Operation = Literal["cache.clear", "clock.read", "facts.read", "forwarder.read", "forwarder.write"]

PARAMETERS = "K8SNET_PARAMETERS"
# Windows ends an environment variable at 32767 characters; base64 makes 4 of every 3 bytes.
MAX_PARAMETER_BYTES = 24_000
# Room is left below cmd.exe's 8191 for what the remote shell itself puts in front ("cmd.exe /c" and quotes).
MAX_COMMAND_LINE = 8_100

PROGRAM = "powershell.exe"
# Without -OutputFormat an encoded command gets CLIXML on stderr; -NonInteractive turns a prompt into an error.
OPTIONS = ("-NoLogo", "-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand")


@cache
def script(operation: Operation) -> str:
    """The text that runs on the server. Its first line names the operation and its version."""
    marker, _, body = _file(operation).partition("\n")
    return "\n".join([marker, *_code(_file("prelude")), *_code(body)])


@cache
def arguments(operation: Operation) -> tuple[str, ...]:
    """What follows `PROGRAM` on the command line."""
    return (*OPTIONS, base64.b64encode(script(operation).encode("utf-16-le")).decode("ascii"))


def parameters(data: Mapping[str, Any]) -> str:
    """`data` as the value of the environment variable. Raises ValueError when it is too long to travel."""
    encoded = json.dumps(data, ensure_ascii=True).encode("ascii")
    if len(encoded) > MAX_PARAMETER_BYTES:
        raise ValueError(
            tr(
                "{count} bytes of parameters; an environment variable holds {most}",
                count=len(encoded),
                most=MAX_PARAMETER_BYTES,
            )
        )
    return base64.b64encode(encoded).decode("ascii")


def _file(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.ps1").read_text(encoding="ascii")


def _code(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
