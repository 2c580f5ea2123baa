"""The canonical form, on which every digest rests."""

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


def test_a_float_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        canonical({"seconds": 1.5})
