"""The headless control API, /lab/…: act and look as a person. JSON in, JSON out; the page and the driver use it too.

Act (POST; `as` is a person's name or id; answers when the app has acknowledged, or after three seconds)
    /lab/say       {"as","channel","text","thread_ts"?,"mangle"?:[...]}   a message, or a command when it starts with /
    /lab/click     {"as","channel","ts"?,"label"|"action_id","block_id"?,"confirm"?:true,"value"?,"values"?}
                   without ts: the newest message with such an element; {"surface":"modal"|"home"} in place of channel
    /lab/suggest   {"as","channel","ts"?,"action_id","value"}     what an external select offers
    /lab/submit    {"as","values":{action_id|block_id|label: value}}      /lab/close {"as","all"?:false}
    /lab/home      {"as","tab"?:"home"}      /lab/shortcut {"as","callback_id","channel"?,"ts"?}
    /lab/react     {"as","channel","ts","name"}
Look (GET)
    /lab/state?as=         people, channels, commands
    /lab/messages?channel=&as=&thread=&ephemeral_after=    with `plain`, `spoken`, `buttons`, `blocks`
    /lab/view?as=          the stack of modals      /lab/home?as=   the Home tab
    /lab/wait?channel=&as=&contains=|regex=&after=<seq>&timeout=<seconds, at most 60>&field=plain|spoken|text
                           the newest message that fits, as soon as there is one; 408 with what there is otherwise
    /lab/events            server-sent events, one for each change
    /lab/transcript?after=<n>&timeout=<seconds>      every request, envelope and answer, secrets redacted
Set up (POST)
    /lab/user {"user","deleted"?,...}   /lab/group {"group","users"}   /lab/member {"channel","user","join"}
    /lab/channel {"channel","archived"?,"posters"?: names, null for everybody}
    /lab/plan {"free"}                  /lab/dump (GET)                /lab/load
    /lab/clock {"advance": seconds}     /lab/limits {"enabled"}        /lab/image_delay {"seconds"}
    /lab/uninstall {}                   the app loses the workspace
    /lab/faults (GET, POST, DELETE)     see lab/slack/faults.py
    /lab/socket {"do":"warning"|"refresh_requested"|"link_disabled"|"reset"|"half_open","connection"?:number}
    /lab/sockets {"spread"?:"round_robin"|"random","foreign_acks"?:bool}   and GET for the open connections
    /lab/network (GET), /lab/network/switch {"id","on"}     only where the composition provides a network
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from lab.slack import administration, payloads, picture
from lab.slack.acting import Acting
from lab.slack.content import truth
from lab.slack.core import Slack
from lab.slack.errors import SlackError
from lab.slack.faults import Fault
from lab.slack.modals import Modals
from lab.slack.model import Json, Message
from lab.slack.workspace import Change

LONGEST_WAIT = 60.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    def __init__(self, slack: Slack) -> None:
        self.slack = slack
        self.acting = Acting(slack)
        self.modals = Modals(self.acting)

    def routes(self) -> list[web.RouteDef]:
        posts: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "say": self.say,
            "click": self.click,
            "suggest": self.suggest,
            "submit": self.submit,
            "close": self.close,
            "home": self.open_home,
            "shortcut": self.shortcut,
            "react": self.react,
            "user": self.user,
            "group": self.group,
            "member": self.member,
            "channel": self.channel,
            "uninstall": self.uninstall,
            "plan": self.plan,
            "load": self.load,
            "clock": self.clock,
            "limits": self.limits,
            "image_delay": self.image_delay,
            "faults": self.add_fault,
            "socket": self.disturb,
            "sockets": self.sockets,
            "network/switch": self.switch,
        }
        gets: dict[str, Handler] = {
            "state": self.state,
            "messages": self.messages,
            "view": self.view,
            "home": self.home,
            "wait": self.wait,
            "events": self.events,
            "transcript": self.transcript,
            "dump": self.dump,
            "faults": self.faults,
            "sockets": self.connections,
            "network": self.network,
        }
        return [
            *(web.post(f"/lab/{name}", self.posting(handler)) for name, handler in posts.items()),
            *(web.get(f"/lab/{name}", self.getting(handler)) for name, handler in gets.items()),
            web.delete("/lab/faults", self.clear_faults),
        ]

    def posting(self, handler: Callable[[Json], Awaitable[Json]]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                body = await request.json() if request.can_read_body else {}
                return web.json_response(await handler(body))
            except SlackError as error:
                return web.json_response(error.body, status=422)
            except ValidationError as error:
                return refused("invalid_json", error.errors(include_url=False, include_context=False))
            except KeyError as missing:
                return refused("missing", f"the request lacks {missing}")
            except json.JSONDecodeError as error:
                return refused("invalid_json", f"the body must be JSON: {error}")
            except (ValueError, TypeError) as error:
                return refused("invalid", str(error))

        return handle

    def getting(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except SlackError as error:
                return web.json_response(error.body, status=422)
            except KeyError as missing:
                return refused("missing", f"the request lacks {missing}")
            except (ValueError, re.error) as error:
                return refused("invalid", str(error))

        return handle

    # act ---------------------------------------------------------------------------------------------------------

    async def say(self, body: Json) -> Json:
        return await self.acting.say(
            body["as"], body["channel"], body["text"], body.get("thread_ts"), body.get("mangle", ())
        )

    async def click(self, body: Json) -> Json:
        wanted = {key: body[key] for key in WANTED if key in body}
        if body.get("surface", "message") != "message":
            return await self.modals.click(body["as"], body["surface"], **wanted)
        return await self.acting.click(body["as"], body["channel"], body.get("ts"), **wanted)

    async def suggest(self, body: Json) -> Json:
        wanted: Json = {key: body[key] for key in ("action_id", "label", "block_id") if key in body}
        user = self.acting.person(body["as"])
        if body.get("surface", "message") != "message":
            view = self.modals.shown(body["as"], body["surface"])
            block, element = self.acting.reader.find(view.payload["blocks"], wanted)
            source = payloads.view_source(view)
        else:
            place = self.slack.workspace.channel(body["channel"], user.id)
            message, block, element = self.acting.target(place, user, body.get("ts"), wanted)
            source = payloads.message_source(self.slack, message, user)
        return await self.acting.suggest(body["as"], source, block, element, str(body.get("value", "")))

    async def submit(self, body: Json) -> Json:
        return await self.modals.submit(body["as"], body.get("values", {}))

    async def close(self, body: Json) -> Json:
        return await self.modals.close(body["as"], everything=truth(body.get("all")))

    async def open_home(self, body: Json) -> Json:
        return self.modals.open_home(body["as"], body.get("tab", "home"))

    async def shortcut(self, body: Json) -> Json:
        return await self.acting.shortcut(body["as"], body["callback_id"], body.get("channel"), body.get("ts"))

    async def react(self, body: Json) -> Json:
        return self.acting.react(body["as"], body["channel"], body["ts"], body["name"])

    # look --------------------------------------------------------------------------------------------------------

    async def state(self, request: web.Request) -> web.Response:
        viewer = self.slack.workspace.user(request.query["as"])
        return web.json_response(picture.state(self.slack, viewer))

    async def messages(self, request: web.Request) -> web.Response:
        """Ephemerals are not history: a page passes the moment it was loaded and gets only later ones."""
        found = self.visible(request)
        after = float(request.query.get("ephemeral_after", 0))
        thread = request.query.get("thread")
        shown = [
            one
            for one in found
            if (one.visible_to is None or float(one.ts) > after)
            and (thread is None or thread in (one.ts, one.thread_ts))
        ]
        return web.json_response({"ok": True, "messages": [picture.message(self.slack, one) for one in shown]})

    def visible(self, request: web.Request) -> list[Message]:
        viewer = self.slack.workspace.user(request.query["as"]).id
        place = self.slack.workspace.channel(request.query["channel"], viewer)
        return self.slack.workspace.messages(place.id, viewer)

    async def view(self, request: web.Request) -> web.Response:
        user = self.slack.workspace.user(request.query["as"])
        stack = [picture.view(self.slack, one) for one in self.modals.stack(user.id)]
        return web.json_response({"ok": True, "views": stack})

    async def home(self, request: web.Request) -> web.Response:
        user = self.slack.workspace.user(request.query["as"])
        home = self.slack.workspace.state.homes.get(user.id)
        return web.json_response({"ok": True, "view": picture.view(self.slack, home) if home else None})

    async def wait(self, request: web.Request) -> web.Response:
        """Long poll on real time; the lab's clock does not matter here."""
        seconds = min(float(request.query.get("timeout", 10)), LONGEST_WAIT)
        fits = condition(dict(request.query))
        queue = self.listen()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for one in sorted(self.visible(request), key=lambda one: one.seq, reverse=True):
                        shown = picture.message(self.slack, one)
                        if fits(shown):
                            return web.json_response({"ok": True, "message": shown})
                    await queue.get()
        except TimeoutError:
            there = [self.acting.reader.message(one) for one in self.visible(request)[-5:]]
            return web.json_response({"ok": False, "error": "timeout", "last": there}, status=408)
        finally:
            self.slack.listeners.discard(queue)

    def listen(self) -> asyncio.Queue[Change]:
        queue: asyncio.Queue[Change] = asyncio.Queue()
        self.slack.listeners.add(queue)
        return queue

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue = self.listen()
        try:
            await response.write(b"retry: 500\n\n")
            while True:
                change = await queue.get()
                if change.kind == "stopped":
                    break
                await response.write(f"data: {json.dumps(vars(change))}\n\n".encode())
        except ConnectionError:
            pass  # the page went away
        finally:
            self.slack.listeners.discard(queue)
        return response

    async def transcript(self, request: web.Request) -> web.Response:
        after, transcript = int(request.query.get("after", 0)), self.slack.transcript
        seconds = min(float(request.query.get("timeout", 0)), LONGEST_WAIT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while transcript.count <= after and seconds:
                    await transcript.more.wait()
        entries = [entry for entry in transcript.entries if entry["n"] > after]
        return web.json_response({"ok": True, "entries": entries})

    async def dump(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self.slack.workspace.to_json())

    # set up ------------------------------------------------------------------------------------------------------

    async def user(self, body: Json) -> Json:
        return administration.change_user(self.slack, body.pop("user"), **body)

    async def group(self, body: Json) -> Json:
        return administration.change_group(self.slack, body["group"], body["users"])

    async def member(self, body: Json) -> Json:
        return administration.change_member(self.slack, body["channel"], body["user"], join=truth(body["join"]))

    async def channel(self, body: Json) -> Json:
        return administration.change_channel(self.slack, body.pop("channel"), **body)

    async def uninstall(self, body: Json) -> Json:
        del body
        return administration.uninstall(self.slack)

    async def plan(self, body: Json) -> Json:
        self.slack.workspace.state.free_plan = truth(body["free"])
        return {"ok": True}

    async def load(self, body: Json) -> Json:
        self.slack.load(body)
        return {"ok": True}

    async def clock(self, body: Json) -> Json:
        self.slack.clock.advance(float(body["advance"]))
        return {"ok": True, "now": self.slack.clock.now()}

    async def limits(self, body: Json) -> Json:
        self.slack.limits.enabled = truth(body["enabled"])
        return {"ok": True}

    async def image_delay(self, body: Json) -> Json:
        self.slack.workspace.state.image_delay = float(body["seconds"])
        return {"ok": True}

    async def faults(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"faults": [one.model_dump() for one in self.slack.faults.waiting]})

    async def add_fault(self, body: Json) -> Json:
        self.slack.faults.add(Fault.model_validate(body))
        return {"ok": True}

    async def clear_faults(self, request: web.Request) -> web.Response:
        del request
        self.slack.faults.clear()
        return web.json_response({"ok": True})

    async def disturb(self, body: Json) -> Json:
        wanted = body.get("connection")
        chosen = [one for one in list(self.slack.sockets.connections) if wanted in (None, one.number)]
        for connection in chosen:
            await self.slack.sockets.disturb(connection, body["do"])
        return {"ok": True, "connections": [one.number for one in chosen]}

    async def sockets(self, body: Json) -> Json:
        if body.get("spread") in ("round_robin", "random"):
            self.slack.sockets.spread = body["spread"]
        if "foreign_acks" in body:
            self.slack.sockets.foreign_acks = truth(body["foreign_acks"])
        return {"ok": True}

    async def connections(self, request: web.Request) -> web.Response:
        del request
        open_now = [
            {"number": one.number, "half_open": one.half_open, "draining": one.draining}
            for one in self.slack.sockets.connections
        ]
        return web.json_response({"ok": True, "connections": open_now, "opened": self.slack.sockets.opened})

    async def network(self, request: web.Request) -> web.Response:
        del request
        if self.slack.network is None:
            raise web.HTTPNotFound(text="no network is shown beside this workspace")
        return web.json_response(self.slack.network.describe())

    async def switch(self, body: Json) -> Json:
        if self.slack.network is None:
            raise web.HTTPNotFound(text="no network is shown beside this workspace")
        await self.slack.network.switch(str(body["id"]), truth(body["on"]))
        self.slack.workspace.changed("network")
        return {"ok": True, **self.slack.network.describe()}


WANTED = ("action_id", "label", "block_id", "confirm", "value", "values")


def condition(query: dict[str, str]) -> Callable[[Json], bool]:
    """The test that /lab/wait applies to messages. Raises ValueError for a bad number, re.error for a bad pattern."""
    after = int(query.get("after", 0))
    field = query.get("field", "plain")
    contains, pattern = query.get("contains", ""), re.compile(query.get("regex", ""), re.DOTALL)

    def fits(message: Json) -> bool:
        text = str(message.get(field, ""))
        return message["seq"] > after and contains in text and pattern.search(text) is not None

    return fits


def refused(code: str, why: Any) -> web.Response:
    return web.json_response({"ok": False, "error": code, "why": why}, status=400)
