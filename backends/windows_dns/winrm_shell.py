"""The one place where the blocking WinRM client meets asyncio."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from backends.windows_dns import scripts
from backends.windows_dns.faults import Failure
from backends.windows_dns.settings import WindowsDnsSettings
from backends.windows_dns.tickets import Tickets
from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.wording import tr

if TYPE_CHECKING:
    from backends.windows_dns.jea import JeaConversation
    from backends.windows_dns.line import Line, Resting
    from backends.windows_dns.wsman import Conversation, Output

CONVERSATIONS = 2  # at a time; each has a client of its own, and the server counts the shells of an account


class StillRunning(OutcomeUnknown):
    """The outcome is unknown, and the server has not confirmed that the process ended: it may go on until its shell
    has been idle for `settings.IDLE_TIMEOUT_S`."""


class LoginRefused(Rejected):
    """The password was refused: more tries may lock the account."""


class Clock(Protocol):
    """The part of the engine's `Env` that this back end needs."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class WinRmShell:
    """Runs programs on one Windows server, CONVERSATIONS at a time. `system` is the server's name in app.yaml."""

    def __init__(self, system: str, settings: WindowsDnsSettings, clock: Clock) -> None:
        self._system = system
        self._settings = settings
        self._clock = clock
        self._tickets = Tickets(settings, clock.monotonic)
        self._resting: Resting | None = None
        self._executor = ThreadPoolExecutor(max_workers=CONVERSATIONS, thread_name_prefix=f"winrm-{system}")

    async def run(
        self,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        timeout_s: float,
        writes: bool,
    ) -> "Output":
        """The output of a program that ran to its end.

        Raises Unreachable or Rejected when it had no effect, OutcomeUnknown when it `writes` and may have had one, or
        StillRunning when it even may have one later. All of it,
        waiting for the thread included, takes at most `timeout_s`; after that, and when cancelled, the connection is
        cut, so that nothing more is sent.
        """
        # Only here and below: the command line starts without `requests`, `winrm` and `pypsrp`.
        from backends.windows_dns.wsman import Conversation

        def begin(line: "Line") -> Conversation:
            return Conversation(self._settings, line, self._tickets, program, arguments, environment)

        return await self._hold(begin, timeout_s, writes)

    async def ask(
        self, operation: scripts.Operation, data: Mapping[str, Any], *, timeout_s: float, writes: bool
    ) -> "Output":
        """The output of one of our operations, by script or, with transport jea, by function. Raises as `run`."""
        if self._settings.transport != "jea":
            environment = {scripts.PARAMETERS: scripts.parameters(data)}
            program, arguments = scripts.PROGRAM, scripts.arguments(operation)
            return await self.run(program, arguments, environment, timeout_s=timeout_s, writes=writes)
        try:
            from backends.windows_dns.jea import JeaConversation
        except ModuleNotFoundError:
            raise Rejected(
                self._system, tr("transport jea needs a library that is not installed: pip install 'k8snet[jea]'")
            ) from None

        def begin(line: "Line") -> JeaConversation:
            return JeaConversation(self._settings, line, self._tickets, operation, data)

        return await self._hold(begin, timeout_s, writes)

    async def _hold(
        self, begin: "Callable[[Line], Conversation | JeaConversation]", timeout_s: float, writes: bool
    ) -> "Output":
        from backends.windows_dns.line import Resting

        if self._resting is None:
            self._resting = Resting(self._clock.monotonic)
        line = self._resting.take(timeout_s)
        conversation = begin(line)
        held = asyncio.get_running_loop().run_in_executor(self._executor, copy_context().run, conversation.hold)
        deadline = asyncio.ensure_future(self._clock.sleep(timeout_s))
        either: set[asyncio.Future[Any]] = {held, deadline}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not line.cut():
                self._resting.put(line)
            deadline.cancel()
            done = held.done()
            held.cancel()  # it may still be waiting for its turn
        late = Failure(
            tr(
                "no result within {timeout_s:g} s{may_wait_for}",
                timeout_s=timeout_s,
                may_wait_for=self._may_wait_for(conversation),
            ),
            passing=True,
        )
        result = held.result() if done else conversation.output or late
        if isinstance(result, Failure):
            raise self._error(result, conversation, writes)
        return result

    def _may_wait_for(self, conversation: "Conversation | JeaConversation") -> str:
        from backends.windows_dns.wsman import Phase

        if self._settings.login != "kerberos" or conversation.phase is not Phase.NOTHING_SENT:
            return ""
        return tr("; it had not logged in yet: do WinRM and the Kerberos servers (KDC, port 88) of the domain answer?")

    def _error(
        self, failure: Failure, conversation: "Conversation | JeaConversation", writes: bool
    ) -> Unreachable | Rejected | OutcomeUnknown:
        from backends.windows_dns.wsman import Phase

        told_no = conversation.phase is Phase.SENT and failure.refused
        if writes and conversation.phase is not Phase.NOTHING_SENT and not told_no:
            unknown = OutcomeUnknown if conversation.stopped else StillRunning
            return unknown(self._system, tr("the write was sent, but {text}", text=failure.said))
        if failure.passing:
            return Unreachable(self._system, failure.said)
        return (LoginRefused if failure.login else Rejected)(self._system, failure.said)

    async def close(self) -> None:
        """Let the thread go. A conversation under way belongs to a call that must be over or cancelled by then."""
        with contextlib.suppress(RuntimeError):  # it has been let go before
            self._executor.submit(self._tickets.close)
        if self._resting is not None:
            self._resting.close()
        self._executor.shutdown(wait=False)
