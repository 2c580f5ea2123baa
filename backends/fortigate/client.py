"""The FortiOS REST API: bearer token, envelope, errors sorted by what the caller can do next.

A status of 401 is never tried again, and after one nothing is sent for a minute: three refused logins lock out the
address, and with it every other client behind it. For the same reason the first request after a pause goes alone; only
when the token was taken do others run beside it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from pydantic import ValidationError

from backends.fortigate import problems
from backends.fortigate.capabilities import OLDEST, Capabilities
from backends.fortigate.exchange import Answer, NoAnswer, NotSent
from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.urls import MonitorUrl, Query, RowUrl, TableUrl, query_string
from backends.fortigate.wire import ROWS, Envelope, GlobalSettings, VdomSettings, Wire
from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.value import canonical
from bot.model.wording import marked, tr

if TYPE_CHECKING:
    from backends.fortigate.transport import Transport

_Settings = TypeVar("_Settings", bound=Wire)
_log = logging.getLogger(__name__)
_LOCK_OUT_S = 60.0  # the device's default window for three failed logins, and how long it then stays shut
_LONGEST_LOCK_OUT_S = 900.0
_TRUST_S = 30.0  # how long a taken token lets requests run side by side; shorter than the silence after a refusal


class Clock(Protocol):
    """The part of the engine's `Env` that this back end needs."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Refused(Rejected):
    """The device said no. `final`: it did so before looking at the request, so nothing can have changed."""

    def __init__(self, system: str, problem: str, status: int, error: int | None = None) -> None:
        super().__init__(system, problem)
        self.status = status
        self.error = error
        self.final = status in (401, 403, 405, 413, 429)


