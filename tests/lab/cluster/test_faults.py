"""Misbehaviour on demand, as the official client experiences it."""

import asyncio
import json

import pytest
import urllib3
from kubernetes import client

from lab.cluster.faults import Fault

NODES = "/api/v1/nodes"


async def _list(call, **arguments):
    return await call(client.CoreV1Api, "list_node", **arguments)


async def test_error_is_a_500_with_a_status(lab, call):
    lab.cluster.faults.add(Fault("error", NODES, count=1))
    with pytest.raises(client.ApiException) as caught:
        await _list(call)
    assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (500, "InternalError")
    assert (await _list(call)).items


async def test_throttle_is_a_429_that_says_when_to_return(lab, call):
    lab.cluster.faults.add(Fault("throttle", NODES, seconds=7))
    with pytest.raises(client.ApiException) as caught:
        await _list(call)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "7")


async def test_garbage_is_json_that_ends_in_the_middle(lab, call):
    lab.cluster.faults.add(Fault("garbage", NODES))
    with pytest.raises(ValueError, match="Unterminated string"):
        await _list(call)


async def test_reset_is_a_broken_connection(lab, call):
    lab.cluster.faults.add(Fault("reset", NODES))
    with pytest.raises(urllib3.exceptions.ProtocolError, match="aborted"):
        await _list(call)


async def test_hang_is_silence_until_the_client_gives_up(lab, call):
    lab.cluster.faults.add(Fault("hang", NODES))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        await _list(call, timeout=0.2)
    lab.cluster.faults.clear()
    assert (await _list(call)).items


async def test_slow_is_the_right_answer_later(lab, clock, call):
    lab.cluster.faults.add(Fault("slow", NODES, seconds=4))
    answer = asyncio.create_task(_list(call))
    await clock.until_sleeping(4)
    assert not answer.done()
    clock.advance(4)
    assert len((await answer).items) == 7


async def test_other_paths_are_not_concerned(lab, call):
    lab.cluster.faults.add(Fault("error", NODES))
    assert (await call(client.CoreV1Api, "list_namespace")).items


async def test_a_stopped_api_refuses_connections_and_comes_back_on_its_port(lab, call):
    port = lab.api.address[1]
    await lab.api.stop()
    with pytest.raises(urllib3.exceptions.HTTPError, match="refused"):
        await _list(call)
    await lab.api.start()
    assert lab.api.address[1] == port
    assert (await _list(call)).items


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="hang"):
        Fault("explode")
