"""Expressions, variables and assignment."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .console import Console
from .conversion import convert, to_number, to_text, truth
from .errors import ErrorRecord, Unsupported, runtime_error
from .members import MISSING, call_method, get_property, set_property
from .operators import add, binary, divide, multiply, regex, remainder, subtract, unary
from .statics import set_static, static_call, static_property, stopwatch_property
from .syntax import (
    ArrayOf,
    Assignment,
    Binary,
    Block,
    BlockLiteral,
    Call,
    Cast,
    Comma,
    Expandable,
    Function,
    HashLiteral,
    Index,
    Literal,
    Member,
    Node,
    Paren,
    Pipeline,
    Step,
    SubExpression,
    TypeName,
    Unary,
    Variable,
)
from .values import VOID, EnumValue, Hashtable, NameMap, PSArray, ScriptBlock, TypeRef, collected, items_of, plain

if TYPE_CHECKING:
    from .interpreter import Interpreter

_COMPOUND: dict[str, Callable[[Any, Any], Any]] = {
    "+=": add,
    "-=": subtract,
    "*=": multiply,
    "/=": divide,
    "%=": remainder,
}


class Scope:
    """Variables and functions of one scope; reading goes on to the caller's scope, writing stays here."""

    def __init__(self, parent: Scope | None = None) -> None:
        self.parent = parent
        self.variables: dict[str, Any] = {}
        self.types: dict[str, str] = {}
        self.functions: dict[str, Function] = {}

    def get(self, name: str, default: Any = None) -> Any:
        lowered = name.lower()
        scope: Scope | None = self
        while scope is not None:
            if lowered in scope.variables:
                return scope.variables[lowered]
            scope = scope.parent
        return default

    def set(self, name: str, value: Any) -> None:
        lowered = name.lower()
        self.variables[lowered] = convert(value, self.types[lowered]) if lowered in self.types else value

    def function(self, name: str) -> Function | None:
        scope: Scope | None = self
        while scope is not None:
            if name.lower() in scope.functions:
                return scope.functions[name.lower()]
            scope = scope.parent
        return None


