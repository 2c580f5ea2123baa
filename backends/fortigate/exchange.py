"""How one exchange with the device ends. Apart from `transport`, so that nobody loads an HTTP library for a name."""

from dataclasses import dataclass


class NotSent(Exception):
    """Nothing left this machine. `again` says whether another try at once has a chance."""

    def __init__(self, problem: str, again: bool = False) -> None:
        super().__init__(problem)
        self.again = again


class NoAnswer(Exception):
    """The request left, and no complete answer came: what it did is not known. `again` as in NotSent."""

    def __init__(self, problem: str, again: bool = False) -> None:
        super().__init__(problem)
        self.again = again


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    content_type: str
    retry_after: str
    body: bytes
