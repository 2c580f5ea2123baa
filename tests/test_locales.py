"""Every text that people read is in every catalogue, with the same values in it."""

import ast
from itertools import chain
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from bot.locales import FOLDER, catalogue
from bot.model.diagnosis import HopName
from bot.model.journal import AnyEntry
from bot.model.operation import State
from bot.model.picture import Severity
from bot.model.probes import ConnectOutcome, DnsOutcome
from bot.model.resources import Kind
from bot.model.wording import Catalogue, speaking, spoken, tr, tr_n
from bot.model.words import WORDS
from handlers.text import aligned

ROOT = Path(__file__).parent.parent
KEYWORDS = {"tr": None, "tr_n": (1, 2), "marked": None, "label": None}
Counted = tuple[str, ...]


def said_by_the_program() -> set[Counted]:
    found: set[Counted] = set()
    for folder in ("bot", "handlers", "backends"):
        for _, _, text, _, _ in extract_from_dir(ROOT / folder, [("**.py", "python")], keywords=KEYWORDS):
            found.add(text if isinstance(text, tuple) else (text,))
    return found


def entries(file: str) -> dict[Counted, Counted]:
    """Every entry of a catalogue, with its translations; marks of doubt are an error."""
    with (FOLDER / file).open("rb") as opened:
        messages = [message for message in read_po(opened, locale="zh_Hans_CN") if message.id]
    assert not [message.id for message in messages if message.fuzzy]
    as_tuple = lambda text: tuple(text) if isinstance(text, tuple | list) else (text,)  # noqa: E731  # two uses, one line
    return {as_tuple(message.id): as_tuple(message.string) for message in messages}


def names(text: str) -> set[str | None]:
    """The values that a template shows, as `{count}` or `{share:.0%}`."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("file", ["k8snet.pot", "zh-CN.po"])
def test_a_catalogue_holds_what_the_program_says_and_nothing_else(file: str) -> None:
    said, held = said_by_the_program(), set(entries(file))
    assert not said - held, "run `make texts`, then translate what is new"
    assert not held - said, "run `make texts`: nobody says this any more"


def test_no_text_hides_from_whoever_collects_them() -> None:
    """Before Python 3.12 nobody looks into an f-string."""
    known = set(chain.from_iterable(entries("k8snet.pot")))
    for path in chain.from_iterable((ROOT / folder).rglob("*.py") for folder in ("bot", "handlers", "backends")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in KEYWORDS:
                first = call.args[0]
                assert not isinstance(first, ast.Constant) or first.value in known, f"{path}:{call.lineno}"


def test_nothing_is_left_untranslated_and_no_value_is_lost() -> None:
    for english, chinese in entries("zh-CN.po").items():
        assert all(chinese), f"not translated: {english[0]}"
        shown = set(chain.from_iterable(names(text) for text in english))
        assert all(names(text) == shown for text in chinese), f"other values than in: {english[0]}"


def test_the_language_in_force_speaks_and_ends() -> None:
    chinese = catalogue("zh-CN")
    with speaking(chinese):
        assert (spoken(), tr("Plan: waits for a yes")) == ("zh-CN", "计划：等待确认")
        assert "3" in tr_n("Done: {count} step applied and proven", "Done: {count} steps applied and proven", 3)
    assert (spoken(), tr("Plan: waits for a yes")) == ("en", "Plan: waits for a yes")


def test_english_counts_and_braces_without_values_stay() -> None:
    assert [tr_n("{count} step", "{count} steps", count) for count in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]
    assert tr("write {env: NAME}") == "write {env: NAME}"
    with speaking(Catalogue(locale="zh-CN")):
        assert tr("of no catalogue") == "of no catalogue"


def test_every_code_that_people_see_as_a_word_has_one() -> None:
    kinds = {entry.model_fields["kind"].default for entry in get_args(AnyEntry)}
    codes = {code for words in (HopName, State, Severity, Kind, DnsOutcome, ConnectOutcome) for code in get_args(words)}
    assert not (kinds | codes) - set(WORDS)


def test_columns_are_aligned_by_the_places_that_characters_take() -> None:
    assert aligned(["abcd", "命名", "一x"]) == ["abcd", "命名", "一x "]
