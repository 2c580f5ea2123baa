"""Text to tree: statements and commands. Expressions are in `expressions`, characters and strings in `scanner`."""

from __future__ import annotations

from functools import lru_cache

from .characters import DASHES, is_word
from .errors import ParseError, Unsupported
from .expressions import ExpressionParser
from .syntax import (
    Argument,
    Assignment,
    Block,
    Cast,
    Comma,
    Command,
    DoWhile,
    For,
    ForEach,
    Function,
    If,
    Index,
    Jump,
    Literal,
    Member,
    NamedArgument,
    Node,
    ParameterDeclaration,
    Pipeline,
    Redirection,
    Splat,
    Switch,
    Try,
    Variable,
    While,
)

_UNKNOWN_KEYWORDS = {
    "begin", "class", "clean", "configuration", "data", "dynamicparam", "end", "enum", "filter", "from",
    "inlinescript", "parallel", "process", "sequence", "trap", "using", "workflow",
}  # fmt: skip
_ASSIGNMENTS = ("=", "+=", "-=", "*=", "/=", "%=")


@lru_cache(maxsize=32)  # the same few scripts come again and again, and a tree cannot be changed
def parse(text: str) -> Block:
    """The tree of a whole script. Raises ParseError or Unsupported; never guesses."""
    parser = Parser(text)
    block = parser.block_body("")
    if not parser.at_end():
        raise parser.unexpected()
    return block


