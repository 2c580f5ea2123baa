"""Who is on call at this moment, as a schedule elsewhere says; see docs/operating.md for the two formats."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backends.oncall.settings import ChatId, RotationSettings
from bot.model.errors import Rejected, Unreachable
from bot.model.value import Value
from bot.model.wording import tr

SYSTEM = "on-call rotation"
MOST_BYTES, MOST_PEOPLE = 262_144, 10
_IDS = TypeAdapter(tuple[ChatId, ...])


class _User(Value, extra="ignore"):
    id: str


class _OnCall(Value, extra="ignore"):
    """One entry of PagerDuty's `oncalls`: escalation_level 1 is called first."""

    escalation_level: int = 1
    user: _User


class Rotation:
    """Implements the engine's Rotation over HTTP. Opens a connection for each question: there are few."""

    def __init__(self, settings: RotationSettings, monotonic: Callable[[], float]) -> None:
        self._settings, self._monotonic = settings, monotonic
        self._known: tuple[float, tuple[str, ...]] | None = None

    async def on_call(self) -> tuple[str, ...]:
        """See the port. An answer counts for `cache_s`; a failure is asked about again at once."""
        now = self._monotonic()
        if self._known is not None and now - self._known[0] < self._settings.cache_s:
            return self._known[1]
        people = self._read(await self._ask())
        self._known = (now, people)
        return people

    async def _ask(self) -> Any:
        import aiohttp  # takes longer to load than many a command runs, and most never ask

        pagerduty = self._settings.format == "pagerduty"
        headers = {"Accept": "application/vnd.pagerduty+json;version=2" if pagerduty else "application/json"}
        if self._settings.token is not None:
            token = self._settings.token.get_secret_value()
            headers["Authorization"] = f"Token token={token}" if pagerduty else f"Bearer {token}"
        trust = self._trust()
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s),
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
                session.get(self._settings.url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise Rejected(SYSTEM, tr("it answered with status {status}", status=answer.status))
                body = bytearray()
                async for piece in answer.content.iter_any():  # in as many pieces as it comes
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise Rejected(SYSTEM, tr("its answer is longer than {most} KiB", most=MOST_BYTES // 1024))
        except TimeoutError:
            problem = tr("no answer within {seconds:g} s", seconds=self._settings.timeout_s)
            raise Unreachable(SYSTEM, problem) from None
        except aiohttp.ClientConnectorCertificateError:
            raise Unreachable(SYSTEM, tr("its certificate is not trusted; see rotation.ca_file in app.yaml")) from None
        except (aiohttp.ClientError, OSError):
            # The text of an error may hold the URL, and a URL may hold what only its owner should know.
            raise Unreachable(SYSTEM, tr("no connection")) from None
        try:
            return TypeAdapter(dict[str, Any]).validate_json(bytes(body))
        except ValidationError:
            raise Rejected(SYSTEM, tr("its answer is no JSON object")) from None

    def _trust(self) -> ssl.SSLContext | bool:
        """Whose certificate is believed; True: the system's authorities."""
        ca_file = self._settings.ca_file
        if ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(ca_file))
        except OSError as error:  # SSLError is one
            why = tr("it holds no certificate in PEM form") if isinstance(error, ssl.SSLError) else error.strerror
            text = tr("the CA file {ca_file} (rotation.ca_file) cannot be used: {why}", ca_file=ca_file, why=why)
            raise Rejected(SYSTEM, text) from None

    def _read(self, answer: Any) -> tuple[str, ...]:
        try:
            people = self._plain(answer) if self._settings.format == "plain" else self._pagerduty(answer)
        except (ValidationError, KeyError):
            raise Rejected(SYSTEM, tr("its answer does not have the form that was configured")) from None
        if not people:
            raise Rejected(SYSTEM, tr("it names nobody"))
        return people[:MOST_PEOPLE]

    def _plain(self, answer: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_IDS.validate_python(answer["on_call"])))

    def _pagerduty(self, answer: Any) -> tuple[str, ...]:
        if answer.get("more"):  # whoever is called first may be on a later page
            raise Rejected(
                SYSTEM, tr("it has more entries than one answer holds: narrow rotation.url, or add &limit=100")
            )
        entries = TypeAdapter(Sequence[_OnCall]).validate_python(answer["oncalls"])
        first = min((entry.escalation_level for entry in entries), default=1)
        named = dict.fromkeys(entry.user.id for entry in entries if entry.escalation_level == first)
        people = tuple(self._settings.people[one] for one in named if one in self._settings.people)
        if named and not people:
            raise Rejected(SYSTEM, tr("it names {ids}, whom `people` does not know", ids=", ".join(named)[:100]))
        return people
