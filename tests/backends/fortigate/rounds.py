"""How many round trips deep something is, whatever the speed of the machine."""

import asyncio
from collections.abc import Callable, Sequence


class Rounds:
    """Lets requests be answered only in rounds of these sizes: all of one round must have arrived before the first of
    them is answered. What needs more rounds than that waits until its own time limit; one request too many fails.
    """

    def __init__(self, sizes: Sequence[int] | None = None) -> None:
        """Without sizes every request is answered at once, until there are some."""
        self.left = sizes if sizes is None else list(sizes)
        self.whole: Callable[[], object] = lambda: None  # called when a round is whole
        self._arrived = 0
        self._whole = asyncio.Event()

    async def complete(self) -> None:
        """Wait until the round of this request is whole."""
        if self.left is None:
            return
        whole = self._whole
        self._arrived += 1
        if self._arrived == self.left[0]:
            self.left.pop(0)
            self._arrived, self._whole = 0, asyncio.Event()
            whole.set()
            self.whole()
        await whole.wait()
