"""What is done again and again for as long as the bot lives must not end with the first thing that goes wrong."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bot.model.errors import BotError

log = logging.getLogger(__name__)


@contextmanager
def going_on(what: str, level: int = logging.WARNING) -> Iterator[None]:
    """Around one turn of an endless loop: what goes wrong in it is logged as `what`, and the loop goes on.

    What the world does to us is one line of that level, a mistake of ours an error with its traceback.
    """
    try:
        yield
    except BotError as error:
        log.log(level, "%s: %s", what, error)
    except Exception:
        log.exception("%s", what)
