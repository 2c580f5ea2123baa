"""Characters, blanks, comments, strings, variables and numbers: what both modes of the grammar share."""

from __future__ import annotations

import re
from collections.abc import Callable

from .characters import BLANKS, DOUBLE_QUOTES, SINGLE_QUOTES, is_word
from .errors import ParseError, Unsupported
from .syntax import Block, Expandable, Literal, Node, SubExpression, Variable

_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)([lLdD]?)(kb|mb|gb|KB|MB|GB)?(?!\w)")
_UNITS = {"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


class Scanner:
    QUOTES = SINGLE_QUOTES + DOUBLE_QUOTES

    def __init__(self, text: str) -> None:
        self.text, self.i = text, 0

    def block_body(self, closer: str) -> Block:
        raise NotImplementedError

    # Characters

    def at_end(self) -> bool:
        return self.i >= len(self.text)

    def peek(self, offset: int = 0) -> str:
        return self.text[self.i + offset : self.i + offset + 1]

    def match(self, pattern: str) -> re.Match[str] | None:
        return re.compile(pattern, re.IGNORECASE).match(self.text, self.i)

    def take_while(self, accepts: Callable[[str], bool]) -> str:
        start = self.i
        while not self.at_end() and accepts(self.text[self.i]):
            self.i += 1
        return self.text[start : self.i]

    def take_word(self) -> str:
        return self.take_while(is_word)

    def peek_word(self, offset: int = 0) -> str:
        match = re.compile(r"[A-Za-z]+").match(self.text, self.i + offset)
        return match[0] if match else ""

    def unexpected(self) -> ParseError:
        if self.at_end():
            return ParseError("The script ends in the middle of a statement.", self.i, "IncompleteStatement")
        return ParseError(f"Unexpected token '{self.peek()}' in expression or statement.", self.i)

    def expect(self, char: str, message: str = "", opened: int | None = None) -> None:
        if self.peek() != char:
            where = self.i if opened is None else opened
            raise ParseError(message or f"Missing '{char}' in expression or statement.", where, "MissingToken")
        self.i += 1

    def skip(self, newlines: bool = False, semicolons: bool = False) -> None:
        """Past blanks, comments and continued lines; past line ends and semicolons only on request."""
        while not self.at_end():
            char = self.text[self.i]
            if char in BLANKS or (newlines and char in "\r\n") or (semicolons and char == ";"):
                self.i += 1
            elif char == "#":
                self.take_while(lambda c: c not in "\r\n")
            elif self.text.startswith("<#", self.i):
                end = self.text.find("#>", self.i)
                if end < 0:
                    raise ParseError(
                        "The terminator '#>' is missing from the multiline comment.",
                        self.i,
                        "MissingTerminatorMultiLineComment",
                    )
                self.i = end + 2
            elif char == "`" and self.match(r"`\r?\n"):
                self.i = self.text.index("\n", self.i) + 1
            else:
                return

    # Strings

    def string(self) -> Node:
        return self._single_quoted() if self.peek() in SINGLE_QUOTES else self._double_quoted()

    def _single_quoted(self) -> Literal:
        start, out = self.i, ""
        self.i += 1
        while not self.at_end():
            char = self.text[self.i]
            self.i += 1
            if char in SINGLE_QUOTES:
                following = self.peek()
                if not following or following not in SINGLE_QUOTES:
                    return Literal(start, out)
                char = following
                self.i += 1
            out += char
        raise ParseError("The string is missing the terminator: '.", start, "TerminatorExpectedAtEndOfString")

    def _double_quoted(self) -> Node:
        start = self.i
        parts: list[str | Node] = []
        self.i += 1
        while not self.at_end():
            char = self.text[self.i]
            if char in DOUBLE_QUOTES:
                self.i += 1
                following = self.peek()
                if not following or following not in DOUBLE_QUOTES:
                    return self.expandable(start, parts)
                parts.append(following)
                self.i += 1
            else:
                parts.append(self.expandable_piece())
        raise ParseError('The string is missing the terminator: ".', start, "TerminatorExpectedAtEndOfString")

    def expandable_piece(self) -> str | Node:
        """One character, one escape, one variable or one `$( … )` of an expandable string."""
        start, char = self.i, self.text[self.i]
        self.i += 1
        if char == "`":
            escaped = self.peek()
            self.i += 1
            return _ESCAPES.get(escaped, escaped)
        if char != "$":
            return char
        following = self.peek()
        if following == "(":
            return self.sub_expression(start)
        if following and (is_word(following) or following in "{?^$"):
            self.i = start
            return self.variable()
        return char

    def sub_expression(self, start: int) -> SubExpression:
        self.expect("(")
        body = self.block_body(")")
        self.expect(")", "Missing closing ')' in subexpression.", start)
        return SubExpression(start, body)

    @staticmethod
    def expandable(start: int, parts: list[str | Node]) -> Node:
        if all(isinstance(part, str) for part in parts):
            return Literal(start, "".join(part for part in parts if isinstance(part, str)))
        return Expandable(start, tuple(parts))

    # Variables and numbers

    def variable(self) -> Variable:
        start = self.i
        self.expect("$")
        if self.peek() == "{":
            end = self.text.find("}", self.i)
            if end < 0:
                raise ParseError("The braced variable name is missing its '}'.", start, "MissingEndCurlyBrace")
            name = self.text[self.i + 1 : end]
            self.i = end + 1
        elif self.peek() in ("?", "^", "$"):
            name = self.peek()
            self.i += 1
        else:
            name = self.take_word()
            if name and self.peek() == ":" and self.peek(1) != ":":
                self.i += 1
                name += ":" + self.take_word()
                if name.endswith(":"):
                    message = (
                        "Variable reference is not valid. ':' was not followed by a valid variable name character."
                    )
                    raise ParseError(message, start, "InvalidVariableReferenceWithDrive")
        if not name:
            raise self.unexpected()
        scope, _, rest = name.rpartition(":")
        if scope.lower() not in ("", "env", "global", "script", "local", "private"):
            raise Unsupported(f"the variable scope '{scope}:'")
        return Variable(start, rest, scope.lower())

    def number(self) -> Literal | None:
        match = _NUMBER.match(self.text, self.i)
        if match is None:
            return None
        start = self.i
        self.i = match.end()
        digits = match[1]
        value: int | float
        if digits.lower().startswith("0x"):
            value = int(digits, 16)
        else:
            value = float(digits) if any(c in digits for c in ".eE") else int(digits)
        return Literal(start, value * _UNITS[(match[3] or "").lower()])
