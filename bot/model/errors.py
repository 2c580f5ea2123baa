"""Errors, sorted by what the caller can do next."""


class BotError(Exception):
    """Every error that k8snet raises on purpose. The text is for people and holds no secret."""


class UserError(BotError):
    """Shown to the person as written: what, where, and what to do next."""


class ConfigurationError(BotError):
    """The configuration cannot be used; the text lists every problem with its path in app.yaml."""


class BrokenJournal(BotError):
    """The journal was changed, reordered or cut by somebody: nothing may be decided on it."""


class BackendError(BotError):
    """Something outside the process failed. `system` is the name from app.yaml, as people know it."""

    def __init__(self, system: str, problem: str) -> None:
        super().__init__(f"{system}: {problem}")
        self.system = system
        self.problem = problem


class Unreachable(BackendError):
    """Nothing was sent, or a read got no answer: it may be tried again, after `retry_after_s` if the system said so."""

    def __init__(self, system: str, problem: str, retry_after_s: float | None = None) -> None:
        super().__init__(system, problem)
        self.retry_after_s = retry_after_s


class Rejected(BackendError):
    """The system understood and said no: say why; trying again will not help."""


class OutcomeUnknown(BackendError):
    """A write was sent and no answer came: read before anything else."""
