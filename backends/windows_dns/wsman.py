"""One conversation with WinRM: open a shell, run one script, close the shell. Blocking; runs on a thread of its own.

A client that has done this once is still logged in, and its connection is used again by the next conversation.
"""

import contextlib
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from requests import Session
from requests.exceptions import ConnectTimeout, RequestException, SSLError, Timeout, TooManyRedirects
from spnego.exceptions import SpnegoError
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)
from winrm.protocol import Protocol

from backends.windows_dns.faults import TIMED_OUT, Failure, shell_fault
from backends.windows_dns.line import Line
from backends.windows_dns.login import (
    CREDSSP_VERSION,
    certificate_refused,
    check_certificate,
    explain_login,
    require_credssp,
)
from backends.windows_dns.settings import IDLE_TIMEOUT_S, WindowsDnsSettings
from backends.windows_dns.tickets import Tickets
from bot.model.wording import tr

log = logging.getLogger(__name__)
for library in ("spnego", "requests_credssp", "requests_ntlm"):
    # With DEBUG they log the tokens of a login, which somebody could use who reads the log in time.
    logging.getLogger(library).setLevel(logging.WARNING)

UTF8_CODE_PAGE = 65001
MAX_OUTPUT = 1024 * 1024  # bytes of both streams together
LONGEST_WAIT_S = 10  # for the next output, before the server says that there is none yet
CLEANUP_S = 5.0  # kept for, and given to, leaving the server as it was found
MAX_RECEIVES = 1000  # a server that answers "nothing yet" at once must not be asked for ever


class Phase(IntEnum):
    """How far a conversation has come: what may have happened on the server."""

    NOTHING_SENT = 0  # logging in and opening a shell changes nothing
    SENT = 1
    STARTED = 2


@dataclass(frozen=True, slots=True)
class Output:
    """What the script printed, and the exit code of its process."""

    stdout: bytes
    exit_code: int


