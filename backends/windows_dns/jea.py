"""One conversation with a JEA endpoint over PowerShell remoting: open a runspace, call one function, close it.

Blocking; runs on a thread of its own. The endpoint knows functions only, one per operation, and no language: what a
function is about travels as typed parameters. `deploy/windows` has the other side.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import TaggedValue
from pypsrp.wsman import WSMan

from backends.windows_dns.faults import ACCESS_DENIED, NO_SUCH_RESOURCE, TIMED_OUT, Failure, shell_fault
from backends.windows_dns.line import Line
from backends.windows_dns.scripts import Operation
from backends.windows_dns.settings import IDLE_TIMEOUT_S, WindowsDnsSettings
from backends.windows_dns.tickets import Tickets
from backends.windows_dns.wsman import (
    CLEANUP_S,
    LONGEST_WAIT_S,
    MAX_OUTPUT,
    MAX_RECEIVES,
    Output,
    Phase,
    explain,
    explain_status,
    trust,
)
from bot.model.wording import marked, tr

log = logging.getLogger(__name__)
# It logs the traceback of everything that is explained here.
logging.getLogger("pypsrp").setLevel(logging.CRITICAL)

FUNCTIONS: Mapping[Operation, str] = {
    "cache.clear": "Clear-K8snetCache",
    "clock.read": "Get-K8snetClock",
    "facts.read": "Get-K8snetServer",
    "forwarder.read": "Get-K8snetForwarder",
    "forwarder.write": "Set-K8snetForwarder",
}
# Error ids of a call that never came to run.
_NOT_CALLED = {
    "CommandNotFoundException": marked("the endpoint has no such function; install deploy/windows there again"),
    "ParameterArgumentValidationError": marked("the endpoint's role does not allow this; see `Zone` in its .psrc file"),
    "NamedParameterNotFound": marked(
        "the endpoint's functions are of another version; install deploy/windows there again"
    ),
}


class JeaConversation:
    """Calls one function; for the rest as `wsman.Conversation`."""

    def __init__(
        self,
        settings: WindowsDnsSettings,
        line: Line,
        tickets: Tickets,
        operation: Operation,
        data: Mapping[str, Any],
    ) -> None:
        self._settings = settings
        self._line = line
        self._tickets = tickets
        self._function = FUNCTIONS[operation]
        self._parameters = {_parameter(name): _value(value) for name, value in data.items()}
        self._allowance = line.remaining()
        self.phase = Phase.NOTHING_SENT
        self.output: Output | None = None
        self.stopped = False

    def hold(self) -> Output | Failure:
        """Have the conversation. Never raises: an exception may carry the request, and so the password."""
        try:
            return self._exchange()
        except Exception as error:
            log.debug("conversation with %s failed: %s", self._settings.endpoint, type(error).__name__)
            if self.phase is Phase.NOTHING_SENT and not isinstance(error, OSError):  # OSError: of the network
                self._tickets.forget()
            return _explain(error, self._settings, self.phase)
        finally:
            self._line.close()

    def _exchange(self) -> Output | Failure:
        with _connected(self._settings, self._line, self._tickets) as wsman:
            pool = RunspacePool(
                wsman, configuration_name=self._settings.configuration_name, idle_timeout=IDLE_TIMEOUT_S
            )
            pool.open()
            try:
                call = PowerShell(pool)
                call.add_cmdlet(self._function).add_parameters(self._parameters)
                self.phase = Phase.SENT
                call.begin_invoke()
                self.phase = Phase.STARTED
                result = self._receive(call)
            except Exception:
                self._abandon(pool)
                raise
            if isinstance(result, Output):
                self.output = result
            else:
                self.stopped = True  # the call has ended, with an error
            # What goes wrong now costs a runspace until its idle time-out, nothing else.
            self._line.shorten(CLEANUP_S)
            with contextlib.suppress(Exception):
                pool.close()
            return result

    def _receive(self, call: PowerShell) -> Output | Failure:
        # What is left at the end is for telling the server to stop the call.
        reserve = min(CLEANUP_S, self._allowance / 4)
        for _ in range(MAX_RECEIVES):
            patience = int(self._line.remaining() - reserve)
            if patience < 1:
                raise TimeoutError
            call.poll_invoke(timeout=min(patience, LONGEST_WAIT_S))
            if sum(len(str(part)) for part in call.output) > MAX_OUTPUT:
                raise ValueError(tr("more output than any function of ours returns"))
            if call.state != PSInvocationState.RUNNING:
                return self._result(call)
        raise TimeoutError

    def _result(self, call: PowerShell) -> Output | Failure:
        if call.output:
            return Output("".join(str(part) for part in call.output).encode(), 0)
        ids = [str(record.fq_error) for record in call.streams.error]
        for error_id, text in _NOT_CALLED.items():
            if ids and ids[0].startswith(error_id):
                # It says so before anything of the function has run, so the phase is put back.
                self.phase = Phase.SENT
                return Failure(f"{tr(text)} ({self._function})", passing=False, refused=True)
        said = ascii(ids[0][:120])[1:-1] if ids else tr("and said nothing")
        return Failure(tr("{function} ended with an error ({said})", function=self._function, said=said), passing=True)

    def _abandon(self, pool: RunspacePool) -> None:
        """End the call by closing its runspace, over a new connection: the old one may be what failed."""
        with contextlib.suppress(Exception), _connected(self._settings, self._line, self._tickets) as fresh:
            pool.shell.wsman = fresh
            pool.close()
            self.stopped = True


@contextlib.contextmanager
def _connected(settings: WindowsDnsSettings, line: Line, tickets: Tickets) -> Iterator[WSMan]:
    """A client of its own. Nothing is sent yet."""
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise FileNotFoundError(f"`ca_file` {settings.ca_file}")
    own = tickets.login(seals=settings.encrypts_messages) if settings.jea_login == "kerberos" else None
    url = urlsplit(settings.endpoint)
    password = None if settings.password is None else settings.password.get_secret_value()
    wsman = WSMan(
        url.hostname or "",
        port=url.port,
        ssl=settings.tls,
        path=url.path.strip("/"),
        username=settings.user or None,
        password=password,
        auth=settings.jea_login,
        encryption="always" if settings.encrypts_messages else "never",
        operation_timeout=LONGEST_WAIT_S,
        read_timeout=LONGEST_WAIT_S + 5,  # or whatever the line has left
        no_proxy=True,
    )
    try:
        session = wsman.transport._build_session()
        session.trust_env = False  # no proxy, no .netrc, no authorities but the configured ones
        session.max_redirects = 0  # nobody sends our credentials elsewhere
        session.verify = trust(settings)
        if own is not None:
            session.auth = own
        line.mount(session)
        wsman.transport.session = session
        yield wsman
    finally:
        wsman.transport.close()


def _parameter(name: str) -> str:
    """`not_after` is `-NotAfter` there."""
    return "".join(part.capitalize() for part in name.split("_"))


def _value(value: Any) -> Any:
    """Numbers travel as 32 bits unless said otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 31:
        return TaggedValue("I64", value)
    return value


