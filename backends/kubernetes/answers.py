"""What is asked of an API server, and the answers that are no yes."""

from typing import NamedTuple

from bot.model.errors import Rejected


class Read(NamedTuple):
    """One thing to ask: its path below the server's address, and the right it needs, in words for people."""

    path: str
    right: str


class Absent(Exception):
    """404: the cluster has no such object or is too old to have such a kind."""


class Expired(Exception):
    """410: the server has forgotten the state that a list was being read from."""


class Refused(Rejected):
    """401 or 403. `credentials` is true when the account itself was not accepted."""

    def __init__(self, system: str, problem: str, *, credentials: bool) -> None:
        super().__init__(system, problem)
        self.credentials = credentials
