"""Slack's signature on an HTTP request, checked on the bytes as they came, before anything is parsed."""

import hashlib
import hmac
from collections.abc import Callable

WINDOW_S = 300
VERSION = "v0"


class Verifier:
    """Believes a request once: signed with our secret, not more than five minutes old, not seen before.

    See "Verifying requests from Slack": the base string is `v0:<timestamp>:<raw body>`, keyed with the secret as text.
    """

    def __init__(self, secret: str, clock: Callable[[], float]) -> None:
        """`clock` is in Unix seconds."""
        self._secret, self._clock = secret.encode(), clock
        self._seen: dict[str, float] = {}

    def refusal(self, timestamp: str, signature: str, body: bytes) -> str:
        """Why this request is not to be believed; "" when it is."""
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 12):
            return "the timestamp is not a number"
        now = self._clock()
        if abs(now - int(timestamp)) > WINDOW_S:
            return "the timestamp is more than five minutes away"
        base = f"{VERSION}:{timestamp}:".encode() + body
        expected = f"{VERSION}={hmac.new(self._secret, base, hashlib.sha256).hexdigest()}"
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            return "the signature does not fit"
        self._forget(now - 2 * WINDOW_S)
        if expected in self._seen:
            return "the request was here before"
        self._seen[expected] = now
        return ""

    def _forget(self, before: float) -> None:
        """What is older cannot come again: its timestamp would be out of the window."""
        while self._seen and self._seen[oldest := next(iter(self._seen))] < before:
            del self._seen[oldest]
