"""What a person is told when a device could not do what was asked."""

import pytest

from bot.model.errors import BackendError, BotError, Unreachable, UserError
from handlers.obeying import sentence
from handlers.views.answers import sentence_view


def test_people_in_it_have_names() -> None:
    text, _ = sentence_view("Already confirmed by T0LAB0001/U0ADA00001; see #C0NETOPS01.")
    assert text == "Already confirmed by <@U0ADA00001>; see <#C0NETOPS01>."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unreachable("dc1", "no answer"), "dc1: no answer. Nothing was changed."),
        (BackendError("fw", "is this a FortiGate?"), "fw: is this a FortiGate? Nothing was changed."),
        (UserError("There is no office berlin."), "There is no office berlin."),
    ],
)
def test_it_ends_as_a_sentence_does(error: BotError, said: str) -> None:
    assert sentence(error) == said
