"""What the Web API answers when it refuses a call."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """A logical refusal: HTTP 200 with `{"ok": false, "error": code, ...}`."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

    @classmethod
    def listing(cls, code: str, problems: list[str]) -> SlackError:
        """An error with the reasons in both places where Slack puts them."""
        messages = {"messages": [f"[ERROR] {problem}" for problem in problems]}
        if code == "invalid_blocks":
            return cls(code, errors=problems, response_metadata=messages)
        return cls(code, response_metadata=messages)

    @property
    def body(self) -> dict[str, Any]:
        return {"ok": False, "error": self.code, **self.extra}
