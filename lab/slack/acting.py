"""What a person can do in the client: speak, type commands, press, fill in, open and close."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.slack import keyboard, payloads
from lab.slack.content import content, require_content
from lab.slack.core import Slack
from lab.slack.errors import SlackError
from lab.slack.forms import slot, state_values
from lab.slack.hooks import respond
from lab.slack.manifest import Command
from lab.slack.model import SLACKBOT, TEAM, Channel, Json, Message, User
from lab.slack.people import BOT_USER
from lab.slack.render import Reader
from lab.slack.sockets import Answer

MOST_SUGGESTIONS = 100
TROUBLE = "The app did not respond within three seconds"


class Acting:
    """Every method takes the person's name or id first and answers JSON; SlackError when the client would not do it."""

    def __init__(self, slack: Slack) -> None:
        self.slack = slack
        self.reader = Reader(slack.workspace)

    def person(self, reference: str) -> User:
        """Someone who can act: not a bot, not deactivated."""
        user = self.slack.workspace.user(reference)
        if user.deleted:
            raise SlackError("account_inactive")
        if user.is_bot or user.id == SLACKBOT:
            raise SlackError("not_a_person")
        return user

    # words -------------------------------------------------------------------------------------------------------

    async def say(
        self, by: str, channel: str, text: str, thread_ts: str | None = None, mangle: Iterable[str] = ()
    ) -> Json:
        user = self.person(by)
        place = self.slack.workspace.channel(channel, user.id)
        if not place.lets_post(user.id):
            raise SlackError("restricted_action")  # the client shows no composer
        if text.startswith("/"):
            return await self.command(user, place, text, thread_ts, mangle)
        if user.id not in place.members:
            raise SlackError("not_in_channel")
        said = keyboard.escaped(self.slack.workspace, keyboard.mangled(text, mangle))
        message = self.slack.workspace.post(place, user.id, text=said, thread_ts=thread_ts)
        self.heard(message, place)
        return {"ok": True, "kind": "message", "ts": message.ts}

    def heard(self, message: Message, channel: Channel) -> None:
        """Tell the app what it is subscribed to, where it is a member."""
        if BOT_USER not in channel.members:
            return
        if f"<@{BOT_USER}>" in message.text and channel.kind != "im":
            self.slack.emit(payloads.spoken(self.slack, "app_mention", message, channel))
        self.slack.emit(payloads.spoken(self.slack, "message", message, channel))

    async def command(
        self, user: User, channel: Channel, typed: str, thread_ts: str | None, mangle: Iterable[str]
    ) -> Json:
        name, _, text = typed.partition(" ")
        known = {one.command: one for one in self.slack.manifest.commands}
        if thread_ts:
            return self.refused(channel, user, f"`{name}` is not supported in threads. Sorry!", thread_ts)
        if name not in known or user.team_id != TEAM:
            return self.refused(channel, user, f"`{name}` is not a valid command.")
        text = self.arguments(known[name], text, mangle)
        self.slack.demanded.add("commands")
        answer = await self.slack.delivery.command(payloads.command(self.slack, user, channel, name, text))
        if not answer.ok:
            line = f'{name} failed with the error "{answer.outcome}"'
            return self.complain(channel.id, user, line, answer.outcome)
        try:
            self.show(user, channel, typed, answer.body)
        except SlackError as error:
            return self.complain(channel.id, user, f'{name} failed with the error "{error.code}"', error.code)
        return {"ok": True, "kind": "command", "outcome": "ok"}

    def arguments(self, command: Command, text: str, mangle: Iterable[str]) -> str:
        text = keyboard.mangled(text, mangle)
        return keyboard.escaped(self.slack.workspace, text) if command.should_escape else text

    def show(self, user: User, channel: Channel, typed: str, body: Any) -> None:
        """The 200 body of a command: nothing, a text, or a message; `in_channel` also reveals what was typed."""
        if not body:
            return
        message: Json = body if isinstance(body, dict) else {"text": str(body)}
        fields = content(self.slack.workspace, message)
        if message.get("response_type") == "in_channel":
            self.slack.workspace.post(channel, user.id, text=typed)
            if not fields:
                return
        respond(self.slack.workspace, channel.id, user.id, message, require_content(fields))

    def refused(self, channel: Channel, user: User, line: str, thread_ts: str | None = None) -> Json:
        return self.complain(channel.id, user, line, "refused", thread_ts)

    def complain(self, channel: str, user: User, line: str, code: str, thread_ts: str | None = None) -> Json:
        """A line of the client itself that only this person sees."""
        place = self.slack.workspace.state.channels[channel]
        self.slack.workspace.post(place, SLACKBOT, text=line, visible_to=user.id, thread_ts=thread_ts, error=code)
        return {"ok": False, "error": code, "line": line}

    # pressing ----------------------------------------------------------------------------------------------------

    async def click(self, by: str, channel: str, ts: str | None = None, **wanted: Any) -> Json:
        """Press or choose. `wanted`: action_id, label, block_id; `confirm` False says no in the dialog;

        `value` is what is chosen in a select; `values` are the other inputs of the message.
        """
        user = self.person(by)
        place = self.slack.workspace.channel(channel, user.id)
        message, block, element = self.target(place, user, ts, wanted)
        source = payloads.message_source(self.slack, message, user)
        answer, result = await self.press(user, source, message.blocks or [], block, element, wanted)
        if answer is not None and not answer.ok:
            line = f'{TROUBLE} to "{self.reader.label(element)}" ({answer.outcome})'
            return self.complain(message.channel, user, line, answer.outcome, message.thread_ts)
        return {**result, "ts": message.ts}

    def target(self, channel: Channel, user: User, ts: str | None, wanted: Json) -> tuple[Message, Json, Json]:
        """The message meant, by default the newest that has such an element."""
        messages = self.slack.workspace.messages(channel.id, user.id)
        candidates = [one for one in reversed(messages) if ts in (None, one.ts) and one.blocks]
        failure = SlackError("message_not_found", why=f"{user.name} sees no message with buttons in {channel.name}")
        for message in candidates:
            try:
                return message, *self.reader.find(message.blocks, wanted)
            except SlackError as error:
                failure = error
        raise failure

    async def press(
        self, user: User, source: Json, blocks: list[Json], block: Json, element: Json, wanted: Json
    ) -> tuple[Answer | None, Json]:
        """Send one block_actions. The dialog is only the client's: the app cannot tell whether it was shown."""
        result: Json = {"ok": True, "kind": "click", "sent": True, "label": self.reader.label(element)}
        dialog = self.reader.dialog(element.get("confirm"))
        if dialog:
            result["dialog"] = dialog
            if wanted.get("confirm") is False:
                return None, {**result, "sent": False}
        workspace = self.slack.workspace
        given = dict(wanted.get("values") or {})
        if "value" in wanted:
            given[element["action_id"]] = wanted["value"]
        try:
            values = state_values(workspace, blocks, given)
        except ValueError as error:
            raise SlackError("no_such_option", why=str(error)) from None
        key, _ = slot(element)
        chosen = values.get(block["block_id"], {}).get(element["action_id"], {}).get(key)
        payload = {
            **payloads.interaction(self.slack, "block_actions", user),
            **source,
            "state": {"values": values},
            "actions": [payloads.action(element, block["block_id"], workspace.next_ts(), chosen, key)],
        }
        if "view" in payload:
            payload["view"]["state"] = payload.pop("state")
        answer = await self.slack.delivery.interaction(payload)
        return answer, result | ({"url": element["url"]} if element.get("url") else {})

    async def suggest(self, by: str, source: Json, block: Json, element: Json, typed: str) -> Json:
        """What an external select offers for the typed text."""
        user = self.person(by)
        payload = {
            **payloads.interaction(self.slack, "block_suggestion", user),
            **{key: value for key, value in source.items() if key != "response_url"},
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "value": typed,
        }
        answer = await self.slack.delivery.interaction(payload)
        if not answer.ok:
            return {"ok": False, "error": answer.outcome}
        body: Json = answer.body if isinstance(answer.body, dict) else {}
        found = body.get("options", body.get("option_groups"))
        if not isinstance(found, list) or len(found) > MOST_SUGGESTIONS:
            return {"ok": False, "error": "invalid_options"}
        return {"ok": True, **{key: body[key] for key in ("options", "option_groups") if key in body}}

    async def shortcut(self, by: str, callback_id: str, channel: str | None = None, ts: str | None = None) -> Json:
        """A global shortcut, or with `channel` and `ts` a message shortcut."""
        user = self.person(by)
        kind = "message_action" if ts else "shortcut"
        payload = {
            **payloads.interaction(self.slack, kind, user),
            "callback_id": callback_id,
            "action_ts": self.slack.workspace.next_ts(),
        }
        if ts and channel:
            place = self.slack.workspace.channel(channel, user.id)
            source = payloads.message_source(self.slack, self.slack.workspace.message(place.id, ts), user)
            source.pop("container")
            payload |= {**source, "message_ts": ts}
        answer = await self.slack.delivery.interaction(payload)
        return {"ok": answer.ok} | ({} if answer.ok else {"error": answer.outcome})

    def react(self, by: str, channel: str, ts: str, name: str) -> Json:
        """Add a person's reaction, or take it back if it is there."""
        user = self.person(by)
        place = self.slack.workspace.channel(channel, user.id)
        message = self.slack.workspace.message(place.id, ts)
        users = message.reactions.get(name, [])
        adding = user.id not in users
        changed = [*users, user.id] if adding else [one for one in users if one != user.id]
        message.reactions = {**message.reactions, name: changed}
        if not changed:
            del message.reactions[name]
        self.slack.workspace.touch(message)
        self.slack.emit(
            {
                "type": "reaction_added" if adding else "reaction_removed",
                "user": user.id,
                "reaction": name,
                "item": {"type": "message", "channel": place.id, "ts": ts},
                "item_user": message.user,
            }
        )
        return {"ok": True, "added": adding}
