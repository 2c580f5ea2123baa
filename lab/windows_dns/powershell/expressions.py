"""The expression half of the grammar: operators by precedence, postfix access, literals, and arguments of commands."""

from __future__ import annotations

from collections.abc import Callable

from .characters import BLANKS, DASHES, is_word
from .errors import ParseError, Unsupported
from .scanner import Scanner
from .syntax import (
    ArrayOf,
    Binary,
    Block,
    BlockLiteral,
    Call,
    Cast,
    Comma,
    HashLiteral,
    Index,
    Literal,
    Member,
    Node,
    Paren,
    Step,
    TypeName,
    Unary,
    Variable,
)

_COMPARISONS = {
    f"{prefix}{name}"
    for prefix in ("", "i", "c")
    for name in (
        "eq", "ne", "gt", "ge", "lt", "le", "like", "notlike", "match", "notmatch", "replace", "contains",
        "notcontains", "in", "notin", "split",
    )
} | {"is", "isnot", "as", "join"}  # fmt: skip
# From loosest to tightest; a word is written with a dash in front.
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"and", "or", "xor"}),
    frozenset({"band", "bor", "bxor"}),
    frozenset(_COMPARISONS),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
    frozenset({"f"}),
    frozenset({".."}),
)
_WORDS = frozenset().union(*_LEVELS) - {"+", "-", "*", "/", "%", ".."}
_UNARY_WORDS = {"not", "join", "split", "bnot"}
_ARGUMENT_END = " \t\r\n;|(){},\u00a0"


