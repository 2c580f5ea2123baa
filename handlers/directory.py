"""Who people are, as Slack knows them now."""

from collections.abc import Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.model.errors import OutcomeUnknown, Rejected, Unreachable
from bot.model.people import Person, Profile
from handlers.web_api import SYSTEM, call

FRESH_S = 60.0
# users.info flags that bar somebody from everything, and how to say it.
BARRED = {
    "deleted": "your account is deactivated",
    "is_bot": "bots may not",
    "is_workflow_bot": "workflows may not",
    "is_restricted": "guests may not",
    "is_ultra_restricted": "guests may not",
    "is_stranger": "you belong to another workspace",
    "is_invited_user": "your invitation is not accepted yet",
}


class SlackDirectory:
    """Implements the engine's Directory; answers are at most 60 s old, and what cannot be looked up is refused."""

    def __init__(self, client: AsyncWebClient, team: str, groups: frozenset[str], clock: Callable[[], float]) -> None:
        """`groups` are the user groups that app.yaml mentions; `clock` is monotonic, in seconds."""
        self._client, self._team, self._groups, self._clock = client, team, groups, clock
        self._profiles: dict[Person, tuple[float, Profile]] = {}
        self._members: dict[str, tuple[float, frozenset[str]]] = {}

    async def profile(self, person: Person) -> Profile:
        """Raises Unreachable."""
        if person.team != self._team:
            return Profile(person=person, refused="you belong to another workspace")
        known = self._profiles.get(person)
        if known is None or self._clock() - known[0] > FRESH_S:
            known = (self._clock(), Profile(person=person, refused=await self._refused(person)))
            self._profiles[person] = known
        groups = frozenset([group for group in sorted(self._groups) if person.user in await self._members_of(group)])
        return known[1].model_copy(update={"groups": groups})

    async def _refused(self, person: Person) -> str | None:
        try:
            user = (await self._read("users.info", self._client.users_info(user=person.user)))["user"]
        except Rejected:
            return "Slack does not know you here"
        return next((text for flag, text in BARRED.items() if user.get(flag)), None)

    async def _members_of(self, group: str) -> frozenset[str]:
        known = self._members.get(group)
        if known is None or self._clock() - known[0] > FRESH_S:
            try:
                answer = await self._read("usergroups.users.list", self._client.usergroups_users_list(usergroup=group))
                members = frozenset(answer["users"])
            except Rejected:
                # A deleted group, or a plan without groups: nobody is in it.
                members = frozenset()
            known = (self._clock(), members)
            self._members[group] = known
        return known[1]

    async def _read(self, what: str, request: Any) -> dict[str, Any]:
        try:
            return await call(what, request)
        except OutcomeUnknown as error:
            raise Unreachable(SYSTEM, error.problem) from None
