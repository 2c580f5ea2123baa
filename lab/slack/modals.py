"""What a person does with modals and the app's Home tab."""

from __future__ import annotations

from typing import Any

from lab.slack import payloads, wire
from lab.slack.acting import TROUBLE, Acting
from lab.slack.api.views import checked, push
from lab.slack.errors import SlackError
from lab.slack.forms import Unfilled, refuse_unfilled, state_values
from lab.slack.model import Json, User, View
from lab.slack.people import BOT_USER


class Modals:
    def __init__(self, acting: Acting) -> None:
        self.acting = acting
        self.slack = acting.slack

    def stack(self, user_id: str) -> list[View]:
        return self.slack.workspace.state.modals.get(user_id, [])

    def top(self, user: User) -> View:
        """The modal in front. SlackError no_modal_open."""
        stack = self.stack(user.id)
        if not stack:
            raise SlackError("no_modal_open")
        return stack[-1]

    def shown(self, by: str, surface: str) -> View:
        """The person's `modal` or `home`. SlackError when there is none."""
        user = self.acting.person(by)
        if surface == "modal":
            return self.top(user)
        home = self.slack.workspace.state.homes.get(user.id)
        if home is None:
            raise SlackError("no_home_published")
        return home

    async def click(self, by: str, surface: str, **wanted: Any) -> Json:
        """Press something in the modal in front or on the Home tab."""
        user, view = self.acting.person(by), self.shown(by, surface)
        blocks = view.payload["blocks"]
        block, element = self.acting.reader.find(blocks, wanted)
        source = payloads.view_source(view)
        answer, result = await self.acting.press(user, source, blocks, block, element, wanted)
        if answer is not None and not answer.ok:
            return {"ok": False, "error": answer.outcome, "line": f"{TROUBLE} ({answer.outcome})"}
        return result

    async def submit(self, by: str, values: Json) -> Json:
        """Send the modal in front with these inputs; `errors` by block when the client or the app objects."""
        user = self.acting.person(by)
        view = self.top(user)
        try:
            filled = state_values(self.slack.workspace, view.payload["blocks"], values)
            refuse_unfilled(view.payload["blocks"], filled)
        except Unfilled as unfilled:
            return {"ok": False, "errors": unfilled.errors, "sent": False}
        except ValueError as error:
            raise SlackError("no_such_option", why=str(error)) from None
        view.values = filled
        payload = {
            **payloads.interaction(self.slack, "view_submission", user),
            "view": wire.view(view),
            "response_urls": self.response_urls(view, user),
        }
        answer = await self.slack.delivery.interaction(payload)
        if not answer.ok:
            return {"ok": False, "error": answer.outcome, "line": f"{TROUBLE} ({answer.outcome})"}
        return self.obey(user, view, answer.body if isinstance(answer.body, dict) else {})

    def obey(self, user: User, view: View, body: Json) -> Json:
        """The answer to a submission: close, clear, update, push, or show errors."""
        workspace = self.slack.workspace
        action = body.get("response_action")
        try:
            match action:
                case "errors":
                    return {"ok": False, "errors": body["errors"], "sent": True}
                case "update":
                    workspace.replace_view(view, checked(workspace, body["view"], "modal", view))
                case "push":
                    push(workspace, user.id, checked(workspace, body["view"], "modal"))
                case "clear":
                    self.remove(user, self.stack(user.id)[0])
                case _:
                    self.remove(user, view)
        except (SlackError, KeyError) as error:
            code = error.code if isinstance(error, SlackError) else "invalid_response"
            return {"ok": False, "error": code, "line": "We had some trouble connecting. Try again?"}
        return {"ok": True, "kind": "submit", "action": action or "close"}

    def remove(self, user: User, view: View) -> None:
        """Take a modal, and what was pushed over it, off the person's screen."""
        stack = self.stack(user.id)
        if view in stack:
            del stack[stack.index(view) :]
            self.slack.workspace.changed("view", None, None, user.id)

    def response_urls(self, view: View, user: User) -> list[Json]:
        urls = []
        for block in view.payload["blocks"]:
            element = block.get("element", {})
            if not element.get("response_url_enabled"):
                continue
            chosen = view.values[block["block_id"]][element["action_id"]]
            channel = chosen.get("selected_conversation") or chosen.get("selected_channel")
            if channel:
                urls.append(
                    {
                        "block_id": block["block_id"],
                        "action_id": element["action_id"],
                        "channel_id": channel,
                        "response_url": self.slack.hooks.issue("commands", channel, user.id),
                    }
                )
        return urls

    async def close(self, by: str, *, everything: bool = False) -> Json:
        """Close the modal in front, or with `everything` (the ✕) the whole stack."""
        user = self.acting.person(by)
        front = self.top(user)
        closed = self.stack(user.id)[0] if everything else front
        self.remove(user, closed)
        if closed.payload.get("notify_on_close"):
            closed.values = {}
            payload = {
                **payloads.interaction(self.slack, "view_closed", user),
                "view": wire.view(closed),
                "is_cleared": everything,
            }
            await self.slack.delivery.interaction(payload)
        return {"ok": True, "kind": "close"}

    def open_home(self, by: str, tab: str = "home") -> Json:
        """Look at the app's page; the app hears of it in both tabs."""
        user = self.acting.person(by)
        workspace = self.slack.workspace
        channel = workspace.conversation(user.id, BOT_USER)
        body: Json = {"type": "app_home_opened", "user": user.id, "channel": channel.id, "tab": tab}
        home = workspace.state.homes.get(user.id)
        if home is not None and tab == "home":
            body["view"] = wire.view(home)
        self.slack.emit(body)
        return {"ok": True, "kind": "home", "channel": channel.id}
