"""When to leave an account alone. A domain locks one after a few wrong passwords, and with it whoever else uses it."""

import math
from collections.abc import Callable

_TRIES = 2  # in a row: one alone may be a server that is starting
_FIRST_S, _LONGEST_S = 300.0, 900.0  # at most four tries in half an hour: the usual limit is five or ten


class Lockout:
    """Counts refused logins. `monotonic` tells seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._in_a_row = 0
        self._quiet_until = -math.inf
        self.why = ""

    def refused(self, why: str) -> None:
        """From the second one in a row on there is a pause, each time twice as long."""
        self._in_a_row += 1
        self.why = why
        if self._in_a_row >= _TRIES:
            pause_s = min(_FIRST_S * 2.0 ** (self._in_a_row - _TRIES), _LONGEST_S)
            self._quiet_until = self._monotonic() + pause_s

    def accepted(self) -> None:
        self._in_a_row = 0

    def remaining(self) -> float:
        """Seconds for which nothing is to be sent; not positive when something may."""
        return self._quiet_until - self._monotonic()
