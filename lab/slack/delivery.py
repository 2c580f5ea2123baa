"""Bringing payloads to the app: through Socket Mode, or signed over HTTP; once, or with the retries of events."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from lab.slack.clock import Clock
from lab.slack.faults import Faults
from lab.slack.model import Json
from lab.slack.signing import signature
from lab.slack.sockets import ACK_SECONDS, Answer, Sockets
from lab.slack.transcript import Transcript

RETRIES = (0.0, 60.0, 300.0)
USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
AWAY = {"stale": -600, "duplicate": 1}  # seconds that a request's timestamp is away from now
ANSWERED_INTERACTIONS = ("view_submission", "view_closed", "block_suggestion")


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(url: str) -> str:
    """The simulator never speaks to another machine. Raises ValueError."""
    if not is_loopback(url):
        raise ValueError(f"{url!r} is not on this machine; the simulator uses loopback addresses only")
    return url


@dataclass
class Delivery:
    """With a `request_url` everything goes there over HTTP, otherwise through the sockets."""

    clock: Clock
    sockets: Sockets
    faults: Faults
    transcript: Transcript
    signing_secret: str = field(repr=False)
    request_url: str | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    session: aiohttp.ClientSession | None = None

    def __post_init__(self) -> None:
        if self.request_url:
            require_loopback(self.request_url)

    async def command(self, payload: Json) -> Answer:
        if self.request_url:
            fields = {key: str(value) for key, value in payload.items()}
            return await self.post("slash_commands", form(fields))
        return await self.envelope("slash_commands", payload, accepts=True)

    async def interaction(self, payload: Json) -> Answer:
        if self.request_url:
            return await self.post("interactive", form({"payload": json.dumps(payload, ensure_ascii=False)}))
        accepts = payload["type"] in ANSWERED_INTERACTIONS
        return await self.envelope("interactive", payload, accepts=accepts)

    async def envelope(self, kind: str, payload: Json, *, accepts: bool) -> Answer:
        fault = self.faults.next("delivery")
        answer = await self.sockets.deliver(kind, payload, accepts=accepts)
        if fault and fault.kind == "duplicate":
            await self.sockets.deliver(kind, payload, accepts=accepts)
        return answer

    def event(self, payload: Json) -> asyncio.Task[None]:
        """Deliver in the background, again and again as Slack does while nobody confirms it."""
        task = asyncio.ensure_future(self.insist(payload))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def insist(self, payload: Json) -> None:
        answer = await self.one_event(payload, 0, "")
        for attempt, pause in enumerate(RETRIES, 1):
            if answer.ok or not answer.retry:
                return
            if pause:
                await self.clock.sleep(pause)
            answer = await self.one_event(payload, attempt, answer.reason)

    async def one_event(self, payload: Json, attempt: int, reason: str) -> Answer:
        if not self.request_url:
            return await self.sockets.deliver(
                "events_api", payload, accepts=False, retry_attempt=attempt, retry_reason=reason
            )
        headers = {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason} if attempt else {}
        body = json.dumps(payload, ensure_ascii=False).encode()
        return await self.post("events_api", body, {"Content-Type": "application/json", **headers}, redirects=2)

    async def post(
        self, kind: str, body: bytes, headers: dict[str, str] | None = None, *, redirects: int = 0
    ) -> Answer:
        fault = self.faults.next("delivery")
        signed = {"User-Agent": USER_AGENT, "Content-Type": "application/x-www-form-urlencoded"}
        signed |= {**(headers or {}), **self.signature_headers(body, fault.kind if fault else "")}
        answer = await self.attempt(kind, body, signed, redirects)
        if fault and fault.kind == "replay":
            await self.attempt(f"{kind} (replay)", body, signed, redirects)
        if fault and fault.kind == "duplicate":
            anew = {**signed, **self.signature_headers(body, fault.kind)}
            await self.attempt(f"{kind} (duplicate)", body, anew, redirects)
        return answer

    def signature_headers(self, body: bytes, fault: str) -> dict[str, str]:
        moment = int(self.clock.now()) + AWAY.get(fault, 0)
        timestamp = "yesterday" if fault == "non_numeric" else str(moment)
        secret = "not-the-secret" if fault == "bad_signature" else self.signing_secret
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature(secret, timestamp, body)}

    async def attempt(self, kind: str, body: bytes, headers: dict[str, str], redirects: int) -> Answer:
        began = self.clock.now()
        details: Json = {"payload": readable(body, headers["Content-Type"])}
        try:
            status, answer = await self.clock.within(ACK_SECONDS, self.exchange(body, headers, redirects))
            details["status"] = status
        except TimeoutError:
            answer = Answer("operation_timeout", reason="http_timeout")
        except aiohttp.TooManyRedirects:
            answer = Answer("dispatch_failed", reason="too_many_redirects")
        except (aiohttp.ClientError, OSError):
            answer = Answer("dispatch_failed", reason="connection_failed")
        self.transcript.add("http", kind, began, **details, outcome=answer.outcome, answer=answer.body)
        return answer

    async def exchange(self, body: bytes, headers: dict[str, str], redirects: int) -> tuple[int, Answer]:
        if self.session is None:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0), timeout=aiohttp.ClientTimeout(total=None)
            )
        async with self.session.post(
            str(self.request_url),
            data=body,
            headers=headers,
            allow_redirects=bool(redirects),
            max_redirects=redirects + 1,
        ) as response:
            text = await response.text()
            if response.status != 200:
                again = response.headers.get("X-Slack-No-Retry") != "1"
                return response.status, Answer("dispatch_failed", text, "http_error", again)
            return 200, Answer("ok", answered(response.content_type, text))

    async def close(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.session is not None:
            await self.session.close()


def answered(content_type: str, text: str) -> Any:
    """The body of a 200: an object when it is JSON, otherwise the text; None when it is empty."""
    if not text:
        return None
    if content_type == "application/json":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def readable(body: bytes, content_type: str) -> Any:
    """A request's body as data, so that the transcript can find the secrets in it."""
    if content_type == "application/json":
        return json.loads(body)
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    return json.loads(fields["payload"]) if "payload" in fields else fields


def form(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode()
