"""What answers in Slack's place is not Slack: only its own no is a no."""

import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.model.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from handlers.app import http_session
from handlers.settings import Listen, SlackSettings
from handlers.web import serving
from handlers.web_api import call, web_client

HTML = {"text": "<html>Please log in</html>", "content_type": "text/html"}


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (200, HTML, OutcomeUnknown),
        (403, HTML, OutcomeUnknown),
        (407, HTML, OutcomeUnknown),
        (404, HTML, OutcomeUnknown),
        (502, HTML, Unreachable),
        (200, {"text": "", "content_type": "application/json"}, OutcomeUnknown),
        (200, {"text": "[]", "content_type": "application/json"}, OutcomeUnknown),
        (200, {"text": '{"ok": false}', "content_type": "application/json"}, OutcomeUnknown),
        (200, {"text": '{"ok": false, "error": "channel_not_found"}', "content_type": "application/json"}, Rejected),
        (200, {"text": '{"ok": false, "error": "internal_error"}', "content_type": "application/json"}, Unreachable),
    ],
)
async def test_only_slack_s_own_no_is_a_no(status: int, answer: dict[str, str], error: type[BackendError]) -> None:
    async def answered(_: web.Request) -> web.Response:
        return web.Response(status=status, **answer)

    listen = Listen(host="127.0.0.1", port=0)
    async with serving(listen, web.post("/api/{method}", answered)) as port, http_session() as session:
        settings = SlackSettings(
            team="T0LAB0001",
            bot_token=SecretStr("xoxb-secret"),
            app_token=SecretStr("xapp-secret"),
            audit_channel="C0AUDIT001",
            api_url=f"http://127.0.0.1:{port}/api/",
        )
        client = web_client(settings, session, patient=False)
        with pytest.raises(error) as caught:
            await call("chat.postMessage", client.chat_postMessage(channel="C1", text="hello"))
        assert type(caught.value) is error
        assert "secret" not in str(caught.value)
