"""Walks the tree: statements and control flow. Expressions are in `evaluation`, calls in `calling`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from .calling import Calls
from .command import Cmdlet
from .console import Console
from .conversion import convert, to_text, truth
from .display import error_lines, show
from .errors import ErrorRecord, Exit, LoopJump, ParseError, Return, ScriptError, Unsupported
from .evaluation import Evaluation, Scope
from .members import exception_of
from .operators import equal, wildcard
from .parser import parse
from .syntax import (
    Assignment,
    Block,
    Command,
    DoWhile,
    For,
    ForEach,
    Function,
    If,
    Jump,
    Node,
    Pipeline,
    Redirection,
    Step,
    Switch,
    Try,
    While,
)
from .values import PSArray, PSObject, collected, items_of

Sink = Callable[[Any], None]
Review = Callable[[str], None]


class Interpreter(Evaluation, Calls):
    """One powershell.exe: runs one script and says with which code the process ends.

    `review` may refuse a parsed script before it runs by raising Unsupported. `context` is handed to the cmdlets.
    `absent` names commands that this machine lacks, as opposed to those that the simulator lacks.
    """

    def __init__(
        self,
        console: Console,
        cmdlets: Iterable[Cmdlet],
        *,
        context: Any = None,
        user: str = "",
        machine: str = "",
        version: Mapping[str, Any] | None = None,
        review: Review | None = None,
        absent: Iterable[str] = (),
    ) -> None:
        self.console, self.context, self.user, self.machine, self.review = console, context, user, machine, review
        self.cmdlets = {each.name.lower(): each for each in cmdlets}
        self.absent = frozenset(name.lower() for name in absent)
        self.globals = self.scope = Scope()
        self.errors, self.ok, self.trying, self.strict = PSArray(), True, 0, False
        self.wraps_arrays = True
        self.modules: set[str] = set()
        self.source = ""
        self.error_sink: Callable[[ErrorRecord], None] | None = None
        presets: dict[str, Any] = {
            "ErrorActionPreference": "Continue", "WarningPreference": "Continue", "ProgressPreference": "Continue",
            "VerbosePreference": "SilentlyContinue", "DebugPreference": "SilentlyContinue", "ConfirmPreference": "High",
            "InformationPreference": "SilentlyContinue", "WhatIfPreference": False, "OFS": " ", "PSCulture": "en-US",
            "PSUICulture": "en-US", "PID": 4242, "PSVersionTable": PSObject((version or {}).items()),
        }  # fmt: skip
        for name, value in presets.items():
            self.globals.set(name, value)

    async def run(self, text: str) -> int:
        """Run a script to its end. Returns the exit code; whatever there is to say is on the console."""
        try:
            return await self._run(text)
        finally:
            self.console.close()

    async def _run(self, text: str) -> int:
        self.source = text
        try:
            block = parse(text)
            if self.review:
                self.review(text)
            await self.statements(block, self._show)
        except Exit as leave:
            return leave.code
        except ParseError as error:
            self.report(parse_record(error, text))
            return 1
        except Unsupported as refusal:
            self.console.message("Error", [str(refusal)])
            return 1
        except ScriptError as error:
            self.report(error.record)
            return 1
        except (LoopJump, Return):
            pass
        return 0 if self.ok else 1

    def _show(self, value: Any) -> None:
        if isinstance(value, ErrorRecord):
            self.report(value)
            return
        for line in show(value):
            self.console.out(f"{line}\r\n")

    # Errors

    def report(self, record: ErrorRecord) -> None:
        """Show an error on the error stream of the process."""
        if self.error_sink is not None:
            self.error_sink(record)
        else:
            self.console.message("Error", error_lines(record, self.source))

    def remember(self, record: ErrorRecord) -> None:
        self.ok = False
        self.errors.insert(0, record)

    def non_terminating(self, record: ErrorRecord, action: str) -> None:
        """Apply an error action. Stop turns the error into one that ends the script."""
        if action == "Stop":
            raise ScriptError(record, fatal=True)
        self.ok = False
        if action == "Ignore":
            return
        self.remember(record)
        if action in ("Continue", "Inquire"):
            self.report(record)

    # Statements

    async def statements(self, block: Block, sink: Sink) -> None:
        for statement in block.statements:
            try:
                await self.execute(statement, sink)
            except ScriptError as error:
                record = self._placed(error.record, statement)
                stop = to_text(self.scope.get("ErrorActionPreference")).lower() == "stop"
                if error.fatal or self.trying or stop:
                    self.ok = False
                    raise ScriptError(record, fatal=True) from error
                self.remember(record)
                if to_text(self.scope.get("ErrorActionPreference")).lower() == "continue":
                    self.report(record)

    def _placed(self, record: ErrorRecord, node: Node) -> ErrorRecord:
        end = self.source.find("\n", node.pos)
        return record.at(node.pos, self.source[node.pos : end if end >= 0 else None].strip())

    async def execute(self, node: Node, sink: Sink) -> None:
        """Run a statement, writing its output to the sink as it comes."""
        runner = _STATEMENTS.get(type(node))
        if runner is not None:
            await runner(self, node, sink)
        else:
            for item in items_of(await self.evaluate(node)):
                sink(item)

    async def capture(self, node: Node) -> Any:
        """A statement used as a value: an expression keeps its array, a command's output is collected."""
        if isinstance(node, Assignment):
            return await self.assign(node)
        if isinstance(node, Pipeline) and len(node.elements) == 1 and not isinstance(node.elements[0], Command):
            value = await self.evaluate(node.elements[0])
            self.ok = True
            return value
        items: list[Any] = []
        await self.execute(node, items.append)
        return collected(items)

    async def _pipeline(self, node: Pipeline, sink: Sink) -> None:
        items: list[Any] | None = None
        for place, element in enumerate(node.elements):
            out: list[Any] = []
            emit = sink if place == len(node.elements) - 1 else out.append
            if isinstance(element, Command):
                await self.call(element, items, emit)
            else:
                value = await self.evaluate(element)
                # Until a statement has been evaluated, $? tells of the one before.
                self.ok = True
                for item in [] if isinstance(element, Step) else items_of(value):
                    emit(item)
            items = out

    async def _assignment(self, node: Assignment, _sink: Sink) -> None:
        await self.assign(node)

    async def _if(self, node: If, sink: Sink) -> None:
        for condition, body in node.clauses:
            if truth(await self.capture(condition)):
                await self.statements(body, sink)
                return
        if node.otherwise:
            await self.statements(node.otherwise, sink)

    async def _turn(self, body: Block, sink: Sink) -> bool:
        """One turn of a loop; False when it was left by break."""
        # A script that loops without waiting must not keep the other tasks from running.
        await asyncio.sleep(0)
        try:
            await self.statements(body, sink)
        except LoopJump as jump:
            return jump.kind == "continue"
        return True

    async def _while(self, node: While, sink: Sink) -> None:
        while truth(await self.capture(node.condition)):
            if not await self._turn(node.body, sink):
                return

    async def _do(self, node: DoWhile, sink: Sink) -> None:
        while await self._turn(node.body, sink):
            if truth(await self.capture(node.condition)) == node.until:
                return

    async def _for(self, node: For, sink: Sink) -> None:
        if node.first:
            await self.capture(node.first)
        while node.condition is None or truth(await self.capture(node.condition)):
            if not await self._turn(node.body, sink):
                return
            if node.step:
                await self.capture(node.step)

    async def _foreach(self, node: ForEach, sink: Sink) -> None:
        source = await self.capture(node.source)
        for item in [] if source is None else items_of(source):
            self.scope.set(node.variable.name, item)
            if not await self._turn(node.body, sink):
                return

    async def _switch(self, node: Switch, sink: Sink) -> None:
        for subject in items_of(await self.capture(node.subject)):
            matched = False
            for label, body in node.clauses:
                if label is None:
                    continue
                if equal(await self.value(label), subject):
                    matched = True
                    if await self._switch_body(body, subject, sink):
                        return
            default = next((body for label, body in node.clauses if label is None), None)
            if default and not matched:
                await self._switch_body(default, subject, sink)

    async def _switch_body(self, body: Block, subject: Any, sink: Sink) -> bool:
        self.scope.set("_", subject)
        try:
            await self.statements(body, sink)
        except LoopJump as jump:
            return jump.kind == "break"
        return False

    async def _try(self, node: Try, sink: Sink) -> None:
        finish = True
        try:
            try:
                self.trying += bool(node.catches)
                try:
                    await self.statements(node.body, sink)
                finally:
                    self.trying -= bool(node.catches)
            except ScriptError as error:
                await self._catch(node, error, sink)
        except (Unsupported, asyncio.CancelledError):
            # Neither a refusal of the simulator nor a killed process runs the finally block.
            finish = False
            raise
        finally:
            if finish and node.final:
                await self.statements(node.final, sink)

    async def _catch(self, node: Try, error: ScriptError, sink: Sink) -> None:
        for types, body in node.catches:
            if types and not any(_is_exception(error.record, name) for name in types):
                continue
            self.remember(error.record)
            outer = self.scope.get("_")
            self.scope.set("_", error.record)
            try:
                await self.statements(body, sink)
            finally:
                self.scope.set("_", outer)
            self.ok = True
            return
        raise error

    async def _function(self, node: Function, _sink: Sink) -> None:
        self.scope.functions[node.name.lower()] = node

    async def _jump(self, node: Jump, sink: Sink) -> None:
        if node.kind in ("break", "continue"):
            raise LoopJump(node.kind)
        if node.kind == "exit":
            raise Exit(convert(await self.capture(node.value), "int") if node.value else 0)
        if node.kind == "return":
            if node.value:
                await self.execute(node.value, sink)
            raise Return
        raise ScriptError(_thrown(await self.capture(node.value) if node.value else None), fatal=True)

    async def _stray(self, _node: Redirection, _sink: Sink) -> None:
        raise Unsupported("a redirection without a command")


