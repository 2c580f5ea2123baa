"""Which characters PowerShell's tokenizer treats alike (PowerShell/PowerShell, engine/parser/CharTraits.cs).

Five characters open and close a single-quoted string and four a double-quoted one. A typographic quotation mark inside
a literal therefore ends it, and what follows is code.
"""

SINGLE_QUOTES = "'‘’‚‛"
DOUBLE_QUOTES = '"“”„'
DASHES = "-–—―"
BLANKS = " \t\v\f\u00a0\u0085"


def is_word(char: str) -> bool:
    """Whether the character may stand in a variable or member name."""
    return char.isalnum() or char == "_"
