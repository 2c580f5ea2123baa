"""Time that passes only when a test says so."""


class ManualClock:
    """A monotonic clock; sleeping takes no time but moves the clock."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