class Conversation:
    """Runs one command. `phase`, `output` and `stopped` may be read from another thread once the line is cut.

    `stopped`: after a failure, the server has confirmed that the shell is gone, and the process with it.
    """

    def __init__(
        self,
        settings: WindowsDnsSettings,
        line: Line,
        tickets: Tickets,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._line = line
        self._tickets = tickets
        self._program = program
        self._arguments = arguments
        self._environment = dict(environment)
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
            return explain(error, self._settings, self.phase)
        finally:
            if self._line.client is None or not self._line.rest():
                self._line.close()

    def _exchange(self) -> Output:
        protocol, shell = self._opened()
        try:
            try:
                self.phase = Phase.SENT
                command = protocol.run_command(shell, self._program, self._arguments)
                self.phase = Phase.STARTED
                self.output = self._receive(protocol, shell, command)
            except Exception:
                self._abandon(shell)
                raise
            # The result is there: what goes wrong now costs a shell until its idle time-out, nothing else.
            self._line.shorten(CLEANUP_S)
            with contextlib.suppress(Exception):
                protocol.cleanup_command(shell, command)
            with contextlib.suppress(Exception):
                protocol.close_shell(shell, close_session=False)
                self._line.client = protocol
            return self.output
        finally:
            if self._line.client is None:
                protocol.transport.close_session()

    def _opened(self) -> tuple[Protocol, str]:
        """A client and a new shell of its own."""
        rested, self._line.client = self._line.client, None
        if rested is not None:
            try:
                return rested, self._open(rested)
            except Exception as error:
                rested.transport.close_session()
                if not isinstance(error, RequestException) or isinstance(error, Timeout):
                    raise
            # The connection ended while nobody used it; to open a shell changes nothing, so that it may be done again.
            self._line.start_over()
        protocol = log_in(self._settings, self._line, self._tickets)
        try:
            return protocol, self._open(protocol)
        except Exception:
            protocol.transport.close_session()
            raise

    def _open(self, protocol: Protocol) -> str:
        protocol.operation_timeout_sec = LONGEST_WAIT_S
        shell: str = protocol.open_shell(
            codepage=UTF8_CODE_PAGE, idle_timeout=f"PT{IDLE_TIMEOUT_S}S", env_vars=self._environment
        )
        return shell

    def _receive(self, protocol: Protocol, shell: str, command: str) -> Output:
        stdout, size = bytearray(), 0
        # What is left at the end is for telling the server to stop the command.
        reserve = min(CLEANUP_S, self._allowance / 4)
        for _ in range(MAX_RECEIVES):
            patience = int(self._line.remaining() - reserve)
            if patience < 1:
                raise TimeoutError
            protocol.operation_timeout_sec = min(patience, LONGEST_WAIT_S)
            try:
                out, err, exit_code, done = protocol.get_command_output_raw(shell, command)
            except WinRMOperationTimeoutError:
                continue  # nothing printed yet
            stdout += out
            size += len(out) + len(err)
            if err:
                log.debug("%s wrote to stderr: %r", self._settings.endpoint, err[:400])
            if size > MAX_OUTPUT:
                raise ValueError(tr("more output than any script of ours prints"))
            if done:
                return Output(bytes(stdout), exit_code)
        raise TimeoutError

    def _abandon(self, shell: str) -> None:
        """End the command by closing its shell, over a new connection: the old one may be what failed."""
        self._line.start_over()
        with contextlib.suppress(Exception):
            protocol = log_in(self._settings, self._line, self._tickets)
            try:
                protocol.close_shell(shell)
            finally:
                protocol.transport.close_session()
            self.stopped = True


def log_in(settings: WindowsDnsSettings, line: Line, tickets: Tickets) -> Protocol:
    """A new client. Nothing is sent yet, unless messages are to be encrypted: that begins with a handshake. Its session
    is to be closed."""
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise FileNotFoundError(f"`ca_file` {settings.ca_file}")
    if settings.transport == "certificate":
        check_certificate(settings)
    if settings.transport == "credssp":
        require_credssp()
    assert settings.transport != "jea"  # another conversation's
    protocol = Protocol(
        endpoint=settings.endpoint,
        transport=settings.transport,
        # None is documented, and means: nothing but the certificate authorities that `requests` brings along.
        ca_trust_path=None if settings.ca_file is None else str(settings.ca_file),  # type: ignore[arg-type]
        server_cert_validation="ignore" if settings.insecure_accept_any_certificate else "validate",
        cert_pem=None if settings.certificate_file is None else str(settings.certificate_file),
        cert_key_pem=None if settings.certificate_key_file is None else str(settings.certificate_key_file),
        operation_timeout_sec=LONGEST_WAIT_S,
        read_timeout_sec=LONGEST_WAIT_S + 5,  # or whatever the line has left
        message_encryption="never",  # set up below, once the line carries the session
        proxy=None,
        **_credentials(settings),
    )
    try:
        session = _session(settings, protocol, tickets)
        session.trust_env = False  # no proxy, no .netrc
        session.max_redirects = 0  # nobody sends our credentials elsewhere
        line.mount(session, _newest_tls(settings))
        if settings.encrypts_messages:
            protocol.transport.setup_encryption(session)
    except Exception:
        protocol.transport.close_session()
        raise
    return protocol


def _session(settings: WindowsDnsSettings, protocol: Protocol, tickets: Tickets) -> Session:
    """The session of pywinrm, or one with a login that pywinrm has not got."""
    transport = protocol.transport
    if settings.transport != "kerberos":
        transport.credssp_minimum_version = CREDSSP_VERSION
        # A name of the form DOMAIN\\name is none that Kerberos, which comes first otherwise, could use.
        transport.credssp_auth_mechanism = "auto" if "@" in settings.user else "ntlm"
        return transport.build_session()
    session = transport.session = Session()
    session.headers.update(transport.default_headers)
    session.verify = trust(settings)
    session.auth = tickets.login(seals=settings.encrypts_messages)
    return session


def trust(settings: WindowsDnsSettings) -> bool | str:
    """`verify` of a session: whose certificates are believed."""
    if settings.insecure_accept_any_certificate:
        return False
    return True if settings.ca_file is None else str(settings.ca_file)


def _newest_tls(settings: WindowsDnsSettings) -> ssl.TLSVersion:
    # Windows asks for the client certificate only after the handshake, which clients like this one do not offer in
    # TLS 1.3 (ansible/ansible#79434).
    if settings.transport == "certificate":
        return ssl.TLSVersion.TLSv1_2
    return ssl.TLSVersion.MAXIMUM_SUPPORTED


def _credentials(settings: WindowsDnsSettings) -> dict[str, Any]:
    password = None if settings.password is None else settings.password.get_secret_value()
    if settings.transport == "basic" and password is not None:
        # As bytes, because `requests` would encode text as Latin-1 and fail on anything else.
        return {"username": settings.user.encode(), "password": password.encode()}
    return {"username": settings.user or None, "password": password}


def explain(error: Exception, settings: WindowsDnsSettings, phase: Phase) -> Failure:
    """Sort what pywinrm and the libraries below it raise; a server's own text is never passed on.

    Once something was sent, what breaks in the libraries of a login may have been the answer to it: that is no refusal.
    """
    if phase is Phase.NOTHING_SENT:
        if settings.transport == "certificate" and _about_certificate(error):
            return certificate_refused(settings)
        login = explain_login(error)
        if login is not None:
            return login
    return _explain_call(error)


def _about_certificate(error: Exception) -> bool:
    if isinstance(error, WinRMTransportError):
        return error.code == 403
    if isinstance(error, SSLError):
        # It complains, or hangs up in the middle of the handshake; we do not complain of its own certificate.
        return any(sign in str(error).lower() for sign in ("alert", "eof"))
    return isinstance(error, InvalidCredentialsError)


def _explain_call(error: Exception) -> Failure:
    match error:
        case InvalidCredentialsError():
            return Failure(
                tr(
                    "WinRM did not accept the login; check `user`, `password` and `transport`, and "
                    "whether the server allows that transport"
                ),
                passing=False,
                refused=True,
                login=True,
            )
        case WSManFaultError():
            return _explain_fault(error)
        case WinRMOperationTimeoutError():
            return Failure(tr("WinRM gave up waiting for itself (WSManFault {code})", code=TIMED_OUT), passing=True)
        case WinRMTransportError():
            return explain_status(error.code)
        case WinRMError():
            return Failure(tr("pywinrm cannot use these settings"), passing=False, refused=True)
        case FileNotFoundError():
            return Failure(tr("{error} does not exist", error=error), passing=False, refused=True)
        case PermissionError():
            return Failure(tr("WinRM offers no login that `transport` could use"), passing=False, refused=True)
        case TimeoutError():
            return Failure(
                tr("no answer in time, though WinRM took the question; does that server hang?"), passing=True
            )
        case SpnegoError():
            return Failure(tr("the encryption of the conversation broke"), passing=True)
        case TooManyRedirects():
            return Failure(tr("the server redirects us, which WinRM never does; check `endpoint`"), passing=False)
        case RequestException() | HTTPError() | OSError():
            return _explain_network(error)
        case _:
            # StopIteration, AttributeError, AssertionError, ParseError …: the answer was not WS-Management.
            return Failure(tr("the answer was not WS-Management ({name})", name=type(error).__name__), passing=True)


def _explain_fault(error: WSManFaultError) -> Failure:
    known = shell_fault(error.wsman_fault_code) or shell_fault(error.wmierror_code)
    code = error.wsman_fault_code if error.wsman_fault_code is not None else error.wmierror_code
    if known is not None:
        return Failure(tr("{text} (WSManFault {code})", text=known.said, code=code), known.passing, known.refused)
    return Failure(tr("WinRM reports a fault that k8snet does not know (WSManFault {code})", code=code), passing=True)


def explain_status(status: int | None) -> Failure:
    """What an HTTP status without a SOAP fault means."""
    if status == 404:
        return Failure(tr("no WinRM listener has that path (HTTP 404); check `endpoint`"), passing=False, refused=True)
    if status == 403:
        return Failure(tr("the server forbids the request (HTTP 403)"), passing=False, refused=True)
    return Failure(f"WinRM answered HTTP {status}", passing=True, refused=400 <= (status or 0) < 500)


def _explain_network(error: Exception) -> Failure:
    if isinstance(error, SSLError):
        return Failure(
            tr("the TLS handshake failed; is the certificate for this host name, and `ca_file` its authority?"),
            passing=True,
        )
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(error, ConnectTimeout) or isinstance(reason, NewConnectionError):
        return Failure(tr("no connection; is the server up, and does a firewall stand between?"), passing=True)
    return Failure(tr("the connection broke, or stayed silent too long"), passing=True)