class ExpressionParser(Scanner):
    def statement(self) -> Node:
        raise NotImplementedError

    def pipeline(self) -> Node:
        raise NotImplementedError

    def braces(self) -> Block:
        raise NotImplementedError

    def expression(self, comma: bool = True) -> Node:
        return self._level(0, comma)

    def _level(self, level: int, comma: bool) -> Node:
        if level == len(_LEVELS):
            return self._comma() if comma else self.unary()
        left = self._level(level + 1, comma)
        while True:
            mark = self.i
            self.skip()
            start, op = self.i, self._operator()
            if op is None or op not in _LEVELS[level]:
                self.i = mark
                return left
            self.skip(newlines=True)
            left = Binary(start, op, left, self._level(level + 1, comma))

    def _operator(self) -> str | None:
        """Past one binary operator, normalised; the caller goes back when it belongs to another level."""
        char = self.peek()
        if char and char in DASHES:
            word = self.peek_word(1).lower()
            if not word:
                if self.peek(1) in ("-", "="):
                    return None
                self.i += 1
                return "-"
            if word not in _WORDS:
                raise ParseError(f"Unexpected token '-{word}' in expression or statement.", self.i)
            self.i += 1 + len(word)
            return word
        if self.text.startswith("..", self.i):
            self.i += 2
            return ".."
        if char and char in "+*/%" and self.peek(1) not in ("=", "+" if char == "+" else "="):
            self.i += 1
            return char
        return None

    def _comma(self) -> Node:
        return self._joined(self.unary)

    def _joined(self, item: Callable[[], Node]) -> Node:
        """One, or several with commas between."""
        start = self.i
        items = [item()]
        while True:
            mark = self.i
            self.skip()
            if self.peek() != ",":
                self.i = mark
                return items[0] if len(items) == 1 else Comma(start, tuple(items))
            self.i += 1
            self.skip(newlines=True)
            items.append(item())

    def unary(self) -> Node:
        self.skip()
        start, char = self.i, self.peek()
        if char == "!":
            self.i += 1
            return Unary(start, "not", self.unary())
        if char == ",":
            self.i += 1
            self.skip(newlines=True)
            return Comma(start, (self.unary(),))
        if char in ("+", "-") and self.peek(1) == char:
            self.i += 2
            return Step(start, char, self.primary(), prefix=True)
        if char and char in DASHES + "+":
            word = "" if char == "+" else self.peek_word(1).lower()
            if word and word not in _UNARY_WORDS:
                raise self.unexpected()
            self.i += 1 + len(word)
            return Unary(start, word or char.translate({ord(dash): "-" for dash in DASHES}), self.unary())
        if char == "[":
            return self._cast_or_type()
        return self.primary()

    def _cast_or_type(self) -> Node:
        start = self.i
        name = self.type_name()
        if self.text.startswith("::", self.i) or self.peek() in ("", ".", ")", ",", ";", "\r", "\n", "}", "|"):
            return self.postfix(TypeName(start, name))
        mark = self.i
        self.skip()
        if self.peek() and (self.peek() in "$([@{!,+" + self.QUOTES or self.peek().isdigit() or self.peek() in DASHES):
            if self.peek() in DASHES and self.peek_word(1).lower() not in {"", *_UNARY_WORDS}:
                self.i = mark
                return TypeName(start, name)
            return Cast(start, name, self.unary())
        self.i = mark
        return TypeName(start, name)

    def type_name(self) -> str:
        """Past `[Name]`; generic arguments and array brackets stay in the name."""
        match = self.match(r"\[\s*([A-Za-z_][\w.+]*(?:\[[\w.,\s]*\])*)\s*\]")
        if match is None:
            raise self.unexpected()
        self.i = match.end()
        return match[1].replace(" ", "")

    # Primary expressions and what may follow them without a blank

    def primary(self) -> Node:
        start, char = self.i, self.peek()
        if not char:
            raise self.unexpected()
        if char in self.QUOTES:
            return self.postfix(self.string())
        if char == "$":
            if self.peek(1) == "(":
                self.i += 1
                return self.postfix(self.sub_expression(start))
            return self.postfix(self.variable())
        if char == "@":
            return self.postfix(self._at(start))
        if char == "(":
            return self.postfix(self._paren(start))
        if char == "{":
            return self.postfix(BlockLiteral(start, self.braces()))
        if char == "[":
            return self.postfix(TypeName(start, self.type_name()))
        number = self.number()
        if number is None:
            raise self.unexpected()
        return self.postfix(number)

    def _paren(self, start: int) -> Paren:
        self.i += 1
        self.skip(newlines=True)
        body = self.statement()
        self.skip(newlines=True)
        self.expect(")", "Missing closing ')' in expression.", start)
        return Paren(start, body)

    def _at(self, start: int) -> Node:
        following = self.peek(1)
        if following and following in self.QUOTES:
            raise Unsupported("here-strings")
        if following == "(":
            self.i += 2
            body = self.block_body(")")
            self.expect(")", "Missing closing ')' in array expression.", start)
            return ArrayOf(start, body)
        if following == "{":
            self.i += 2
            return self._hash_literal(start)
        raise ParseError(
            "The splatting operator '@' cannot be used to reference variables in an expression.",
            start,
            "SplattingNotPermitted",
        )

    def _hash_literal(self, start: int) -> HashLiteral:
        entries: list[tuple[Node, Node]] = []
        while True:
            self.skip(newlines=True, semicolons=True)
            if self.peek() == "}":
                self.i += 1
                return HashLiteral(start, tuple(entries))
            if self.at_end():
                raise ParseError("The hash literal was incomplete.", start, "IncompleteHashLiteral")
            key = self._hash_key()
            self.skip(newlines=True)
            self.expect("=", "Missing '=' operator after key in hash literal.")
            self.skip(newlines=True)
            entries.append((key, self.statement()))
            self.skip()
            if self.peek() not in ("\r", "\n", ";", "}"):
                raise self.unexpected()

    def _hash_key(self) -> Node:
        start, char = self.i, self.peek()
        if char == "$" or char == "(" or char in self.QUOTES:
            return self.primary()
        word = self.take_while(lambda c: is_word(c) or c == "-")
        if not word:
            raise self.unexpected()
        return Literal(start, int(word) if word.isdigit() else word)

    def postfix(self, node: Node) -> Node:
        while True:
            start = self.i
            if self.text.startswith("::", self.i):
                self.i += 2
                node = self._member(start, node, static=True)
            elif self.peek() == "." and self.peek(1) != "." and self._names_member(1):
                self.i += 1
                node = self._member(start, node, static=False)
            elif self.peek() == "[" and not isinstance(node, TypeName):
                self.i += 1
                self.skip(newlines=True)
                index = self.expression()
                self.skip(newlines=True)
                self.expect("]", "Missing ']' after array index expression.", start)
                node = Index(start, node, index)
            elif (
                self.peek() in ("+", "-")
                and self.peek(1) == self.peek()
                and isinstance(node, Variable | Member | Index)
            ):
                node = Step(start, self.peek(), node, prefix=False)
                self.i += 2
            else:
                return node

    def _names_member(self, offset: int) -> bool:
        char = self.peek(offset)
        return bool(char) and (is_word(char) or char in "$(" or char in self.QUOTES)

    def _member(self, start: int, target: Node, static: bool) -> Node:
        char = self.peek()
        name = (
            self.primary_name()
            if char == "$" or char == "(" or char in self.QUOTES
            else Literal(self.i, self.take_word())
        )
        if isinstance(name, Literal) and not name.value:
            raise self.unexpected()
        if self.peek() != "(":
            return Member(start, target, name, static)
        return Call(start, target, name, self._arguments(), static)

    def primary_name(self) -> Node:
        """A member name that is a variable, a string or an expression in parentheses."""
        if self.peek() == "$":
            return self.variable()
        return self.string() if self.peek() in self.QUOTES else self._paren(self.i)

    def _arguments(self) -> tuple[Node, ...]:
        opened = self.i
        self.i += 1
        args: list[Node] = []
        self.skip(newlines=True)
        while self.peek() != ")":
            args.append(self.expression(comma=False))
            self.skip(newlines=True)
            if self.peek() == ",":
                self.i += 1
                self.skip(newlines=True)
            elif self.peek() != ")":
                raise ParseError("Missing ')' in method call.", opened, "MissingEndParenthesisInMethodCall")
        self.i += 1
        return tuple(args)

    # Arguments of commands

    def argument(self) -> Node:
        """One argument, or several joined by commas."""
        return self._joined(self._argument_item)

    def _argument_item(self) -> Node:
        char, after = self.peek(), self.peek(1)
        structured = char and (char in "({" or char in self.QUOTES or (char == "@" and after and after in "({'\""))
        variable = char == "$" and after and (is_word(after) or after in "({?^$")
        if not structured and not variable:
            return self.bare_word()
        node = self.primary()
        if not self.at_end() and self.peek() not in _ARGUMENT_END:
            raise Unsupported("an argument glued together from several pieces; put it in double quotes")
        return node

    def bare_word(self) -> Node:
        """A word without quotes: a number, a string, or an expandable string when it contains `$`."""
        start = self.i
        if number := self._bare_number():
            return number
        parts: list[str | Node] = []
        while not self.at_end() and self.peek() not in _ARGUMENT_END and self.peek() not in BLANKS:
            if self.peek() in self.QUOTES:
                raise Unsupported("quotes inside a bare word")
            if self.peek() in "<>":
                raise Unsupported(f"the redirection '{self.peek()}'")
            parts.append(self.expandable_piece())
        if not parts:
            raise self.unexpected()
        return self.expandable(start, parts)

    def _bare_number(self) -> Literal | None:
        start = self.i
        negative = self.peek() == "-" and self.peek(1).isdigit()
        if negative:
            self.i += 1
        number = self.number() if self.peek().isdigit() else None
        if number is None or (not self.at_end() and self.peek() not in _ARGUMENT_END):
            self.i = start
            return None
        return Literal(start, -number.value) if negative else number
