"""The HTTP surface the app speaks to: /api/<method>, /hooks/…, /upload/…, /link/."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from lab.slack.api import METHODS
from lab.slack.api.files import receive
from lab.slack.api.method import Call, Method
from lab.slack.core import Slack
from lab.slack.errors import SlackError
from lab.slack.faults import Fault
from lab.slack.model import Json

HTML = "<!DOCTYPE html><html><head><title>Slack</title></head><body><h1>Something's gone wrong</h1></body></html>"


async def arguments(request: web.Request) -> Json:
    """The call's arguments from query, form or multipart and JSON body, merged; the body wins."""
    merged: Json = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        merged |= body
    elif request.content_type == "multipart/form-data":
        form = await request.post()
        merged |= {key: value for key, value in form.items() if isinstance(value, str)}
    else:
        text = await request.text()
        merged |= dict(parse_qsl(text, keep_blank_values=True))
    return merged


def bearer(request: web.Request, args: Json) -> str:
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return header.removeprefix("Bearer ")
    return str(args.get("token") or "")


class Endpoints:
    def __init__(self, slack: Slack) -> None:
        self.slack = slack

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/api/{method}", self.api),
            web.post("/hooks/{path:.+}", self.hook),
            web.post("/upload/{file}/{secret}", self.upload),
            web.get("/link/", self.slack.sockets.accept),
        ]

    async def api(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        began = self.slack.clock.now()
        fault = self.slack.faults.next("api", name)
        args: Json = {}
        try:
            args = await arguments(request)
            response = await self.answer(request, name, args, fault)
        except SlackError as error:
            response = self.response(error.body)
        details = {"fault": fault.kind} if fault else {}
        self.slack.transcript.add(
            "api", name, began, request=args, status=response.status, response=body_of(response), **details
        )
        if fault and fault.kind in ("close_after", "close_before") and request.transport:
            request.transport.abort()
        return response

    async def answer(self, request: web.Request, name: str, args: Json, fault: Fault | None) -> web.Response:
        if fault and fault.kind == "slow":
            await self.slack.clock.sleep(fault.seconds)
        elif fault and fault.kind != "close_after":
            return self.faulty(fault)
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        self.authenticate(bearer(request, args), method)
        channel = self.slack.workspace.find_channel(str(args.get("channel", "")))
        wait = self.slack.limits.wait(name, method.tier, channel.id if channel else args.get("channel"))
        if wait:
            return self.limited(wait)
        call = Call(self.slack, {key: value for key, value in args.items() if key != "token"})
        if method.scope:
            call.need(method.scope)
        return self.response(method.handler(call))

    def authenticate(self, token: str, method: Method) -> None:
        if not token:
            raise SlackError("not_authed")
        kinds = {self.slack.tokens.bot: "bot", self.slack.tokens.app: "app"}
        if token not in kinds:
            raise SlackError("invalid_auth")
        if not self.slack.installed:
            raise SlackError("account_inactive")
        if kinds[token] != method.token:
            raise SlackError("not_allowed_token_type")

    def faulty(self, fault: Fault) -> web.Response:
        match fault.kind:
            case "html":
                return web.Response(text=HTML, content_type="text/html")
            case "ratelimited":
                return self.limited(fault.retry_after)
            case "error":
                return self.response({"ok": False, "error": fault.error})
            case "close_before":
                return self.response({"ok": False, "error": "connection_closed"})
        return web.json_response({"ok": False, "error": "internal_error"}, status=fault.status)

    def limited(self, seconds: int) -> web.Response:
        response = self.response({"ok": False, "error": "ratelimited"}, 429)
        response.headers["Retry-After"] = str(seconds)
        return response

    def response(self, body: Json, status: int = 200) -> web.Response:
        headers = {"x-oauth-scopes": ",".join(self.slack.manifest.scopes)}
        return web.json_response(body, status=status, headers=headers)

    async def hook(self, request: web.Request) -> web.Response:
        """A response URL: `ok` as plain text, or an error with status 404; faults know it as method `response_url`."""
        began = self.slack.clock.now()
        path = request.match_info["path"]
        if fault := self.slack.faults.next("api", "response_url"):
            return self.faulty(fault)
        status, text, body = 200, "ok", {}
        try:
            body = await arguments(request)
            if isinstance(body.get("payload"), str):
                body = json.loads(body["payload"])
            self.slack.hooks.answer(path, body)
        except SlackError as error:
            status, text = 404, json.dumps(error.body)
        self.slack.transcript.add(
            "response_url", path.partition("/")[0], began, request=body, status=status, response=text
        )
        kind = "text/plain" if status == 200 else "application/json"
        return web.Response(text=text, status=status, content_type=kind)

    async def upload(self, request: web.Request) -> web.Response:
        began = self.slack.clock.now()
        content = await self.uploaded_bytes(request)
        try:
            text = receive(self.slack.workspace, request.match_info["file"], request.match_info["secret"], content)
            status = 200
        except SlackError as error:
            text, status = error.code, 400
        self.slack.transcript.add("upload", request.match_info["file"], began, bytes=len(content), response=text)
        return web.Response(text=text, status=status)

    async def uploaded_bytes(self, request: web.Request) -> bytes:
        if request.content_type != "multipart/form-data":
            return await request.read()
        for value in (await request.post()).values():
            if isinstance(value, web.FileField):
                return value.file.read()
        return b""


def body_of(response: web.Response) -> Any:
    if response.content_type != "application/json":
        return response.text
    return json.loads(response.text or "null")
