"""The process around a script: its three streams, its environment, and the time it lives in.

Stderr becomes CLIXML when the command came by -EncodedCommand and -OutputFormat was not given (ConsoleHost.cs);
otherwise it is plain text. Output is handed on in whole pieces when the script starts to wait for something and when it
ends, so that what a reader sees does not depend on how fast this machine is.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from lab.windows_dns.clock import Clock

_NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"
_PROGRESS = (
    '<Obj S="progress" RefId="{ref}"><TN RefId="{ref}">'
    "<T>System.Management.Automation.PSCustomObject</T><T>System.Object</T>"
    '</TN><MS><I64 N="SourceId">1</I64><PR N="Record"><AV>{text}</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1</PC>'
    "<T>{state}</T><SR>-1</SR><SD> </SD></PR></MS></Obj>"
)


class Stdin:
    """What the client sends. `end` closes it; a read waits until there is a line, or the end."""

    def __init__(self) -> None:
        self._data, self._ended, self._changed = b"", False, asyncio.Event()

    def feed(self, data: bytes, end: bool) -> None:
        self._data, self._ended = self._data + data, self._ended or end
        self._changed.set()

    async def _until(self, enough: Callable[[], bool]) -> None:
        while not enough():
            self._changed.clear()
            await self._changed.wait()

    async def read_all(self) -> bytes:
        await self._until(lambda: self._ended)
        data, self._data = self._data, b""
        return data

    async def read_line(self) -> bytes | None:
        """One line without its end; None at the end of the stream."""
        await self._until(lambda: self._ended or b"\n" in self._data)
        if not self._data:
            return None
        line, _, self._data = self._data.partition(b"\n")
        return line.rstrip(b"\r")


class Console:
    """`write(stream, data)` receives bytes for "stdout" or "stderr"; `flush()` tells that the reader may have them."""

    def __init__(
        self,
        clock: Clock,
        write: Callable[[str, bytes], None],
        flush: Callable[[], None] = lambda: None,
        *,
        codepage: int = 437,
        environment: Mapping[str, str] | None = None,
        clixml: bool = False,
        interactive: bool = True,
        width: int = 80,
    ) -> None:
        self.clock, self._write, self.flush = clock, write, flush
        self.codepage, self.clixml, self.interactive, self.width = codepage, clixml, interactive, width
        self.environment = {name.upper(): value for name, value in (environment or {}).items()}
        self.stdin = Stdin()
        self._records: list[str] = []
        self._marked = False

    @property
    def encoding(self) -> str:
        return "utf-8" if self.codepage == 65001 else f"cp{self.codepage}"

    def encode(self, text: str) -> bytes:
        """In the console's code page; what it lacks becomes a question mark."""
        return text.encode(self.encoding, "replace")

    def out(self, text: str) -> None:
        self._write("stdout", self.encode(text))

    def raw_error(self, text: str) -> None:
        """Text that a program itself writes to stderr, past PowerShell's error stream."""
        self._write("stderr", self.encode(text))

    def message(self, kind: str, lines: list[str]) -> None:
        """One error, warning, verbose or debug message, wrapped at the width of the console."""
        wrapped = [piece for line in lines for piece in _wrap(line, self.width - 1)]
        if not self.clixml:
            self._write(
                "stderr" if kind == "Error" else "stdout", self.encode("".join(f"{line}\r\n" for line in wrapped))
            )
            return
        self._mark()
        self._records.append("".join(f'<S S="{kind}">{_xml_text(line)}_x000D__x000A_</S>' for line in wrapped))

    def progress(self, text: str) -> None:
        """Progress exists only in the XML form: a redirected text console drops it."""
        if self.clixml:
            self._mark()
            state = "Completed" if self._records else "Processing"
            self._records.append(_PROGRESS.format(ref=len(self._records), text=escape(text), state=state))

    def _mark(self) -> None:
        if not self._marked:
            self._marked = True
            self._write("stderr", b"#< CLIXML\r\n")

    def close(self) -> None:
        """Write what was held back for the end."""
        if self._records:
            xml = f'<Objs Version="1.1.0.1" xmlns="{_NAMESPACE}">' + "".join(self._records) + "</Objs>"
            # The XML form is UTF-8 whatever the code page says.
            self._write("stderr", xml.encode())
            self._records = []
        self.flush()


def _wrap(line: str, width: int) -> list[str]:
    """Text at blanks; the lines of the record's details anywhere, as the real host does: even inside the error id."""
    if line == "":
        return [" "]
    if not line.startswith("    + "):
        return textwrap.wrap(line, width, drop_whitespace=False, replace_whitespace=False) or [line]
    pieces, rest = [], line
    while len(rest) > width - 1:
        pieces.append(rest[: width - 1] + " ")
        rest = "   " + rest[width - 1 :]
    return [*pieces, rest]


def _xml_text(text: str) -> str:
    special = {char: f"_x{ord(char):04X}_" for char in "\r\n\t\x1b\x00"}
    return escape("".join(special.get(char, char) for char in text))
