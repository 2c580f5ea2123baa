"""users.*, usergroups.* and bots.info."""

from __future__ import annotations

from lab.slack import wire
from lab.slack.api.method import Call, Method, ok
from lab.slack.content import truth
from lab.slack.errors import SlackError
from lab.slack.model import Json
from lab.slack.people import BOT_ID


def shows_email(call: Call) -> bool:
    return "users:read.email" in call.slack.manifest.scopes


def user_info(call: Call) -> Json:
    [reference] = call.required("user")
    user = call.workspace.state.users.get(reference)
    if user is None:
        raise SlackError("user_not_found")
    return ok(user=wire.user(user, email=shows_email(call)))


def users_list(call: Call) -> Json:
    found, metadata = call.page(list(call.workspace.state.users.values()))
    members = [wire.user(one, email=shows_email(call)) for one in found]
    return ok(members=members, cache_ts=int(call.slack.clock.now()), response_metadata=metadata)


def paid(call: Call) -> None:
    if call.workspace.state.free_plan:
        raise SlackError("plan_upgrade_required")


def groups_list(call: Call) -> Json:
    paid(call)
    disabled = truth(call.args.get("include_disabled"))
    users = truth(call.args.get("include_users"))
    groups = [one for one in call.workspace.state.groups.values() if disabled or not one.date_delete]
    return ok(usergroups=[wire.group(one, users=users) for one in groups])


def group_users(call: Call) -> Json:
    paid(call)
    [reference] = call.required("usergroup")
    group = call.workspace.state.groups.get(reference)
    if group is None or (group.date_delete and not truth(call.args.get("include_disabled"))):
        raise SlackError("no_such_subteam")
    return ok(users=group.users)


def bot_info(call: Call) -> Json:
    if call.args.get("bot", BOT_ID) != BOT_ID:
        raise SlackError("bot_not_found")
    return ok(bot=wire.bot_profile(call.workspace))


METHODS = {
    "users.info": Method(user_info, "users:read", 4),
    "users.list": Method(users_list, "users:read", 2),
    "usergroups.list": Method(groups_list, "usergroups:read", 2),
    "usergroups.users.list": Method(group_users, "usergroups:read", 2),
    "bots.info": Method(bot_info, "users:read", 3),
}
