"""What is done again and again for as long as the bot lives must not end with the first thing that goes wrong."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bot.engine.ports import Env
from bot.model.errors import BotError
from bot.model.wording import tr

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


def wrong_inside(env: Env) -> str:
    """What people are told about the exception that is being handled: a number that is also in the log."""
    number = env.new_id()
    log.exception("error %s", number)
    return tr("Something went wrong inside k8snet; the log has it as error {number}.", number=number)
