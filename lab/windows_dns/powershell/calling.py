"""Calls: finding a command, evaluating its words, binding them, running it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .binding import Bound, Parameter, Signature, Word, bind, binding_error, coerce, with_common
from .command import Cmdlet, Invocation
from .console import Console
from .conversion import convert, to_text
from .errors import ErrorRecord, Return, ScriptError, Unsupported
from .evaluation import Scope
from .members import MISSING
from .parser import literal_text
from .syntax import Argument, Block, Command, NamedArgument, Node, Redirection, Splat
from .values import NameMap, PSArray, ScriptBlock, items_of, plain

if TYPE_CHECKING:
    from .interpreter import Interpreter

ALIASES = {
    "%": "foreach-object", "foreach": "foreach-object", "?": "where-object", "where": "where-object",
    "select": "select-object", "sort": "sort-object", "echo": "write-output", "write": "write-output",
    "sleep": "start-sleep", "ipmo": "import-module", "gmo": "get-module", "gcm": "get-command",
    "measure": "measure-object", "iex": "invoke-expression", "compare": "compare-object",
}  # fmt: skip
Sink = Callable[[Any], None]


class Calls:
    console: Console
    scope: Scope
    globals: Scope
    cmdlets: dict[str, Cmdlet]
    absent: frozenset[str]
    modules: set[str]
    ok: bool
    source: str
    error_sink: Callable[[ErrorRecord], None] | None

    evaluate: Callable[[Node], Awaitable[Any]]
    value: Callable[[Node], Awaitable[Any]]
    statements: Callable[[Block, Sink], Awaitable[None]]

    async def call(self, node: Command, items: list[Any] | None, sink: Sink) -> None:
        """Run one command of a pipeline; `items` is what came before it, None at the beginning."""
        discard, merge, silent = _redirections(node)
        out: Sink = (lambda _: None) if discard else sink
        outer = self.error_sink
        if merge:
            self.error_sink = out
        elif silent:
            self.error_sink = lambda _: None
        try:
            await self._dispatch(node, items, out)
        except ScriptError as error:
            if error.record.pos < 0:
                error.record = error.record.at(node.pos, self.source[node.pos : node.end].strip())
            raise
        finally:
            self.error_sink = outer

    async def _dispatch(self, node: Command, items: list[Any] | None, sink: Sink) -> None:
        target = plain(await self.evaluate(node.name))
        words = await self._words(node)
        self.ok = True
        if isinstance(target, ScriptBlock):
            await self.invoke_block(target, words, items, sink, new_scope=node.operator != ".")
            return
        name = to_text(target)
        function = self.scope.function(name)
        if function is not None:
            await self._call_function(function.block, function.name, words, items, sink)
            return
        cmdlet = self.find_cmdlet(name)
        if cmdlet is None:
            # Only what is known to be missing from this machine is "not recognized"; the rest is the simulator's gap.
            raise _unknown_command(name) if name.lower() in self.absent else Unsupported(f"the command '{name}'")
        await self._call_cmdlet(cmdlet, words, items, sink)

    def find_cmdlet(self, name: str) -> Cmdlet | None:
        lowered = name.lower()
        return self.cmdlets.get(ALIASES.get(lowered, lowered))

    async def _words(self, node: Command) -> list[Word]:
        words: list[Word] = []
        for element in node.elements:
            if isinstance(element, Argument):
                words.append(Word(value=plain(await self.evaluate(element.value))))
            elif isinstance(element, NamedArgument):
                attached = MISSING if element.attached is None else plain(await self.evaluate(element.attached))
                words.append(Word(element.name, attached))
            elif isinstance(element, Splat):
                words.extend(self._splatted(element.name))
        return words

    def _splatted(self, name: str) -> list[Word]:
        value = plain(self.scope.get(name))
        if isinstance(value, NameMap):
            return [Word(to_text(key), item) for key, item in value.items()]
        return [Word(value=item) for item in items_of(value)] if value is not None else []

    # Cmdlets

    async def _call_cmdlet(self, cmdlet: Cmdlet, words: list[Word], items: list[Any] | None, sink: Sink) -> None:
        self._load_module(cmdlet)
        signature = cmdlet.signature
        each = items if cmdlet.per_object and items is not None else [MISSING]
        for item in each:
            bound = bind(signature, words, item)
            await self._supply_missing(signature.command, bound)
            await self._run_cmdlet(cmdlet, bound, items, sink)

    async def _run_cmdlet(self, cmdlet: Cmdlet, bound: Bound, items: list[Any] | None, sink: Sink) -> None:
        scope = self.globals if cmdlet.module_function else self.scope
        action = to_text(bound.values.get("ErrorAction") or scope.get("ErrorActionPreference")).title()
        action = {"Silentlycontinue": "SilentlyContinue"}.get(action, action)
        collected: list[Any] = []
        kept = "OutVariable" in bound.values

        def both(item: Any) -> None:
            collected.append(item)
            sink(item)

        emit: Sink = both if kept else sink
        before = len(self._interpreter().errors)
        invocation = Invocation(self._interpreter(), cmdlet, bound.values, items, emit, action, bound.set_name)
        try:
            await cmdlet.run(invocation)
        except ScriptError as error:
            # Inside a module's function -ErrorAction is the preference, so Stop holds for every error in it.
            error.fatal = error.fatal or (cmdlet.module_function and action == "Stop")
            raise
        finally:
            if kept:
                self.scope.set(bound.values["OutVariable"], PSArray(collected))
            if variable := bound.values.get("ErrorVariable"):
                fresh = len(self._interpreter().errors) - before
                self.scope.set(variable.removeprefix("+"), PSArray(reversed(self._interpreter().errors[:fresh])))

    def _load_module(self, cmdlet: Cmdlet) -> None:
        first = cmdlet.module not in self.modules and not cmdlet.module.startswith("Microsoft.PowerShell")
        if first:
            self.modules.add(cmdlet.module)
            self.show_progress("Preparing modules for first use.")

    def show_progress(self, text: str) -> None:
        if to_text(self.globals.get("ProgressPreference")).lower() != "silentlycontinue":
            self.console.progress(text)

    async def _supply_missing(self, command: str, bound: Bound) -> None:
        if not bound.missing:
            return
        if not self.console.interactive:
            names = " ".join(parameter.name for parameter in bound.missing)
            message = f"Cannot process command because of one or more missing mandatory parameters: {names}."
            raise binding_error(command, "MissingMandatoryParameter", message)
        self.console.out(
            f"\r\ncmdlet {command} at command pipeline position 1\r\nSupply values for the following parameters:\r\n"
        )
        for parameter in bound.missing:
            bound.values[parameter.name] = coerce(command, parameter, await self._ask(f"{parameter.name}: "))

    async def _ask(self, prompt: str) -> str:
        self.console.out(prompt)
        self.console.flush()
        line = await self.console.stdin.read_line()
        return "" if line is None else line.decode(self.console.encoding, "replace")

    async def confirm(self, command: str, question: str) -> bool:
        """Ask before a dangerous action. Without -NonInteractive this waits for an answer, perhaps for ever."""
        if not self.console.interactive:
            message = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
            record = ErrorRecord(
                message, f"InvalidOperation,{command}", "InvalidOperation",
                exception="System.Management.Automation.PSInvalidOperationException", activity=command,
            )  # fmt: skip
            raise ScriptError(record)
        self.console.out(f"\r\nConfirm\r\n{question}\r\n")
        answer = await self._ask('[Y] Yes  [N] No  [S] Suspend  [?] Help (default is "Y"): ')
        return answer.strip().lower() in ("", "y", "yes")

    # Functions and script blocks

    async def invoke_block(
        self, block: ScriptBlock, words: list[Word], items: list[Any] | None, sink: Sink, new_scope: bool
    ) -> None:
        """`& { … }` and `. { … }`."""
        outer_source, self.source = self.source, block.source
        try:
            if new_scope:
                await self._call_function(block.block, "", words, items, sink)
            else:
                await self.statements(block.block, sink)
        finally:
            self.source = outer_source

    async def _call_function(
        self, block: Block, name: str, words: list[Word], items: list[Any] | None, sink: Sink
    ) -> None:
        scope = Scope(self.scope)
        scope.set("input", PSArray(items or []))
        if block.parameters is None:
            if any(word.name for word in words):
                raise Unsupported("named arguments of a function without param()")
            scope.set("args", PSArray(word.value for word in words))
        outer, self.scope = self.scope, scope
        try:
            if block.parameters is not None:
                await self._bind_function(block, name, words, scope)
            await self.statements(block, sink)
        except Return:
            pass
        finally:
            self.scope = outer

    async def _bind_function(self, block: Block, name: str, words: list[Word], scope: Scope) -> None:
        declared = block.parameters or ()
        parameters = [
            Parameter(
                each.name,
                each.type or "object",
                each.mandatory,
                None if each.type == "switch" else place,
                nonempty=each.mandatory,
            )
            for place, each in enumerate(declared)
        ]
        bound = bind(Signature(name, with_common(parameters)), words)
        await self._supply_missing(name, bound)
        for each in declared:
            if each.name in bound.values:
                value = bound.values[each.name]
            elif each.default is not None:
                value = convert(plain(await self.evaluate(each.default)), each.type or "object")
            else:
                value = (
                    convert(None, each.type)
                    if each.type and each.type.lower() in ("string", "int", "bool", "switch")
                    else None
                )
            scope.set(each.name, value)
        if "ErrorAction" in bound.values:
            scope.set("ErrorActionPreference", bound.values["ErrorAction"])

    async def each(self, block: ScriptBlock, item: Any, sink: Sink) -> None:
        """Run a block for one pipeline object, in the caller's scope, with `$_` set."""
        outer = self.scope.get("_")
        self.scope.set("_", item)
        try:
            await self.statements(block.block, sink)
        except Return:
            pass
        finally:
            self.scope.set("_", outer)

    def _interpreter(self) -> Interpreter:
        return self  # type: ignore[return-value]