def _thrown(value: Any) -> ErrorRecord:
    if isinstance(value, ErrorRecord):
        return value
    if isinstance(value, PSObject) and value.type_name.endswith("Exception"):
        message = to_text(value.properties["Message"])
        return ErrorRecord(message, message, "OperationStopped", None, value.type_name)
    message = to_text(value) if value is not None else "ScriptHalted"
    return ErrorRecord(message, message, "OperationStopped", value)


def _is_exception(record: ErrorRecord, name: str) -> bool:
    wanted = name.lower().removeprefix("system.")
    if wanted in ("exception", "management.automation.runtimeexception") and wanted == "exception":
        return True
    return wildcard(f"*{wanted}", exception_of(record).type_name)


def parse_record(error: ParseError, text: str) -> ErrorRecord:
    """How the host shows a script that does not parse."""
    record = ErrorRecord(
        error.message,
        error.error_id,
        "ParserError",
        exception="System.Management.Automation.ParentContainsErrorRecordException",
    )
    line = text[: error.pos].count("\n")
    return replace(
        record, pos=error.pos, line=(text.splitlines() or [""])[min(line, len(text.splitlines()) - 1)] if text else ""
    )


_STATEMENTS: dict[type[Node], Callable[[Interpreter, Any, Sink], Any]] = {
    Pipeline: Interpreter._pipeline,
    Assignment: Interpreter._assignment,
    If: Interpreter._if,
    While: Interpreter._while,
    DoWhile: Interpreter._do,
    For: Interpreter._for,
    ForEach: Interpreter._foreach,
    Switch: Interpreter._switch,
    Try: Interpreter._try,
    Function: Interpreter._function,
    Jump: Interpreter._jump,
    Redirection: Interpreter._stray,
}
