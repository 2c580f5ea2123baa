"""Chat tests that read like chat. Everything goes through the control API, as another process would do it.

await slack.say("/k8snet expose default")
await slack.until("net-ops", contains="Plan")
await slack.click("Confirm", by="olga")
assert "Done" in (await slack.last("net-ops")).text
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]


class ChatError(AssertionError):
    """The workspace refused, or what was waited for did not come; says what there was instead."""


@dataclass(frozen=True)
class Seen:
    """A message as a person sees it. `text` is the rendering, `raw` the whole JSON."""

    raw: Json

    @property
    def text(self) -> str:
        return str(self.raw["plain"])

    @property
    def spoken(self) -> str:
        return str(self.raw["spoken"])

    @property
    def ts(self) -> str:
        return str(self.raw["ts"])

    @property
    def seq(self) -> int:
        return int(self.raw["seq"])

    @property
    def author(self) -> str:
        return str(self.raw["author"])

    @property
    def in_thread(self) -> bool:
        return bool(self.raw["in_thread"])

    @property
    def ephemeral(self) -> bool:
        return bool(self.raw["ephemeral"])

    @property
    def blocks(self) -> list[Json]:
        return list(self.raw.get("blocks", []))

    @property
    def buttons(self) -> list[str]:
        return [str(button["label"]) for button in self.raw["buttons"]]

    def __contains__(self, text: str) -> bool:
        return text in self.text


class Driver:
    """A person at the keyboard. `by` and `channel` default to what was given at the start."""

    def __init__(self, http: httpx.AsyncClient, by: str = "omar", channel: str = "net-ops") -> None:
        self.http = http
        self.by = by
        self.channel = channel

    async def say(self, text: str, *, by: str | None = None, channel: str | None = None, **more: Any) -> Json:
        """Type into the composer; `more`: thread_ts, mangle. The answer tells whether the app reacted in time."""
        return await self.post("say", by or self.by, channel=channel or self.channel, text=text, **more)

    async def click(
        self, label: str | None = None, *, by: str | None = None, channel: str | None = None, **more: Any
    ) -> Json:
        """Press a button by its label (or action_id=…), by default the newest; `confirm=False` declines the dialog."""
        wanted = {"label": label} if label else {}
        return await self.post("click", by or self.by, channel=channel or self.channel, **wanted, **more)

    async def submit(self, values: Json | None = None, *, by: str | None = None) -> Json:
        """Fill in and send the modal in front; keys are labels, block ids or action ids."""
        return await self.post("submit", by or self.by, values=values or {})

    async def close(self, *, by: str | None = None, everything: bool = False) -> Json:
        return await self.post("close", by or self.by, all=everything)

    async def open_home(self, *, by: str | None = None, tab: str = "home") -> Json:
        return await self.post("home", by or self.by, tab=tab)

    async def home(self, *, by: str | None = None) -> Json | None:
        answer = await self.get("home", by or self.by)
        found: Json | None = answer["view"]
        return found

    async def modal(self, *, by: str | None = None) -> Json | None:
        """The modal in front, if any."""
        views = (await self.get("view", by or self.by))["views"]
        return views[-1] if views else None

    async def messages(
        self, channel: str | None = None, *, by: str | None = None, thread: str | None = None
    ) -> list[Seen]:
        """What this person can see there, oldest first."""
        more = {"thread": thread} if thread else {}
        answer = await self.get("messages", by or self.by, channel=channel or self.channel, **more)
        return [Seen(one) for one in answer["messages"]]

    async def last(self, channel: str | None = None, *, by: str | None = None) -> Seen:
        """The newest visible message. ChatError when there is none."""
        found = await self.messages(channel, by=by)
        if not found:
            raise ChatError(f"nobody has said anything in {channel or self.channel}")
        return found[-1]

    async def until(
        self,
        channel: str | None = None,
        *,
        contains: str = "",
        regex: str = "",
        by: str | None = None,
        after: int = 0,
        timeout: float = 10,
        field: str = "plain",
    ) -> Seen:
        """Wait for a message that fits, new or changed. `after` is the `seq` of one seen before; seconds are real."""
        try:
            answer = await self.get(
                "wait",
                by or self.by,
                channel=channel or self.channel,
                contains=contains,
                regex=regex,
                after=str(after),
                timeout=str(timeout),
                field=field,
            )
        except ChatError as error:
            raise ChatError(f"no message with {contains or regex!r} came within {timeout:g} s; {error}") from None
        return Seen(answer["message"])

    async def transcript(self, after: int = 0, timeout: float = 0) -> list[Json]:
        """The entries after this number; with a time-out, waits for the first of them."""
        answer = await self.get("transcript", None, after=str(after), timeout=str(timeout))
        return list(answer["entries"])

    async def logged(self, timeout: float = 10, **wanted: Any) -> Json:
        """The first transcript entry with these fields, such as kind, name, outcome; waits for it."""
        after = 0
        while entries := await self.transcript(after, timeout):
            for entry in entries:
                if all(entry.get(name) == value for name, value in wanted.items()):
                    return entry
            after = entries[-1]["n"]
        raise ChatError(f"nothing like {wanted} was in the transcript within {timeout:g} s")

    async def fault(self, **fault: Any) -> None:
        """Order a misbehaviour; see lab/slack/faults.py."""
        await self.post("faults", None, **fault)

    async def advance(self, seconds: float) -> None:
        """Move the lab's clock forward."""
        await self.post("clock", None, advance=seconds)

    async def post(self, verb: str, by: str | None, **body: Any) -> Json:
        """One POST of the control API, as this person or as nobody."""
        response = await self.http.post(f"/lab/{verb}", json={**({"as": by} if by else {}), **body})
        return answer_of(response, f"{verb} {body}")

    async def get(self, verb: str, by: str | None, **query: str) -> Json:
        response = await self.http.get(f"/lab/{verb}", params={**({"as": by} if by else {}), **query})
        return answer_of(response, f"{verb} {query}")


def answer_of(response: httpx.Response, what: str) -> Json:
    """The JSON; ChatError for a refusal of the control API itself (an app that fails is an ordinary answer)."""
    if response.status_code != 200:
        raise ChatError(f"{what}: {response.text}")
    answer: Json = response.json()
    return answer


@asynccontextmanager
async def driving(page_url: str, by: str = "omar", channel: str = "net-ops") -> AsyncIterator[Driver]:
    """A driver for the workspace at this address."""
    async with httpx.AsyncClient(base_url=page_url, timeout=70, trust_env=False) as http:
        yield Driver(http, by, channel)