class Parser(ExpressionParser):
    def block_body(self, closer: str) -> Block:
        start = self.i
        parameters = self._param_block()
        statements: list[Node] = []
        while True:
            self.skip(newlines=True, semicolons=True)
            if self.at_end() or self.peek() == closer:
                return Block(start, tuple(statements), parameters)
            statements.append(self.statement())
            self.skip()
            if not self.at_end() and self.peek() not in f"\r\n;{closer}":
                raise self.unexpected()

    def statement(self) -> Node:
        word = self.peek_word().lower()
        method = getattr(self, f"_{word}_statement", None) if word else None
        if method is not None and self._is_keyword(word):
            start = self.i
            self.i += len(word)
            parsed: Node = method(start)
            return parsed
        if word in _UNKNOWN_KEYWORDS and self._is_keyword(word):
            raise Unsupported(f"the keyword '{word}'")
        return self.pipeline()

    def _is_keyword(self, word: str) -> bool:
        after = self.text[self.i + len(word) : self.i + len(word) + 1]
        return not after or after in " \t\r\n({;}$" or after in "'\""

    # Pipelines and commands

    def pipeline(self) -> Node:
        start = self.i
        first = self._pipeline_element(first=True)
        if isinstance(first, Assignment):
            return first
        elements = [first]
        self.skip()
        while self.peek() == "|":
            if self.peek(1) == "|":
                raise self.unexpected()
            self.i += 1
            self.skip(newlines=True)
            elements.append(self._pipeline_element(first=False))
            self.skip()
        return Pipeline(start, tuple(elements))

    def _pipeline_element(self, first: bool) -> Node:
        start = self.i
        if not self._starts_expression():
            return self._command()
        if not first:
            raise ParseError(
                "Expressions are only allowed as the first element of a pipeline.",
                start,
                "ExpressionsMustBeFirstInPipeline",
            )
        expression = self.expression()
        self.skip()
        for op in _ASSIGNMENTS:
            if self.text.startswith(op, self.i):
                return self._assignment(start, expression, op)
        return expression

    def _assignment(self, start: int, target: Node, op: str) -> Assignment:
        inner = target
        while isinstance(inner, Cast):
            inner = inner.operand
        if not isinstance(inner, Variable | Member | Index | Comma):
            raise ParseError("The assignment expression is not valid.", start, "InvalidLeftHandSide")
        self.i += len(op)
        self.skip(newlines=True)
        return Assignment(start, target, op, self.statement())

    def _starts_expression(self) -> bool:
        char, after = self.peek(), self.peek(1)
        if char in DASHES and char:
            word = self.peek_word(1).lower()
            return bool(after) and (after.isdigit() or after in "(-$" or word in ("not", "join", "split", "bnot"))
        if char == "@":
            return (bool(after) and after in "({") or after in self.QUOTES
        return bool(char) and (char in "$([{!,+" or char.isdigit() or char in self.QUOTES)

    def _command(self) -> Command:
        start = self.i
        operator = ""
        if self.peek() in ("&", ".") and self.peek(1) in (" ", "\t", "$", "{", "(", "'", '"'):
            operator = self.peek()
            self.i += 1
            self.skip()
            name = self.primary()
        else:
            name = self.bare_word()
        elements: list[Node] = []
        while self._at_argument():
            elements.append(self._element())
        return Command(start, name, tuple(elements), operator, self.i)

    def _at_argument(self) -> bool:
        self.skip()
        if self.text.startswith("&&", self.i) or self.peek() == "&":
            raise ParseError(
                f"The ampersand (&) character is not allowed. (char {self.i})", self.i, "AmpersandNotAllowed"
            )
        return not self.at_end() and self.peek() not in "\r\n;|)}"

    def _element(self) -> Node:
        start = self.i
        if redirection := self.redirection():
            return redirection
        char, after = self.peek(), self.peek(1)
        if char in DASHES and after and (after.isalpha() or after in "_?"):
            return self._named_argument()
        if char == "@" and after and is_word(after):
            self.i += 1
            return Splat(start, self.take_word())
        return Argument(start, self.argument())

    def _named_argument(self) -> NamedArgument:
        start = self.i
        self.i += 1
        name = self.take_while(lambda c: is_word(c) or c in "-?")
        attached = None
        if self.peek() == ":":
            self.i += 1
            self.skip()
            attached = self.argument()
        return NamedArgument(start, name, attached)

    def redirection(self) -> Redirection | None:
        match = self.match(r"([1-6*]?)(>>?)[ \t]*(&1|&2|\$null)?")
        if match is None:
            return None
        start = self.i
        if not match[3] or match[2] == ">>":
            raise Unsupported("a redirection to anything but $null or &1")
        self.i = match.end()
        return Redirection(start, match[1] or "1", match[3])

    # Keywords

    def _condition(self) -> Node:
        self.skip(newlines=True)
        self.expect("(")
        self.skip(newlines=True)
        condition = self.pipeline()
        self.skip(newlines=True)
        self.expect(")")
        return condition

    def braces(self) -> Block:
        self.skip(newlines=True)
        opened = self.i
        self.expect("{")
        block = self.block_body("}")
        self.expect("}", "Missing closing '}' in statement block or type definition.", opened)
        return block

    def _follows(self, word: str) -> bool:
        """Skip to the keyword and past it; stay where we are when something else follows."""
        mark = self.i
        self.skip(newlines=True)
        if self.peek_word().lower() == word:
            self.i += len(word)
            return True
        self.i = mark
        return False

    def _if_statement(self, start: int) -> If:
        clauses = [(self._condition(), self.braces())]
        while self._follows("elseif"):
            clauses.append((self._condition(), self.braces()))
        otherwise = self.braces() if self._follows("else") else None
        return If(start, tuple(clauses), otherwise)

    def _while_statement(self, start: int) -> While:
        return While(start, self._condition(), self.braces())

    def _do_statement(self, start: int) -> DoWhile:
        body = self.braces()
        if self._follows("while"):
            return DoWhile(start, self._condition(), body, until=False)
        if self._follows("until"):
            return DoWhile(start, self._condition(), body, until=True)
        raise self.unexpected()

    def _for_statement(self, start: int) -> For:
        self.skip(newlines=True)
        self.expect("(")
        parts: list[Node | None] = []
        for closer in ";;)":
            self.skip(newlines=True)
            parts.append(None if self.peek() == closer else self.pipeline())
            self.skip(newlines=True)
            self.expect(closer)
        return For(start, parts[0], parts[1], parts[2], self.braces())

    def _foreach_statement(self, start: int) -> ForEach:
        self.skip(newlines=True)
        self.expect("(")
        self.skip(newlines=True)
        variable = self.primary()
        if not isinstance(variable, Variable) or not self._follows("in"):
            raise self.unexpected()
        self.skip(newlines=True)
        source = self.pipeline()
        self.skip(newlines=True)
        self.expect(")")
        return ForEach(start, variable, source, self.braces())

    def _switch_statement(self, start: int) -> Switch:
        self.skip()
        if self.peek() in DASHES:
            raise Unsupported("options of switch")
        subject = self._condition()
        self.skip(newlines=True)
        self.expect("{")
        clauses: list[tuple[Node | None, Block]] = []
        while True:
            self.skip(newlines=True, semicolons=True)
            if self.peek() == "}":
                self.i += 1
                return Switch(start, subject, tuple(clauses))
            default = self.peek_word().lower() == "default"
            label = None if default else self.argument()
            if default:
                self.i += len("default")
            clauses.append((label, self.braces()))

    def _try_statement(self, start: int) -> Try:
        body = self.braces()
        catches: list[tuple[tuple[str, ...], Block]] = []
        while self._follows("catch"):
            types: list[str] = []
            self.skip(newlines=True)
            while self.peek() == "[":
                types.append(self.type_name())
                self.skip(newlines=True)
                if self.peek() == ",":
                    self.i += 1
                    self.skip(newlines=True)
            catches.append((tuple(types), self.braces()))
        final = self.braces() if self._follows("finally") else None
        if not catches and final is None:
            raise ParseError("The Try statement is missing its Catch or Finally block.", start, "MissingCatchOrFinally")
        return Try(start, body, tuple(catches), final)

    def _jump(self, kind: str, start: int) -> Jump:
        self.skip()
        value = None if self.at_end() or self.peek() in "\r\n;}" else self.pipeline()
        return Jump(start, kind, value)

    def _throw_statement(self, start: int) -> Jump:
        return self._jump("throw", start)

    def _return_statement(self, start: int) -> Jump:
        return self._jump("return", start)

    def _exit_statement(self, start: int) -> Jump:
        return self._jump("exit", start)

    def _break_statement(self, start: int) -> Jump:
        return self._jump("break", start)

    def _continue_statement(self, start: int) -> Jump:
        return self._jump("continue", start)

    def _function_statement(self, start: int) -> Function:
        self.skip()
        name = self.take_while(lambda c: is_word(c) or c in "-:")
        if not name:
            raise self.unexpected()
        self.skip(newlines=True)
        inline = self._declarations() if self.peek() == "(" else None
        block = self.braces()
        if inline is not None:
            block = Block(block.pos, block.statements, inline)
        return Function(start, name, block)

    # param( … )

    def _param_block(self) -> tuple[ParameterDeclaration, ...] | None:
        mark = self.i
        self.skip(newlines=True)
        while self.peek() == "[" and self.match(r"\[\s*(CmdletBinding|OutputType)\b"):
            self.attribute()
            self.skip(newlines=True)
        if self.peek_word().lower() != "param":
            self.i = mark
            return None
        self.i += len("param")
        self.skip(newlines=True)
        return self._declarations()

    def _declarations(self) -> tuple[ParameterDeclaration, ...]:
        self.expect("(")
        found: list[ParameterDeclaration] = []
        self.skip(newlines=True)
        while self.peek() != ")":
            found.append(self._declaration())
            self.skip(newlines=True)
            if self.peek() == ",":
                self.i += 1
                self.skip(newlines=True)
            elif self.peek() != ")":
                raise self.unexpected()
        self.i += 1
        return tuple(found)

    def _declaration(self) -> ParameterDeclaration:
        start, type_name, mandatory = self.i, None, False
        while self.peek() == "[":
            if self.match(r"\[\s*(Parameter|Validate\w+|Alias|AllowNull|AllowEmpty\w+)\s*\("):
                text = self.attribute()
                if not text.lower().startswith("[parameter"):
                    raise Unsupported(f"the parameter attribute {text}")
                mandatory = mandatory or ("mandatory" in text.lower() and "$false" not in text.lower())
            else:
                type_name = self.type_name()
            self.skip(newlines=True)
        variable = self.primary()
        if not isinstance(variable, Variable):
            raise self.unexpected()
        self.skip(newlines=True)
        default = None
        if self.peek() == "=":
            self.i += 1
            self.skip(newlines=True)
            default = self.expression(comma=False)
        return ParameterDeclaration(start, variable.name, type_name, default, mandatory)

    def attribute(self) -> str:
        """Past one `[Attribute(…)]`; its text."""
        start = self.i
        match = self.match(r"\[[^\[\]]*\]")
        if match is None:
            raise self.unexpected()
        self.i = match.end()
        return self.text[start : self.i]


def literal_text(node: Node) -> str | None:
    """The text of a constant word or string; None for anything that has to be evaluated."""
    return node.value if isinstance(node, Literal) and isinstance(node.value, str) else None
