"""Who people are, as Slack knows them now."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.people import Person, Profile
from bot.model.wording import marked, tr
from handlers.web_api import SYSTEM, call

FRESH_S = 60.0
# users.info flags that bar somebody from everything, and how to say it.
BARRED = {
    "deleted": marked("your account is deactivated"),
    "is_bot": marked("bots may not"),
    "is_workflow_bot": marked("workflows may not"),
    "is_connector_bot": marked("connectors may not"),
    "is_restricted": marked("guests may not"),
    "is_ultra_restricted": marked("guests may not"),
    "is_stranger": marked("you belong to another workspace"),
    "is_invited_user": marked("your invitation is not accepted yet"),
}
Answer = TypeVar("Answer")


class SlackDirectory:
    """Implements the engine's Directory; answers are at most 60 s old, and what cannot be looked up is refused."""

    def __init__(self, client: AsyncWebClient, team: str, groups: frozenset[str], clock: Callable[[], float]) -> None:
        """`groups` are the user groups that app.yaml mentions; `clock` is monotonic, in seconds."""
        self._client, self._team, self._groups, self._clock = client, team, groups, clock
        self._people: dict[str, Remembered[str | None]] = {}
        self._members = Remembered(self._read_members, clock)

    async def profile(self, person: Person) -> Profile:
        """Raises Unreachable."""
        if person.team != self._team:
            return Profile(person=person, refused=tr("you belong to another workspace"))
        refused, members = await asyncio.gather(self._of(person.user).get(), self._members.get())
        groups = frozenset(group for group, users in members.items() if person.user in users)
        return Profile(person=person, refused=refused, groups=groups)

    def forget(self, person: Person | None = None) -> None:
        """Read this person, or everybody, anew. Memberships are one answer for all, so they are read anew always."""
        self._members.forget()
        for user, remembered in self._people.items():
            if person is None or user == person.user:
                remembered.forget()

    def _of(self, user: str) -> "Remembered[str | None]":
        return self._people.setdefault(user, Remembered(lambda: self._read_refused(user), self._clock))

    async def _read_refused(self, user: str) -> str | None:
        try:
            found = (await _read("users.info", self._client.users_info(user=user)))["user"]
        except Rejected:
            return tr("Slack does not know you here")
        return next((tr(text) for flag, text in BARRED.items() if found.get(flag)), None)

    async def _read_members(self) -> dict[str, frozenset[str]]:
        """Group id -> members, for the groups of app.yaml that exist and are enabled, in one call."""
        if not self._groups:
            return {}
        try:
            answer = await _read("usergroups.list", self._client.usergroups_list(include_users=True))
        except Rejected:
            return {}  # a plan without user groups: nobody is in one
        groups = {group["id"]: frozenset(group.get("users", ())) for group in answer["usergroups"]}
        return {group: users for group, users in groups.items() if group in self._groups}


class Remembered(Generic[Answer]):
    """The answer to one question, asked again when it is too old or was forgotten.

    However many ask at the same moment, at most one question is under way and one more follows it: an answer serves
    everybody who asked before its question was sent.
    """

    def __init__(self, ask: Callable[[], Awaitable[Answer]], clock: Callable[[], float]) -> None:
        self._ask, self._clock = ask, clock
        self._lock = asyncio.Lock()
        self._known: tuple[float, Answer] | None = None  # when it was asked
        self._valid = False

    def forget(self) -> None:
        self._valid = False

    async def get(self) -> Answer:
        async with self._lock:
            if self._known is None or not self._valid or self._clock() - self._known[0] > FRESH_S:
                self._valid = True  # unless somebody says `forget` while the question is under way
                asked_at = self._clock()
                try:
                    self._known = (asked_at, await self._ask())
                except BaseException:
                    self._valid = False
                    raise
            return self._known[1]


async def _read(what: str, request: Any) -> dict[str, Any]:
    try:
        return await call(what, request)
    except OutcomeUnknown as error:
        raise Unreachable(SYSTEM, error.problem) from None
