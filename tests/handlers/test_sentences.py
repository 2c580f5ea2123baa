"""What a person is told when a device could not do what was asked."""

import pytest

from bot.model.errors import BackendError, BotError, Unreachable, UserError
from handlers.obeying import sentence


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
