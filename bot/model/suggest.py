"""Did you mean …?"""

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(typed: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known word, with a leading space; empty when nothing is near."""
    near = get_close_matches(typed, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""