def _redirections(node: Command) -> tuple[bool, bool, bool]:
    """Whether output is discarded, errors are merged into it, errors are discarded."""
    found = [element for element in node.elements if isinstance(element, Redirection)]
    for each in found:
        if each.target == "&2" or (each.target == "&1" and each.stream not in ("2", "*")):
            raise Unsupported(f"the redirection {each.stream}>{each.target}")
    discard = any(each.stream in ("1", "*") and each.target == "$null" for each in found)
    merge = any(each.stream in ("2", "*") and each.target == "&1" for each in found)
    silent = any(each.stream in ("2", "*") and each.target == "$null" for each in found)
    return discard, merge, silent


def _unknown_command(name: str) -> ScriptError:
    message = (
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
        "Check the "
        "spelling of the name, or if a path was included, verify that the path is correct and try again."
    )
    exception = "System.Management.Automation.CommandNotFoundException"
    return ScriptError(ErrorRecord(message, "CommandNotFoundException", "ObjectNotFound", name, exception))


def commands_in(block: Any) -> set[str]:
    """Lower-case names of all commands that a tree calls by a constant name, wherever they stand."""
    found: set[str] = set()
    stack: list[Any] = [block]
    while stack:
        node = stack.pop()
        if isinstance(node, Command) and (name := literal_text(node.name)):
            found.add(ALIASES.get(name.lower(), name.lower()))
        if isinstance(node, Node | tuple):
            stack.extend(node if isinstance(node, tuple) else (getattr(node, slot) for slot in _slots(node)))
    return found


def _slots(node: Node) -> list[str]:
    return list(node.__dataclass_fields__)
