"""What a text can mean before anything is looked up: a name, an address, everything; or what is wrong with it."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.model.errors import UserError
from bot.model.names import Asked, asked, namespace


@given(text=st.text())
@example(text="redis.default:" + "9" * 5000)
@example(text="9" * 5000)
@example(text="\udcff.default")
def test_any_text_is_understood_or_refused_in_a_sentence(text: str) -> None:
    for understand in (asked, namespace):
        with contextlib.suppress(UserError):
            understand(text)


@pytest.mark.parametrize("text", [".", "..", " . ", ":80", ".:80"])
def test_what_names_nothing_is_not_everything(text: str) -> None:
    with pytest.raises(UserError, match="is not a service name"):
        asked(text)


def test_nothing_is_everything() -> None:
    assert asked("") == asked("  ") == Asked()