class Client:
    """One VDOM of one FortiGate."""

    def __init__(self, system: str, settings: FortiGateSettings, clock: Clock) -> None:
        self._system = system
        self._settings = settings
        self._clock = clock
        self._opened: Transport | None = None
        self._first = asyncio.Lock()
        self._trusted_until = -1.0
        self._quiet_until = -1.0
        self._quiet_status = 0
        self._capabilities: Capabilities | None = None
        self._mode: VdomSettings | None = None  # None: not asked yet
        self._saving: GlobalSettings | None = None
        self._serial = ""

        if settings.tls.insecure_i_accept_that_anyone_can_read_the_token:
            _log.warning(
                "%s: TLS VERIFICATION IS OFF. Anyone between this machine and %s can read the API token and change "
                "the firewall with it. Set tls.ca_file or tls.fingerprint instead.",
                system,
                settings.url,
            )

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    @property
    def _transport(self) -> "Transport":
        """Made when first needed: loading aiohttp takes longer than many a command runs."""
        if self._opened is None:
            from backends.fortigate.transport import Transport

            headers = {"Authorization": f"Bearer {self._settings.token.get_secret_value()}"}
            try:
                self._opened = Transport(self._settings, headers)
            except OSError as error:
                ca_file = self._settings.tls.ca_file
                why = error.strerror or tr("it holds no certificate in PEM form")
                raise Rejected(
                    self._system,
                    tr("the CA file {ca_file} (tls.ca_file) cannot be used: {why}", ca_file=ca_file, why=why),
                ) from None
        return self._opened

    # --- reading

    async def capabilities(self) -> Capabilities:
        """Of the release that answered last. Raises Unreachable, or Rejected for a release that is too old."""
        if self._capabilities is None:
            await self._settings_read()
        if self._capabilities is None:  # the settings may not be read; this everybody may
            await self._read(MonitorUrl("system/status"), ())
        assert self._capabilities is not None  # set from every envelope
        if not self._capabilities.supported:
            oldest = ".".join(map(str, OLDEST))
            raise Rejected(
                self._system,
                tr(
                    "{capabilities} is too old: k8snet needs {oldest} or later",
                    capabilities=self._capabilities,
                    oldest=oldest,
                ),
            )
        return self._capabilities

    async def policy_based(self) -> bool:
        """Whether the VDOM is in policy-based NGFW mode; False, too, where it does not tell. Asked once, in the request
        that tells the release. Raises Unreachable or Rejected."""
        if self._mode is None:
            await self._settings_read()
        assert self._mode is not None
        return self._mode.ngfw_mode == "policy-based"

    async def saving(self) -> GlobalSettings:
        """How it saves its configuration; as usual, too, where it does not tell: an administrator of one VDOM, for one,
        may not know. Asked once, and again where it does not save by itself, because somebody may have mended that.
        Raises Unreachable or Rejected."""
        if self._saving is None or self._saving.cfg_save != "automatic":
            self._saving = await self._told("system/global", "cfg-save|cfg-revert-timeout", GlobalSettings)
        return self._saving

    async def _settings_read(self) -> None:
        self._mode = await self._told("system/settings", "ngfw-mode", VdomSettings)

    async def _told(self, table: str, columns: str, shape: type[_Settings]) -> _Settings:
        """The one row of a table; its defaults where the account may not read it, or nobody can."""
        try:
            return shape.model_validate(await self.look_up(TableUrl(table), (("format", columns),)))
        except ValidationError:
            return shape()
        except Refused as no:
            if no.status in (401, 429):
                raise
            return shape()

    async def rows(self, table: TableUrl, query: Query) -> Sequence[dict[str, Any]]:
        """Rows of a table. Raises Unreachable or Rejected."""
        results = (await self._read(table, query)).results
        try:
            return ROWS.validate_python(results)
        except ValidationError:
            raise self._unreadable(tr("its list of {table} has no rows in it", table=table.table)) from None

    async def look_up(self, question: MonitorUrl | TableUrl, query: Query) -> Any:
        """The results of a monitor call, or of a table that has one nameless row. Raises Unreachable or Refused."""
        return (await self._read(question, query)).results

    async def _read(self, url: TableUrl | MonitorUrl, query: Query) -> Envelope:
        target = f"{url.path}?{query_string((('vdom', self._settings.vdom), *query))}"
        try:
            try:
                answer = await self._send("GET", target)
            except (NotSent, NoAnswer) as error:
                if not error.again:
                    raise
                answer = await self._send("GET", target)
        except (NotSent, NoAnswer) as error:
            raise Unreachable(self._system, tr("{error} (reading {table})", error=error, table=url.table)) from None
        return self._judged(answer, "GET", url.table)

    # --- writing: sent once, never again by itself

    async def create(self, table: TableUrl, body: dict[str, Any], may_go: Callable[[], bool]) -> None:
        """Add a row. The body carries the row's key: nothing is left for the device to choose."""
        await self._write("POST", table, body, may_go)

    async def update(self, row: RowUrl, body: dict[str, Any], may_go: Callable[[], bool]) -> None:
        """Change the columns in the body and leave the others."""
        await self._write("PUT", row, body, may_go)

    async def move(
        self, row: RowUrl, where: Literal["before", "after"], other: int, may_go: Callable[[], bool]
    ) -> None:
        """Put a row of an ordered table directly before or after another one."""
        await self._write("PUT", row, {}, may_go, (("action", "move"), (where, str(other))))

    async def delete(self, row: RowUrl, may_go: Callable[[], bool]) -> None:
        await self._write("DELETE", row, None, may_go)

    async def command(self, order: MonitorUrl, body: dict[str, Any], may_go: Callable[[], bool]) -> None:
        """Have the running device do something; its configuration stays."""
        await self._write("POST", order, body, may_go)

    async def _write(
        self,
        method: str,
        url: TableUrl | RowUrl | MonitorUrl,
        body: dict[str, Any] | None,
        may_go: Callable[[], bool],
        query: Query = (),
    ) -> None:
        """Returns when the device said yes. Raises Unreachable (nothing was sent), Refused, or OutcomeUnknown."""
        target = f"{url.path}?{query_string((('vdom', self._settings.vdom), *query))}"
        try:
            answer = await self._send(method, target, None if body is None else canonical(body), may_go)
        except NotSent as error:
            raise Unreachable(self._system, tr("{error}; nothing was sent", error=error)) from None
        except NoAnswer as error:
            raise OutcomeUnknown(
                self._system, tr("{error}, after a write to {table} was sent", error=error, table=url.table)
            ) from None
        try:
            self._judged(answer, method, url.table)
        except Unreachable as error:
            raise OutcomeUnknown(self._system, error.problem) from None
        except Refused as no:
            if no.error == problems.TOO_SLOW:  # it gave up waiting for itself; what it waited for may go on
                raise OutcomeUnknown(self._system, no.problem) from None
            raise

    # --- one request

    async def _send(
        self, method: str, target: str, body: bytes | None = None, may_go: Callable[[], bool] = lambda: True
    ) -> Answer:
        if self._clock.monotonic() < self._trusted_until:
            return await self._exchange(method, target, body, may_go)
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                await self._first.acquire()
        except TimeoutError:
            raise NotSent(tr("the request before this one got no answer in time")) from None
        if self._clock.monotonic() < self._trusted_until:
            self._first.release()
            return await self._exchange(method, target, body, may_go)
        try:
            return await self._exchange(method, target, body, may_go)
        finally:
            self._first.release()

    async def _exchange(self, method: str, target: str, body: bytes | None, may_go: Callable[[], bool]) -> Answer:
        self._keep_quiet()
        answer = await self._transport.exchange(method, target, body, may_go)
        now = self._clock.monotonic()
        if answer.status in (401, 429):
            self._quiet_until = now + _lock_out(answer)
            self._quiet_status = answer.status
            self._keep_quiet()
        self._trusted_until = now + _TRUST_S
        return answer

    def _keep_quiet(self) -> None:
        wait = self._quiet_until - self._clock.monotonic()
        if wait > 0:
            why = tr(_LOGIN_PROBLEMS[self._quiet_status])
            raise Refused(
                self._system,
                tr("{why} Nothing is sent to it for {wait:.0f} s.", why=why, wait=wait),
                self._quiet_status,
            )

    # --- reading an answer

    def _judged(self, answer: Answer, method: str, table: str) -> Envelope:
        """The envelope of a yes. Raises Refused for a clear no and Unreachable for what is neither."""
        writing = method != "GET"
        if answer.status == 403:
            problem = tr(
                "the API user may not do this (HTTP 403). It needs {right} and the VDOM "
                "{vdom}: config system accprofile, config system api-user / set vdom",
                right=problems.right(table, writing),
                vdom=self._settings.vdom,
            )
            raise Refused(self._system, problem, answer.status)
        envelope = self._envelope(answer, method, table)
        if answer.status == 200 and envelope is not None and envelope.status == "success":
            return envelope
        if envelope is not None and envelope.error is not None:
            problem = problems.meaning(envelope.error, envelope.cli_error)
            raise Refused(self._system, f"{table}: {problem}", answer.status, envelope.error)
        if 400 <= answer.status < 500:
            raise Refused(self._system, _no(answer.status, table, self._settings.vdom), answer.status)
        raise self._unreadable(
            tr("HTTP {status} without an answer that FortiOS would give ({table})", status=answer.status, table=table)
        )

    def _envelope(self, answer: Answer, method: str, table: str) -> Envelope | None:
        """None when the body is no envelope, or not the one of this request."""
        if answer.content_type != "application/json":
            return None
        try:
            # Names and comments hold whatever bytes a terminal once sent; they must not hide the rest of an answer.
            envelope = Envelope.model_validate_json(answer.body.decode("utf-8", "replace"))
            capabilities = Capabilities.of(envelope.version)
        except ValueError:
            return None
        asked = [envelope.path, envelope.name] == table.split("/")[:2] and envelope.vdom == self._settings.vdom
        if not asked or envelope.http_method not in ("", method):
            return None
        self._notice(envelope.serial, capabilities)
        return envelope

    def _notice(self, serial: str, capabilities: Capabilities) -> None:
        """Who answers, and with which release; both may change while we run (fail-over, upgrade)."""
        if self._settings.serials and serial not in self._settings.serials:
            problem = tr(
                "a device with serial number {printable} answered, which app.yaml does not "
                "list under `serials`: another firewall at this address, or a replaced unit",
                printable=problems.printable(serial),
            )
            raise Unreachable(self._system, problem)
        if serial != self._serial and self._serial:
            now, before = problems.printable(serial), problems.printable(self._serial)
            _log.warning("%s: unit %s answers now instead of %s (HA fail-over?)", self._system, now, before)
        if capabilities != self._capabilities:
            _log.info("%s: %s", self._system, capabilities)
        self._serial, self._capabilities = serial, capabilities

    def _unreadable(self, problem: str) -> Unreachable:
        return Unreachable(self._system, tr("{problem}: is this a FortiGate, and is it well?", problem=problem))


