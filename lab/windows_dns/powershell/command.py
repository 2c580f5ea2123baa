"""What a cmdlet is, and what it sees of the interpreter while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .binding import Parameter, Signature, with_common
from .errors import ErrorRecord

if TYPE_CHECKING:
    from .interpreter import Interpreter


@dataclass(frozen=True)
class Cmdlet:
    """`run(invocation)` is awaited once per call, or once per pipeline object when `per_object` is set.

    `module_function`: a function of a script or CDXML module. Those do not see the preference variables of a calling
    function, only the global ones.
    """

    name: str
    run: Callable[[Invocation], Awaitable[None]]
    signature: Signature
    module: str = "Microsoft.PowerShell.Utility"
    module_function: bool = False
    per_object: bool = False


@dataclass
class Invocation:
    """One running cmdlet. `args` holds converted values by parameter name; `input` the objects of the pipeline."""

    interp: Interpreter
    cmdlet: Cmdlet
    args: dict[str, Any]
    input: list[Any] | None
    emit: Callable[[Any], None]
    action: str
    set_name: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.args.get(name)

    def error(self, record: ErrorRecord) -> None:
        """A non-terminating error: what happens next is for -ErrorAction and the preference to say."""
        self.interp.non_terminating(record, self.action)


def cmdlet(
    name: str,
    run: Callable[[Invocation], Awaitable[None]],
    *parameters: Parameter,
    sets: Sequence[str] = (),
    default_set: str | None = None,
    module: str = "Microsoft.PowerShell.Utility",
    module_function: bool = False,
    per_object: bool = False,
    should_process: bool = False,
) -> Cmdlet:
    """A cmdlet with the common parameters added."""
    signature = Signature(name, with_common(parameters, should_process), tuple(sets), default_set)
    return Cmdlet(name, run, signature, module, module_function, per_object)
