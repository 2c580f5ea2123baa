"""A request and its answer, free of sockets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, unquote_plus

PREFIX = ("api", "v2")


@dataclass(frozen=True)
class Query:
    """The part after the question mark, as (decoded name, encoded value)."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Query:
        split = (item.partition("=") for item in text.split("&") if item)
        return cls(tuple((unquote_plus(name), value) for name, _, value in split))

    def encoded(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def get(self, name: str, default: str = "") -> str:
        values = self.encoded(name)
        return unquote_plus(values[0]) if values else default

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)

    def flag(self, name: str) -> bool:
        return self.get(name).lower() in ("1", "true", "enable")

    def number(self, name: str) -> int | None:
        text = self.get(name)
        return int(text) if text.lstrip("-").isdigit() else None


@dataclass(frozen=True)
class Call:
    """One HTTP request. `target` is the request target as received, `segments` its decoded path."""

    method: str
    target: str
    source: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    secure: bool = True

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def segments(self) -> tuple[str, ...]:
        """Path segments, each decoded once; a `+` stays a plus. Trailing slashes do not count."""
        return tuple(unquote(part) for part in self.path.strip("/").split("/"))

    @property
    def query(self) -> Query:
        return Query.parse(self.target.partition("?")[2])

    def json(self) -> Any:
        """The body as JSON, `{}` if there is none; raises `ValueError`."""
        return json.loads(self.body) if self.body.strip() else {}

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; nothing and `null` count as `{}`. Raises `ValueError`."""
        body = self.json()
        if body is None:
            return {}
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        return body


@dataclass
class Answer:
    """What goes back: JSON (an envelope or a list of them), or text of another type."""

    status: int
    payload: Any
    content_type: str = "application/json"

    def encode(self) -> bytes:
        if isinstance(self.payload, str):
            return self.payload.encode()
        # What a terminal of another encoding once sent is kept, and told, as it came.
        return json.dumps(self.payload, ensure_ascii=False).encode(errors="surrogateescape")

    @property
    def envelopes(self) -> Sequence[dict[str, Any]]:
        """The envelopes in it, for faults that alter them."""
        if isinstance(self.payload, dict):
            return [self.payload]
        return self.payload if isinstance(self.payload, list) else []


def html(status: int) -> Answer:
    """A page as the web server in front of the API gives it: not JSON."""
    phrase = HTTPStatus(status).phrase
    title = phrase if status == 401 else f"{status} {phrase}"
    return Answer(
        status,
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'
        f"<html><head>\n<title>{title}</title>\n</head><body>\n<h1>{phrase}</h1>\n"
        f"<p>{HTTPStatus(status).description or phrase}.</p>\n"
        f"<p>Additionally, a {status} {phrase}\nerror was encountered while trying to use an ErrorDocument "
        "to handle the request.</p>\n</body></html>\n",
        "text/html; charset=iso-8859-1",
    )


class Refused(Exception):
    """The web server in front of the API answers, with an HTML page of this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