_LOGIN_PROBLEMS = {
    401: (
        marked(
            "the firewall refused the API token (HTTP 401): it is wrong or was replaced, "
            "or this machine's address is not among the API user's trusted hosts (config "
            "system api-user / config trusthost)."
        )
    ),
    429: (
        marked(
            "the firewall has locked this address out after failed logins (HTTP 429). "
            "Check the token here and in every other client behind the same address."
        )
    ),
}


def _lock_out(answer: Answer) -> float:
    """Seconds to keep quiet. The header is undocumented there, but a proxy in front may send it."""
    if answer.retry_after.isascii() and answer.retry_after.isdigit():
        return min(max(float(answer.retry_after), _LOCK_OUT_S), _LONGEST_LOCK_OUT_S)
    return _LOCK_OUT_S


def _no(status: int, table: str, vdom: str) -> str:
    match status:
        case 404:
            return tr("there is no such thing in {table} of VDOM {vdom} (HTTP 404)", table=table, vdom=vdom)
        case 405:
            return tr("this call is not allowed on {table} in this release (HTTP 405)", table=table)
        case 424:
            return tr("the request for {table} lacks something or names something missing (HTTP 424)", table=table)
        case _:
            return tr("the request for {table} was refused (HTTP {status})", table=table, status=status)