def _explain(error: Exception, settings: WindowsDnsSettings, phase: Phase) -> Failure:
    """Sort what pypsrp raises; for the libraries below it see `explain`."""
    match error:
        case AuthenticationError():
            return Failure(
                tr(
                    "WinRM did not accept the login; check `user`, `password` and `jea_login`, and "
                    "whether the server allows that login"
                ),
                passing=False,
                refused=True,
                login=True,
            )
        case WSManFaultError():
            return _explain_fault(error.code)
        case WinRMTransportError():
            return explain_status(error.code)
        case WinRMError():
            return Failure(
                tr("the answer was not PowerShell remoting ({name})", name=type(error).__name__), passing=True
            )
        case _:
            return explain(error, settings, phase)


def _explain_fault(code: int | None) -> Failure:
    if code == ACCESS_DENIED:
        text = tr(
            "the account may not enter the endpoint; name it in RoleDefinitions of the .pssc file and register again"
        )
        return Failure(tr("{text} (WSManFault {code})", text=text, code=code), passing=False, refused=True)
    if code == NO_SUCH_RESOURCE:
        text = tr("there is no endpoint `configuration_name` on that server; run Register-K8snetDns.ps1 there")
        return Failure(tr("{text} (WSManFault {code})", text=text, code=code), passing=False, refused=True)
    if code == TIMED_OUT:
        return Failure(tr("WinRM gave up waiting for itself (WSManFault {code})", code=code), passing=True)
    known = shell_fault(code)
    if known is not None:
        return Failure(tr("{text} (WSManFault {code})", text=known.said, code=code), known.passing, known.refused)
    return Failure(tr("WinRM reports a fault that k8snet does not know (WSManFault {code})", code=code), passing=True)
