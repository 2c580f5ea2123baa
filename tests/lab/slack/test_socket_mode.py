"""Checks 30 to 37: tickets, envelopes, acknowledgements, and every way a connection can end."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack

import aiohttp
import pytest
import websockets
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from lab.slack.clock import Clock
from lab.slack.driver import Driver
from lab.slack.server import Running

from .apps import BoltApp, RawSocket, actions, modal, raw_socket, section, ticket_url

COMMAND = "/k8snet status"


async def connect_status(url: str) -> int:
    with pytest.raises(websockets.InvalidStatus) as caught:
        await websockets.connect(url, proxy=None)
    return caught.value.response.status_code


async def test_check_30_a_ticket_works_once_and_not_for_long(lab: Running, clock: Clock) -> None:
    url = await ticket_url(lab)
    assert url.startswith("ws://127.0.0.1:")
    assert "ticket=" in url
    async with websockets.connect(url, proxy=None):
        assert await connect_status(url) == 408
    late = await ticket_url(lab)
    clock.advance(31)
    assert await connect_status(late) == 408
    assert await connect_status(late.replace("ticket=", "ticket=x")) == 408


async def test_check_30_the_eleventh_connection_is_too_many(lab: Running) -> None:
    async with AsyncExitStack() as stack:
        for number in range(10):
            one = await stack.enter_async_context(raw_socket(lab))
            assert one.hello["num_connections"] == number + 1
        eleventh = await stack.enter_async_context(raw_socket(lab))
        assert eleventh.hello == {
            "type": "disconnect",
            "reason": "too_many_websockets",
            "debug_info": {"host": "applink-lab"},
        }
        with pytest.raises(websockets.ConnectionClosed):
            await eleventh.receive()


async def test_check_31_hello_and_envelopes_have_the_recorded_form(lab: Running, slack: Driver) -> None:
    async with raw_socket(lab) as app:
        assert app.hello["type"] == "hello"
        assert app.hello["num_connections"] == 1
        assert app.hello["connection_info"]["app_id"] == "A0K8SNET01"
        saying = asyncio.ensure_future(slack.say(COMMAND))
        command = await app.receive()
        assert (command["type"], command["accepts_response_payload"]) == ("slash_commands", True)
        assert uuid.UUID(command["envelope_id"]).version == 4
        assert "retry_attempt" not in command
        await app.ack(command, {"text": "fine"})
        assert (await saying)["ok"]
        await slack.say("@k8snet hello")
        event = await app.receive()
        assert (event["type"], event["accepts_response_payload"]) == ("events_api", False)
        assert (event["retry_attempt"], event["retry_reason"]) == (0, "")
        await app.ack(event)


async def test_check_31_clicks_accept_no_payload_but_submissions_do(
    lab: Running, slack: Driver, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel="net-ops", text="t", blocks=[section("Plan"), actions()])
    async with raw_socket(lab) as app:
        clicking = asyncio.ensure_future(slack.click("Apply"))
        click = await app.receive()
        assert (click["type"], click["accepts_response_payload"]) == ("interactive", False)
        view = modal(submit={"type": "plain_text", "text": "Send"})
        await client.views_open(trigger_id=click["payload"]["trigger_id"], view=view)
        await app.ack(click)
        await clicking
        submitting = asyncio.ensure_future(slack.submit())
        submission = await app.receive()
        assert (submission["type"], submission["accepts_response_payload"]) == ("interactive", True)
        await app.ack(submission)
        assert (await submitting)["ok"]


async def receives(lab: Running, slack: Driver, count: int) -> list[int]:
    """Which of three connections got each of `count` commands."""
    got: list[int] = []

    async def answer(number: int, app: RawSocket) -> None:
        while True:
            envelope = await app.receive()
            got.append(number)
            await app.ack(envelope)

    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(raw_socket(lab)) for _ in range(3)]
        tasks = [asyncio.ensure_future(answer(number, app)) for number, app in enumerate(apps)]
        for _ in range(count):
            assert (await slack.say(COMMAND))["ok"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return got


async def test_check_32_payloads_go_round_each_to_one_connection(lab: Running, slack: Driver) -> None:
    assert await receives(lab, slack, 7) == [0, 1, 2, 0, 1, 2, 0]


async def test_check_32_payloads_can_be_spread_at_random(lab: Running, slack: Driver) -> None:
    await slack.post("sockets", None, spread="random")
    got = await receives(lab, slack, 30)
    assert len(got) == 30
    assert set(got) == {0, 1, 2}
    assert got != [number % 3 for number in range(30)]


@pytest.mark.parametrize("how", ["warning", "refresh_requested", "link_disabled", "reset"])
async def test_check_33_the_sdk_survives_every_ending(lab: Running, bolt: BoltApp, slack: Driver, how: str) -> None:
    bolt.keep(bolt.app.command, "/k8snet")
    [first] = lab.slack.sockets.connections
    await slack.post("socket", None, do=how)
    async with lab.slack.sockets.changed:
        await lab.slack.sockets.changed.wait_for(
            lambda: lab.slack.sockets.connections and first not in lab.slack.sockets.connections
        )
    assert (await slack.say(COMMAND))["ok"]
    assert lab.slack.sockets.opened == 2


async def test_check_33_a_warning_leaves_ten_seconds(lab: Running, slack: Driver, clock: Clock) -> None:
    async with raw_socket(lab) as app:
        await slack.post("socket", None, do="warning")
        assert (await app.receive())["reason"] == "warning"
        saying = asyncio.ensure_future(slack.say(COMMAND))
        await app.ack(await app.receive())
        assert (await saying)["ok"], "until then it works"
        clock.advance(10)
        with pytest.raises(websockets.ConnectionClosed):
            await app.receive()


async def test_check_33_a_refreshed_connection_gets_nothing_new(lab: Running, slack: Driver) -> None:
    async with raw_socket(lab) as old, raw_socket(lab) as new:
        await slack.post("socket", None, do="refresh_requested", connection=1)
        assert (await old.receive())["reason"] == "refresh_requested"
        for _ in range(2):
            saying = asyncio.ensure_future(slack.say(COMMAND))
            await new.ack(await new.receive())
            assert (await saying)["ok"]


async def test_check_33_a_reset_is_abrupt(lab: Running, slack: Driver) -> None:
    async with raw_socket(lab) as app:
        await slack.post("socket", None, do="reset")
        with pytest.raises(websockets.ConnectionClosedError) as caught:
            await app.receive()
        assert caught.value.rcvd is None, "no closing handshake"


async def test_check_33_a_half_open_connection_answers_no_pings(lab: Running, slack: Driver) -> None:
    async with raw_socket(lab, ping_interval=0.02, ping_timeout=0.1, close_timeout=0.1) as app:
        await slack.post("socket", None, do="half_open")
        with pytest.raises(websockets.ConnectionClosedError, match="keepalive ping timeout"):
            await app.receive()


async def test_check_33_tickets_can_fail_and_come_back(lab: Running, slack: Driver, client: AsyncWebClient) -> None:
    await slack.fault(method="apps.connections.open", kind="error", error="internal_error")
    handler = AsyncSocketModeHandler(AsyncApp(client=client), lab.app_token)
    try:
        with pytest.raises(SlackApiError):
            await handler.connect_async()
        await handler.connect_async()
        await lab.slack.sockets.until_connected()
    finally:
        await handler.close_async()


@pytest.mark.parametrize("status", [409, 500])
async def test_check_33_handshakes_can_be_refused_for_a_while(lab: Running, slack: Driver, status: int) -> None:
    await slack.fault(where="handshake", status=status, times=2)
    for _ in range(2):
        assert await connect_status(await ticket_url(lab)) == status
    async with raw_socket(lab) as app:
        assert app.hello["type"] == "hello"


@pytest.mark.parametrize("foreign_acks", [True, False])
async def test_check_34_acks_on_another_connection_count_if_the_lab_says_so(
    lab: Running, slack: Driver, clock: Clock, foreign_acks: bool
) -> None:
    await slack.post("sockets", None, foreign_acks=foreign_acks)
    async with raw_socket(lab) as one, raw_socket(lab) as other:
        saying = asyncio.ensure_future(slack.say(COMMAND))
        envelope = await one.receive()
        await clock.until_sleeping(3)
        await other.ack(envelope)
        if not foreign_acks:
            await slack.logged(kind="ack", name="wrong connection")
            clock.advance(3)
        assert (await saying)["ok"] is foreign_acks


async def test_check_34_late_and_repeated_acks_change_nothing(lab: Running, slack: Driver, clock: Clock) -> None:
    async with raw_socket(lab) as app:
        saying = asyncio.ensure_future(slack.say(COMMAND))
        envelope = await app.receive()
        await clock.until_sleeping(3)
        clock.advance(3)
        assert (await saying)["error"] == "operation_timeout"
        await app.ack(envelope, {"text": "too late"})
        await slack.logged(kind="ack", name="late, duplicate or unknown")
        assert [message.text for message in await slack.messages()] == [
            '/k8snet failed with the error "operation_timeout"'
        ]
        saying = asyncio.ensure_future(slack.say(COMMAND))
        envelope = await app.receive()
        await app.ack(envelope, {"text": "once"})
        await app.ack(envelope, {"text": "once"})
        assert (await saying)["ok"]
        assert [message.text for message in await slack.messages()][1:] == ["once"]


async def test_check_35_pings_are_echoed_and_sent(lab: Running, clock: Clock) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(await ticket_url(lab), autoping=False) as ws:
        assert (await ws.receive_json())["type"] == "hello"
        await ws.ping(b"sdk-ping-pong:1790000000.25")
        pong = await ws.receive()
        assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1790000000.25")
        await clock.until_sleeping(10)
        clock.advance(10)
        assert (await ws.receive()).type is aiohttp.WSMsgType.PING


async def test_check_36_unconfirmed_events_come_again(lab: Running, slack: Driver, clock: Clock) -> None:
    async with raw_socket(lab) as one, raw_socket(lab) as other:
        await slack.say("@k8snet hello")
        first = await one.receive()
        await clock.until_sleeping(3)
        clock.advance(3)
        second = await other.receive()
        assert (second["retry_attempt"], second["retry_reason"]) == (1, "timeout")
        assert second["payload"]["event_id"] == first["payload"]["event_id"]
        assert second["envelope_id"] != first["envelope_id"]
        await clock.until_sleeping(3)
        clock.advance(3)
        await clock.until_sleeping(60)
        clock.advance(60)
        third = await one.receive()
        assert third["retry_attempt"] == 2
        await clock.until_sleeping(3)
        clock.advance(3)
        await clock.until_sleeping(300)
        clock.advance(300)
        fourth = await other.receive()
        assert fourth["retry_attempt"] == 3
        await other.ack(fourth)
        await slack.logged(kind="envelope", name="events_api", outcome="ok")


async def test_check_37_without_a_connection_commands_fail_at_once(slack: Driver) -> None:
    answer = await slack.say(COMMAND)
    assert (answer["ok"], answer["error"]) == (False, "dispatch_failed")
    assert (await slack.last()).text == '/k8snet failed with the error "dispatch_failed"'
    assert await slack.messages(by="dana") == []


async def test_check_37_events_wait_for_a_connection(lab: Running, slack: Driver, clock: Clock) -> None:
    await slack.say("@k8snet hello")
    await clock.until_sleeping(60)
    async with raw_socket(lab) as app:
        clock.advance(60)
        event = await app.receive()
        assert (event["retry_attempt"], event["retry_reason"]) == (2, "connection_failed")
        await app.ack(event)
