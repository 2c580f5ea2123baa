"""views.*: modals and the Home tab."""

from __future__ import annotations

import json
from typing import Any

from lab.slack import wire
from lab.slack.api.method import Call, Method, ok
from lab.slack.blocks import VIEW_BYTES, view_problems
from lab.slack.content import decoded, picture_problems
from lab.slack.emoji import blocks_as_stored
from lab.slack.errors import SlackError
from lab.slack.model import Json, View
from lab.slack.workspace import Workspace

DEEPEST = 3


def checked(workspace: Workspace, view: Any, kind: str, replaced: View | None = None) -> Json:
    """A view that Slack would show. Raises SlackError view_too_large, invalid_arguments or duplicate_external_id."""
    if not isinstance(view, dict):
        raise SlackError.listing("invalid_arguments", ["must provide an object [json-pointer:/view]"])
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    problems = view_problems(view)
    if not problems and view["type"] != kind:
        problems = [f"must be of type {kind} [json-pointer:/view/type]"]
    if not problems:
        for index, block in enumerate(view["blocks"]):
            picture_problems(workspace, block, f"/view/blocks/{index}", problems)
    if problems:
        raise SlackError.listing("invalid_arguments", problems)
    other = workspace.find_view(None, view.get("external_id"))
    if other is not None and (replaced is None or other.id != replaced.id):
        raise SlackError("duplicate_external_id")
    stored: Json = blocks_as_stored(view)
    return stored


def opened(call: Call) -> Json:
    [trigger_id] = call.required("trigger_id")
    payload = checked(call.workspace, decoded(call.args, "view"), "modal")
    owner = call.slack.triggers.use(trigger_id)
    view = call.workspace.new_view(owner, payload)
    call.workspace.state.modals[owner] = [view]
    call.workspace.changed("view", None, None, owner)
    return ok(view=wire.view(view))


def pushed(call: Call) -> Json:
    [trigger_id] = call.required("trigger_id")
    payload = checked(call.workspace, decoded(call.args, "view"), "modal")
    owner = call.slack.triggers.use(trigger_id)
    return ok(view=wire.view(push(call.workspace, owner, payload)))


def push(workspace: Workspace, owner: str, payload: Json) -> View:
    """Put a modal on the person's stack. Raises SlackError not_found or push_limit_reached."""
    stack = workspace.state.modals.get(owner)
    if not stack:
        raise SlackError("not_found")
    if len(stack) >= DEEPEST:
        raise SlackError("push_limit_reached")
    view = workspace.new_view(owner, payload, stack[-1])
    stack.append(view)
    workspace.changed("view", None, None, owner)
    return view


def updated(call: Call) -> Json:
    view_id, external_id = call.args.get("view_id"), call.args.get("external_id")
    if not view_id and not external_id:
        raise SlackError.listing("invalid_arguments", ["missing required field: view_id"])
    view = call.workspace.find_view(view_id, external_id)
    if view is None:
        raise SlackError("not_found")
    payload = checked(call.workspace, decoded(call.args, "view"), view.payload["type"], view)
    if call.args.get("hash") and call.args["hash"] != view.hash:
        raise SlackError("hash_conflict")
    call.workspace.replace_view(view, payload)
    return ok(view=wire.view(view))


def published(call: Call) -> Json:
    [user_id] = call.required("user_id")
    if not call.slack.manifest.home_tab:
        raise SlackError("not_enabled")
    user = call.workspace.state.users.get(user_id)
    if user is None or user.deleted:
        raise SlackError.listing("invalid_arguments", ["invalid `user_id` [json-pointer:/user_id]"])
    homes = call.workspace.state.homes
    payload = checked(call.workspace, decoded(call.args, "view"), "home", homes.get(user_id))
    current = homes.get(user_id)
    if current is not None and call.args.get("hash") and call.args["hash"] != current.hash:
        raise SlackError("hash_conflict")
    if current is None:
        homes[user_id] = call.workspace.new_view(user_id, payload)
        call.workspace.changed("view", None, None, user_id)
    else:
        call.workspace.replace_view(current, payload)
    return ok(view=wire.view(homes[user_id]))


METHODS = {
    "views.open": Method(opened, tier=4),
    "views.push": Method(pushed, tier=4),
    "views.update": Method(updated, tier=4),
    "views.publish": Method(published, tier=4),
}
