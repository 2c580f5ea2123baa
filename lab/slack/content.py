"""What an app may put into a message: the same rules for chat.*, response URLs and answers to commands."""

from __future__ import annotations

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

from lab.slack import blocks as block_kit
from lab.slack.emoji import as_stored, blocks_as_stored
from lab.slack.errors import SlackError
from lab.slack.model import Json
from lab.slack.schema import problem
from lab.slack.workspace import Workspace

MOST_ATTACHMENTS = 100
MOST_METADATA = 16_000  # Slack has a limit but does not publish it
MOST_MARKDOWN = 12_000


def decoded(args: Json, name: str, error: str = "invalid_arguments") -> Any:
    """A structured argument, which arrives as JSON text in form and query encoding. None when it is absent."""
    value = args.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except ValueError:
        raise SlackError(error) from None


def truth(value: Any) -> bool:
    """Booleans as the API takes them: JSON's own, `true`, `1`."""
    return value in (True, 1, "1", "true", "True")


def content(workspace: Workspace, args: Json) -> Json:
    """The fields of `Message` that these arguments set, and only those; perhaps none. Raises SlackError."""
    fields: Json = {}
    if args.get("markdown_text") is not None:
        return from_markdown(args)
    if args.get("text") is not None:
        fields["text"] = as_stored(str(args["text"]))
    blocks = decoded(args, "blocks", "invalid_blocks_format")
    if blocks is not None:
        fields["blocks"] = checked_blocks(workspace, blocks)
    attachments = decoded(args, "attachments", "invalid_attachments")
    if attachments is not None:
        fields["attachments"] = checked_attachments(attachments)
    metadata = decoded(args, "metadata", "invalid_metadata_format")
    if metadata is not None:
        fields["metadata"] = checked_metadata(metadata)
    return fields


def require_content(fields: Json) -> Json:
    if not (fields.get("text") or fields.get("blocks") or fields.get("attachments")):
        raise SlackError("no_text")
    return fields


def from_markdown(args: Json) -> Json:
    text = str(args["markdown_text"])
    if args.get("text") or args.get("blocks"):
        raise SlackError("markdown_text_conflict")
    if len(text) > MOST_MARKDOWN:
        raise SlackError("msg_too_long")
    return {"text": as_stored(text), "blocks": [{"type": "markdown", "text": text}]}


def checked_blocks(workspace: Workspace, blocks: Any) -> list[Json]:
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    problems = block_kit.message_problems(blocks)
    if not problems:
        for index, block in enumerate(blocks):
            picture_problems(workspace, block, f"/blocks/{index}", problems)
    if problems:
        raise SlackError.listing("invalid_blocks", problems)
    if block_kit.too_long(blocks):
        raise SlackError("msg_blocks_too_long")
    stored: list[Json] = blocks_as_stored(blocks)
    return stored


def picture_problems(workspace: Workspace, node: Any, pointer: str, problems: list[str]) -> None:
    """Slack fetches pictures when the message is posted; here only their addresses are judged, nothing is fetched."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            picture_problems(workspace, item, f"{pointer}/{index}", problems)
    elif isinstance(node, dict):
        if node.get("type") == "image":
            reference = (node.get("slack_file") or {}).get("id")
            file = workspace.state.files.get(reference) if reference else None
            if reference and (file is None or not file.completed or file.usable_at > workspace.clock.now()):
                problem(problems, "invalid slack file", f"{pointer}/slack_file")
            if node.get("image_url") and not is_public(node["image_url"]):
                problem(problems, "downloading image failed", f"{pointer}/image_url")
        for key, value in node.items():
            picture_problems(workspace, value, f"{pointer}/{key}", problems)


def is_public(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".svc", ".localhost"))


def checked_attachments(attachments: Any) -> list[Json]:
    if not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments):
        raise SlackError("invalid_attachments")
    if len(attachments) > MOST_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    problems: list[str] = []
    for index, one in enumerate(attachments):
        if "blocks" in one:
            problems += [
                text.replace("[json-pointer:", f"[json-pointer:/attachments/{index}")
                for text in block_kit.message_problems(one["blocks"])
            ]
    if problems:
        raise SlackError.listing("invalid_attachments", problems)
    stored: list[Json] = blocks_as_stored(attachments)
    return stored


def checked_metadata(metadata: Any) -> Json:
    if metadata == {}:
        return {}
    well_formed = (
        isinstance(metadata, dict)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), dict)
    )
    if not well_formed:
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata)) > MOST_METADATA:
        raise SlackError("metadata_too_large")
    return {"event_type": metadata["event_type"], "event_payload": metadata["event_payload"]}
