"""auth.test and the way into Socket Mode."""

from __future__ import annotations

from lab.slack.api.method import Call, Method, ok
from lab.slack.model import TEAM, Json
from lab.slack.people import APP_ID, BOT_ID, BOT_USER


def auth_test(call: Call) -> Json:
    state = call.workspace.state
    return ok(
        url=f"https://{state.domain}.slack.com/",
        team=state.team_name,
        user=state.users[BOT_USER].name,
        team_id=TEAM,
        user_id=BOT_USER,
        bot_id=BOT_ID,
        is_enterprise_install=False,
    )


def connections_open(call: Call) -> Json:
    """A WebSocket address on the simulator's own host; its ticket works once."""
    base = "ws" + call.slack.base_url.removeprefix("http")
    return ok(url=f"{base}/link/?ticket={call.slack.sockets.ticket()}&app_id={APP_ID}")


def api_test(call: Call) -> Json:
    return ok(args=call.args)


METHODS = {
    "api.test": Method(api_test),
    "auth.test": Method(auth_test),
    "apps.connections.open": Method(connections_open, tier=3, token="app"),
}
