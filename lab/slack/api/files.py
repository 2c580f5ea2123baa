"""Uploads in three steps: announce, send the bytes, complete."""

from __future__ import annotations

import base64
import mimetypes
from typing import Any

from lab.slack import wire
from lab.slack.api.chat import destination, thread
from lab.slack.api.method import Call, Method, ok
from lab.slack.content import decoded
from lab.slack.emoji import as_stored
from lab.slack.errors import SlackError
from lab.slack.model import File, Json
from lab.slack.people import BOT_USER
from lab.slack.workspace import Workspace


def announce(call: Call) -> Json:
    [name, _] = call.required("filename", "length")
    size = call.integer("length", 0)
    if size <= 0:
        raise SlackError.listing("invalid_arguments", ["must be greater than 0 [json-pointer:/length]"])
    file = File(
        id=call.workspace.new_id("F"),
        name=name,
        mimetype=mimetypes.guess_type(name)[0] or "text/plain",
        size=size,
        user=BOT_USER,
        created=int(call.slack.clock.now()),
        upload_secret=call.workspace.digest("upload")[:32],
    )
    call.workspace.state.files[file.id] = file
    return ok(upload_url=f"{call.slack.base_url}/upload/{file.id}/{file.upload_secret}", file_id=file.id)


def receive(workspace: Workspace, file_id: str, secret: str, content: bytes) -> str:
    """The second step; answers `OK - <bytes>`. Raises SlackError."""
    file = workspace.state.files.get(file_id)
    if file is None or file.upload_secret != secret or file.completed:
        raise SlackError("invalid_upload_url")
    if len(content) != file.size:
        raise SlackError("size_mismatch")
    file.content = base64.b64encode(content).decode()
    return f"OK - {len(content)}"


def complete(call: Call) -> Json:
    wanted: Any = decoded(call.args, "files")
    if not isinstance(wanted, list) or not wanted:
        raise SlackError.listing("invalid_arguments", ["missing required field: files"])
    files = [uploaded(call, one) for one in wanted]
    reference = call.args.get("channel_id")
    channel = destination(Call(call.slack, {"channel": reference})) if reference else None
    for file, one in zip(files, wanted, strict=True):
        file.title, file.completed = str(one.get("title") or file.name), True
        file.usable_at = call.slack.clock.now() + call.workspace.state.image_delay
    if channel:
        for file in files:
            file.channels.append(channel.id)
        call.workspace.post_as_app(
            channel,
            text=as_stored(str(call.args.get("initial_comment") or "")),
            files=[file.id for file in files],
            thread_ts=thread(call, channel),
        )
    return ok(files=[wire.file(file) for file in files])


def uploaded(call: Call, one: Json) -> File:
    file = call.workspace.state.files.get(str(one.get("id")))
    if file is None or file.content is None or file.completed:
        raise SlackError("file_not_found")
    return file


METHODS = {
    "files.getUploadURLExternal": Method(announce, "files:write", 4),
    "files.completeUploadExternal": Method(complete, "files:write", 4),
}
