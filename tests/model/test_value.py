"""The canonical form, on which every digest rests."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.value import canonical, digest

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5), plain))
def test_the_order_of_keys_does_not_matter(data: dict[str, object]) -> None:
    assert canonical(data) == canonical(dict(reversed(data.items())))


def test_composed_and_decomposed_letters_are_one() -> None:
    assert digest("caf\u00e9") == digest("cafe\u0301")


def composed(data: object) -> object:
    match data:
        case str():
            return unicodedata.normalize("NFC", data)
        case dict():
            return {composed(key): composed(item) for key, item in data.items()}
        case list():
            return [composed(item) for item in data]
    return data


@given(st.dictionaries(st.text(max_size=5), plain))
def test_every_text_within_is_composed(data: dict[str, object]) -> None:
    assert json.loads(canonical(data)) == composed(data)


@pytest.mark.parametrize("text", ["\n\u0301", "\u0301", "<\u0338", 'e"\u0301', "a,1.5", "[1e5", "12:45:08.5", "NaN"])
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    assert json.loads(canonical({text: [text, 1]})) == composed({text: [text, 1]})


numbers = st.floats() | st.sampled_from([1.0, -0.0, 1e300, 1.5e-7])


@given(st.recursive(numbers, lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(), inner, min_size=1)))
def test_a_float_has_no_canonical_form_wherever_it_stands(data: object) -> None:
    for place in (data, ["x", {"y": data}], {'":': [1, data]}):
        with pytest.raises(ValueError, match="no canonical form"):
            canonical(place)


def test_nothing_but_json_has_a_canonical_form() -> None:
    with pytest.raises(TypeError, match="a set has no canonical form"):
        canonical([{1}])
