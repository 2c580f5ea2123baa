"""The tree that the parser makes and the interpreter walks. `pos` is an offset into the script's text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    pos: int


# Expressions


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: Any


@dataclass(frozen=True, slots=True)
class Expandable(Node):
    """A double-quoted string or a bare word with variables in it."""

    parts: tuple[str | Node, ...]


@dataclass(frozen=True, slots=True)
class Variable(Node):
    name: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Cast(Node):
    type: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Unary(Node):
    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Step(Node):
    """`++` and `--`."""

    op: str
    target: Node
    prefix: bool


@dataclass(frozen=True, slots=True)
class Comma(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Member(Node):
    target: Node
    name: Node
    static: bool


@dataclass(frozen=True, slots=True)
class Call(Node):
    target: Node
    name: Node
    args: tuple[Node, ...]
    static: bool


@dataclass(frozen=True, slots=True)
class Index(Node):
    target: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Paren(Node):
    body: Node


@dataclass(frozen=True, slots=True)
class SubExpression(Node):
    """`$( … )`."""

    body: Block


@dataclass(frozen=True, slots=True)
class ArrayOf(Node):
    """`@( … )`: always an array, whatever the number of results."""

    body: Block


@dataclass(frozen=True, slots=True)
class HashLiteral(Node):
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class BlockLiteral(Node):
    block: Block


# Statements


@dataclass(frozen=True, slots=True)
class ParameterDeclaration(Node):
    name: str
    type: str | None
    default: Node | None
    mandatory: bool


@dataclass(frozen=True, slots=True)
class Block(Node):
    statements: tuple[Node, ...]
    parameters: tuple[ParameterDeclaration, ...] | None = None


@dataclass(frozen=True, slots=True)
class Argument(Node):
    value: Node


@dataclass(frozen=True, slots=True)
class NamedArgument(Node):
    """`-Name`, or `-Name:value` when the value is attached by a colon."""

    name: str
    attached: Node | None


@dataclass(frozen=True, slots=True)
class Splat(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Redirection(Node):
    stream: str
    target: str


@dataclass(frozen=True, slots=True)
class Command(Node):
    name: Node
    elements: tuple[Node, ...]
    operator: str = ""
    end: int = 0


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    elements: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    target: Node
    op: str
    value: Node


@dataclass(frozen=True, slots=True)
class If(Node):
    clauses: tuple[tuple[Node, Block], ...]
    otherwise: Block | None


@dataclass(frozen=True, slots=True)
class While(Node):
    condition: Node
    body: Block


@dataclass(frozen=True, slots=True)
class DoWhile(Node):
    condition: Node
    body: Block
    until: bool


@dataclass(frozen=True, slots=True)
class For(Node):
    first: Node | None
    condition: Node | None
    step: Node | None
    body: Block


@dataclass(frozen=True, slots=True)
class ForEach(Node):
    variable: Variable
    source: Node
    body: Block


@dataclass(frozen=True, slots=True)
class Switch(Node):
    subject: Node
    clauses: tuple[tuple[Node | None, Block], ...]


@dataclass(frozen=True, slots=True)
class Try(Node):
    body: Block
    catches: tuple[tuple[tuple[str, ...], Block], ...]
    final: Block | None


@dataclass(frozen=True, slots=True)
class Jump(Node):
    """`throw`, `return`, `exit`, `break`, `continue`."""

    kind: str
    value: Node | None


@dataclass(frozen=True, slots=True)
class Function(Node):
    name: str
    block: Block