class Evaluation:
    console: Console
    scope: Scope
    globals: Scope
    errors: PSArray
    ok: bool
    strict: bool
    source: str
    user: str
    machine: str

    capture: Callable[[Node], Awaitable[Any]]
    statements: Callable[[Block, Callable[[Any], None]], Awaitable[None]]

    async def value(self, node: Node) -> Any:
        """An expression's value, with "no output" read as $null."""
        return plain(await self.evaluate(node))

    async def evaluate(self, node: Node) -> Any:
        evaluator = _EXPRESSIONS.get(type(node))
        if evaluator is None:
            return await self.capture(node)
        return await evaluator(self, node)

    async def _literal(self, node: Literal) -> Any:
        return node.value

    async def _expandable(self, node: Expandable) -> str:
        pieces = [part if isinstance(part, str) else to_text(await self.evaluate(part)) for part in node.parts]
        return "".join(pieces)

    async def _variable(self, node: Variable) -> Any:
        name = node.name.lower()
        if node.scope == "env":
            return self.console.environment.get(node.name.upper())
        constants = {"true": True, "false": False, "null": None, "error": self.errors, "?": self.ok}
        if name in constants:
            return constants[name]
        scope = self.globals if node.scope in ("global", "script") else self.scope
        value = scope.get(name, MISSING)
        if value is MISSING:
            if self.strict:
                message = f"The variable '${node.name}' cannot be retrieved because it has not been set."
                raise runtime_error(message, "VariableIsUndefined", target=node.name)
            return None
        return value

    async def _type(self, node: TypeName) -> TypeRef:
        return TypeRef(node.name)

    async def _cast(self, node: Cast) -> Any:
        if node.type.lower() in ("ordered", "pscustomobject") and isinstance(node.operand, HashLiteral):
            return convert(await self.evaluate(node.operand), node.type)
        return convert(await self.value(node.operand), node.type)

    async def _unary(self, node: Unary) -> Any:
        return unary(node.op, await self.value(node.operand))

    async def _binary(self, node: Binary) -> Any:
        left = await self.value(node.left)
        if node.op == "and":
            return truth(left) and truth(await self.value(node.right))
        if node.op == "or":
            return truth(left) or truth(await self.value(node.right))
        right = await self.value(node.right)
        if node.op.endswith("match"):
            return self._match(node.op, left, right)
        return binary(node.op, left, right)

    def _match(self, op: str, left: Any, right: Any) -> Any:
        pattern = regex(to_text(right), exact=op.startswith("c"))
        wanted = "not" not in op
        if isinstance(left, list):
            return PSArray(item for item in left if (pattern.search(to_text(item)) is not None) == wanted)
        found = pattern.search(to_text(left))
        if found is not None:
            groups: dict[Any, Any] = {0: found[0], **dict(enumerate(found.groups(), 1)), **found.groupdict()}
            self.scope.set("Matches", Hashtable((key, text) for key, text in groups.items() if text is not None))
        return (found is not None) == wanted

    async def _comma(self, node: Comma) -> PSArray:
        return PSArray([await self.value(item) for item in node.items])

    async def _paren(self, node: Paren) -> Any:
        return await self.capture(node.body)

    async def _sub_expression(self, node: SubExpression) -> Any:
        items: list[Any] = []
        await self.statements(node.body, items.append)
        return collected(items)

    async def _array_of(self, node: ArrayOf) -> PSArray:
        only = node.body.statements[0] if len(node.body.statements) == 1 else None
        if isinstance(only, Pipeline) and len(only.elements) == 1 and isinstance(only.elements[0], Comma):
            # `@(1, 2)` is the array itself; evaluating the elements keeps nested arrays.
            return await self._comma(only.elements[0])
        items: list[Any] = []
        await self.statements(node.body, items.append)
        return PSArray(items)

    async def _hash(self, node: HashLiteral) -> Hashtable:
        table = Hashtable()
        for key_node, value_node in node.entries:
            key = await self.value(key_node)
            if key in table:
                message = f"Item has already been added. Key in dictionary: '{to_text(key)}'"
                raise runtime_error(message, "DuplicateKeyInHashLiteral")
            table[key] = plain(await self.capture(value_node))
        return table

    async def _block(self, node: BlockLiteral) -> ScriptBlock:
        return ScriptBlock(node.block, self.source)

    # Members and indexes

    async def _member(self, node: Member) -> Any:
        name = to_text(await self.value(node.name))
        target = await self.value(node.target)
        if node.static:
            return static_property(self._interpreter(), _type_of(target), name)
        if (elapsed := stopwatch_property(self._interpreter(), target, name)) is not None:
            return elapsed
        found = get_property(target, name)
        if found is not MISSING:
            return found
        if self.strict:
            message = f"The property '{name}' cannot be found on this object. Verify that the property exists."
            raise runtime_error(message, "PropertyNotFoundStrict", "NotSpecified")
        return None

    async def _call(self, node: Call) -> Any:
        name = to_text(await self.value(node.name))
        target = await self.value(node.target)
        args = [await self.value(arg) for arg in node.args]
        if node.static:
            result = static_call(self._interpreter(), _type_of(target), name, args)
        elif isinstance(target, ScriptBlock) and name.lower() == "invoke":
            raise Unsupported("ScriptBlock.Invoke(); use the call operator &")
        else:
            try:
                result = call_method(target, name, args)
            except TypeError as error:
                message = f'Cannot find an overload for "{name}" and the argument count: "{len(args)}".'
                raise runtime_error(message, "MethodCountCouldNotFindBest", "NotSpecified") from error
            except (ValueError, OverflowError) as error:
                message = f'Cannot convert an argument of "{name}": {error}'
                raise runtime_error(message, "MethodArgumentConversionInvalidCastArgument") from error
        if inspect.isawaitable(result):
            result = await result
        returns_nothing = result is None and name.lower() in _VOID_METHODS
        return VOID if returns_nothing else result

    async def _index(self, node: Index) -> Any:
        target, index = await self.value(node.target), await self.value(node.index)
        if target is None:
            raise runtime_error("Cannot index into a null array.", "NullArray")
        if isinstance(index, list):
            return PSArray(self._item(target, each) for each in index)
        return self._item(target, index)

    @staticmethod
    def _item(target: Any, index: Any) -> Any:
        if isinstance(target, NameMap):
            return target.get(index)
        if isinstance(target, list | bytes | str):
            place = int(to_number(index))
            return target[place] if -len(target) <= place < len(target) else None
        return target if to_number(index) in (0, -1) else None

    # Assignment

    async def assign(self, node: Assignment) -> Any:
        """Carry out an assignment; its value, for `($x = …)`."""
        value = await self.capture(node.value)
        if node.op != "=":
            value = _COMPOUND[node.op](await self.value(node.target), plain(value))
        await self._store(node.target, value)
        return value

    async def _store(self, target: Node, value: Any) -> None:
        if isinstance(target, Cast):
            value = convert(value, target.type)
            if isinstance(target.operand, Variable):
                self.scope.types[target.operand.name.lower()] = target.type
            await self._store(target.operand, value)
        elif isinstance(target, Variable):
            self._store_variable(target, value)
        elif isinstance(target, Comma):
            items = items_of(value)
            for place, each in enumerate(target.items):
                last = place == len(target.items) - 1
                rest = collected(items[place:]) if last else (items[place] if place < len(items) else None)
                await self._store(each, plain(rest))
        elif isinstance(target, Member):
            name = to_text(await self.value(target.name))
            if target.static:
                set_static(self._interpreter(), _type_of(await self.value(target.target)), name, plain(value))
            else:
                set_property(await self.value(target.target), name, plain(value))
        elif isinstance(target, Index):
            await self._store_item(target, plain(value))

    def _store_variable(self, target: Variable, value: Any) -> None:
        if target.scope == "env":
            self.console.environment[target.name.upper()] = to_text(value)
        elif target.name.lower() in ("true", "false", "null", "?"):
            if target.name.lower() != "null":
                message = f"Cannot overwrite variable {target.name} because it is read-only or constant."
                raise runtime_error(message, "VariableNotWritable", "WriteError", target.name)
        else:
            scope = self.globals if target.scope in ("global", "script") else self.scope
            scope.set(target.name, value)

    async def _store_item(self, target: Index, value: Any) -> None:
        holder, index = await self.value(target.target), await self.value(target.index)
        if isinstance(holder, NameMap):
            holder[index] = value
        elif isinstance(holder, list) and -len(holder) <= int(to_number(index)) < len(holder):
            holder[int(to_number(index))] = value
        else:
            raise runtime_error("Index was outside the bounds of the array.", "IndexOutOfRangeException")

    async def _step(self, node: Step) -> Any:
        before = to_number(await self.value(node.target))
        after = before + (1 if node.op == "+" else -1)
        await self._store(node.target, after)
        return after if node.prefix else before

    def _interpreter(self) -> Interpreter:
        return self  # type: ignore[return-value]


_VOID_METHODS = {
    "writeline",
    "write",
    "flush",
    "add",
    "addrange",
    "clear",
    "remove",
    "dispose",
    "close",
    "sleep",
    "stop",
}


def _type_of(target: Any) -> str:
    if isinstance(target, TypeRef):
        return target.name
    if isinstance(target, str | int | EnumValue | ErrorRecord):
        raise Unsupported("static members of a value; name the type")
    raise runtime_error("The type could not be found.", "TypeNotFound")


_EXPRESSIONS: dict[type[Node], Callable[[Any, Any], Awaitable[Any]]] = {
    Literal: Evaluation._literal,
    Expandable: Evaluation._expandable,
    Variable: Evaluation._variable,
    TypeName: Evaluation._type,
    Cast: Evaluation._cast,
    Unary: Evaluation._unary,
    Binary: Evaluation._binary,
    Comma: Evaluation._comma,
    Paren: Evaluation._paren,
    SubExpression: Evaluation._sub_expression,
    ArrayOf: Evaluation._array_of,
    HashLiteral: Evaluation._hash,
    BlockLiteral: Evaluation._block,
    Member: Evaluation._member,
    Call: Evaluation._call,
    Index: Evaluation._index,
    Step: Evaluation._step,
}
