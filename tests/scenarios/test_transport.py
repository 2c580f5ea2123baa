"""What Bolt, slack-sdk and Slack's delivery do to a bot that does not know them: each trap has its test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from bot.engine.ports import Stored
from bot.env import RealEnv
from bot.model.errors import ConfigurationError, Unreachable
from handlers.edge import health_served, slack_edge
from handlers.settings import Listen
from lab.slack.driver import driving
from lab.slack.model import TEAM
from tests.memory import Fault
from tests.office import Company
from tests.scenarios.chat import Chat, bot_in, chat, eventually, settings_for, workspace


async def called(room: Chat, name: str) -> int:
    return sum(entry["name"] == name for entry in await room.slack.transcript())


async def test_the_word_payload_in_a_command_is_only_a_word(transport: str) -> None:
    async with chat(transport) as room:
        answer = await room.slack.say("/k8snet check payload-api.default")
        assert answer["ok"]
        await room.slack.until(contains="payload-api")


async def test_a_slow_device_delays_no_acknowledgement_and_nothing_is_obeyed_twice(transport: str) -> None:
    async with chat(transport) as room:
        room.company.firewall.fail("read", Fault.HANG_BEFORE)
        answer = await room.slack.say("/k8snet expose default", by="dana")
        assert answer == {"ok": True, "kind": "command", "outcome": "ok"}
        await room.company.firewall.hanging.wait()
        room.company.firewall.release()
        await room.slack.until(contains="waits for a yes")
        world = await room.engine.context.journal.world()
        assert len(world.operations) == 1


async def test_fifty_commands_at_once_are_each_acknowledged_and_obeyed_once_without_an_auth_test(
    transport: str,
) -> None:
    async with chat(transport) as room:
        answers = await asyncio.gather(*(room.slack.say("/k8snet whoami") for _ in range(50)))
        assert all(answer["ok"] for answer in answers)

        async def written() -> bool:
            world = await room.engine.context.journal.world()
            return sum(record.entry.kind == "asked" for record in world.records) == 50

        await eventually(written)
        assert await called(room, "auth.test") == 1
        assert await called(room, "usergroups.list") == 1


async def test_calls_share_a_few_connections() -> None:
    async with workspace() as slack, counting_relay(slack.slack.base_url) as relay:
        settings = settings_for(slack, "socket").model_copy(update={"api_url": f"{relay.url}/api/"})
        async with slack_edge(settings, frozenset(), RealEnv()) as edge:
            for _ in range(30):
                await edge.client.auth_test()
        assert relay.accepted == 1


async def test_a_lost_answer_to_a_post_is_not_posted_again(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.fault(method="chat.postMessage", kind="close_after", times=1)
        await room.slack.say("/k8snet check redis-abc-gns.default")
        await room.slack.until(contains="no usable answer")
        shown = [message for message in await room.slack.messages() if "Checking redis-abc-gns.default" in message.text]
        assert len(shown) == 1


@pytest.mark.parametrize("disturbance", ["reset", "warning", "refresh_requested", "link_disabled", "half_open"])
async def test_a_lost_connection_is_made_anew_with_a_new_ticket(disturbance: str) -> None:
    async with chat() as room:
        await room.slack.fault(where="handshake", status=409, times=2)
        before = room.workspace.slack.sockets.opened
        await room.slack.post("socket", None, do=disturbance)

        async def connected_anew() -> bool:
            return room.workspace.slack.sockets.opened > before and live(room)

        async def obeyed() -> bool:
            return bool((await room.slack.say("/k8snet whoami"))["ok"])

        await eventually(connected_anew)
        assert await called(room, "apps.connections.open") >= 2
        await eventually(obeyed)
        await room.slack.until(contains="Roles: operator")


def live(room: Chat) -> bool:
    return any(not one.half_open for one in room.workspace.slack.sockets.connections)


async def test_a_slack_that_is_away_at_the_start_is_tried_again_and_a_wrong_token_is_a_clear_mistake() -> None:
    async with workspace() as slack, driving(slack.page_url) as driver:
        await driver.fault(where="handshake", status=503, times=1)
        with pytest.raises(Unreachable, match="no socket connection"):
            async with bot_in(slack, Company()):
                pass
        settings = settings_for(slack, "socket")
        wrong = settings.model_copy(update={"app_token": SecretStr("xapp-1-wrong")})
        company = Company()
        async with slack_edge(wrong, frozenset(), RealEnv()) as edge:
            with pytest.raises(ConfigurationError, match=r"slack.app_token: .*invalid_auth"):
                async with edge.listening(company.engine()):
                    pass
        other = settings.model_copy(update={"team": "T0OTHER001"})
        with pytest.raises(ConfigurationError, match=f"belongs to workspace {TEAM}"):
            async with slack_edge(other, frozenset(), RealEnv()):
                pass


@pytest.mark.parametrize("lie", ["bad_signature", "stale", "non_numeric"])
async def test_a_request_that_slack_did_not_sign_now_does_nothing(lie: str) -> None:
    async with chat("http") as room:
        await room.slack.fault(where="delivery", kind=lie)
        answer = await room.slack.say("/k8snet expose default", by="dana")
        assert answer["error"] == "dispatch_failed"
        refused = await room.slack.logged(kind="http", name="slash_commands")
        assert refused["status"] == 401
        assert (await room.engine.context.journal.world()).seq == 0


async def test_a_request_that_comes_twice_counts_once() -> None:
    async with chat("http") as room:
        await room.slack.fault(where="delivery", kind="replay")
        await room.slack.say("/k8snet expose default", by="dana")
        again = await room.slack.logged(kind="http", name="slash_commands (replay)")
        assert again["status"] == 401
        await room.slack.until(contains="waits for a yes")
        assert len((await room.engine.context.journal.world()).operations) == 1


async def test_slacks_own_questions_are_answered_and_nonsense_is_not() -> None:
    async with chat("http") as room, httpx.AsyncClient(trust_env=False) as http:
        url = str(room.workspace.slack.delivery.request_url)
        assert (await http.post(url, content=b"payload=%7B")).status_code == 401
        delivery = room.workspace.slack.delivery
        for body, kind, status in (
            (b'{"type": "url_verification", "challenge": "c-1"}', "application/json", 200),
            (b"ssl_check=1&token=x", "application/x-www-form-urlencoded", 200),
            (b"payload=%7B", "application/x-www-form-urlencoded", 400),
            (b"[]", "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
        ):
            headers = {"Content-Type": kind, **delivery.signature_headers(body, "")}
            answer = await http.post(url, content=body, headers=headers)
            assert answer.status_code == status, body
            if b"challenge" in body:
                assert answer.json() == {"challenge": "c-1"}


async def test_healthz_tells_the_truth_about_slack_and_the_journal() -> None:
    async with (
        chat() as room,
        health_served(Listen(host="127.0.0.1", port=0), room.engine, room.ears) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        assert (await http.get("/healthz")).json() == {"ok": True, "records": 0, "under_way": 0, "problems": []}
        await room.slack.fault(where="handshake", status=503, times=0)
        await room.slack.post("socket", None, do="half_open")

        async def ill() -> bool:
            return (await http.get("/healthz")).status_code == 503

        async def well() -> bool:
            return (await http.get("/healthz")).status_code == 200

        await eventually(ill)
        assert (await http.get("/healthz")).json()["problems"] == ["the chat does not answer"]
        await room.slack.http.delete("/lab/faults")
        await eventually(well)
        torn = Stored(seq=1, at=datetime.now(UTC), body="{")
        room.company.contents.streams["journal"] = [torn]
        assert (await http.get("/healthz")).status_code == 503
        assert "cannot be read" in (await http.get("/healthz")).text


class Relay:
    """Passes bytes on to another port of this machine and counts who came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.accepted = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as both:
                both.create_task(pass_on(reader, far_writer))
                both.create_task(pass_on(far_reader, writer))


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def counting_relay(url: str) -> AsyncIterator[Relay]:
    relay = Relay(int(url.rpartition(":")[2]))
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield relay
