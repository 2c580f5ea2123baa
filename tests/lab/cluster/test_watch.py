"""Watches: order, resumption, selections, bookmarks, the end of the history."""

import asyncio
import json

import aiohttp
import pytest
from kubernetes import client, watch

from lab.cluster.model import BY_PLURAL, SERVICES
from tests.lab.cluster.clients import READER, official

SLICES = BY_PLURAL["endpointslices"]
URL = "/api/v1/services"


class Stream:
    """A raw watch: one event at a time."""

    def __init__(self, session: aiohttp.ClientSession, lab) -> None:
        self._session, self._lab = session, lab

    async def open(self, **parameters: str) -> aiohttp.ClientResponse:
        return await self._session.get(
            f"{self._lab.url}{URL}",
            params={"watch": "1", **parameters},
            headers={"Authorization": f"Bearer {READER}"},
            ssl=self._lab.client_tls(),
        )


@pytest.fixture
async def stream(lab):
    async with aiohttp.ClientSession() as session:
        yield Stream(session, lab)


async def _next(response) -> tuple[str, dict]:
    event = json.loads(await response.content.readline())
    return event["type"], event["object"]


async def _summary(response, count: int) -> list[tuple[str, str]]:
    return [(kind, document["metadata"]["name"]) for kind, document in [await _next(response) for _ in range(count)]]


def _change_thrice(store) -> None:
    store.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "new"}, "spec": {}})
    store.patch(SERVICES, "default", "new", {"spec": {"type": "ClusterIP"}})
    store.delete(SERVICES, "default", "new")


async def test_changes_come_in_order_while_they_happen(lab, stream):
    async with await stream.open(resourceVersion=str(lab.cluster.store.version)) as response:
        _change_thrice(lab.cluster.store)
        assert await _summary(response, 3) == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "new")]


async def test_a_watch_catches_up_with_what_happened_before_it(lab, stream):
    before = lab.cluster.store.version
    _change_thrice(lab.cluster.store)
    async with await stream.open(resourceVersion=str(before)) as response:
        assert await _summary(response, 3) == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "new")]


async def test_without_a_version_it_begins_with_all_there_is(lab, stream):
    async with await stream.open() as response:
        names = [o["metadata"]["name"] for o in lab.cluster.services()]
        assert await _summary(response, len(names)) == [("ADDED", name) for name in names]


async def test_leaving_the_selection_is_a_deletion_and_entering_it_a_creation(lab, stream):
    version = str(lab.cluster.store.version)
    async with await stream.open(resourceVersion=version, labelSelector="app=web-abc") as response:
        lab.cluster.store.patch(SERVICES, "default", "web-abc", {"metadata": {"labels": {"app": "other"}}})
        lab.cluster.store.patch(SERVICES, "default", "redis-abc", {"metadata": {"labels": {"app": "web-abc"}}})
        assert await _summary(response, 2) == [("DELETED", "web-abc"), ("ADDED", "redis-abc")]


async def test_a_deletion_carries_the_version_of_the_deletion(lab, stream):
    async with await stream.open(resourceVersion=str(lab.cluster.store.version)) as response:
        lab.cluster.store.delete(SERVICES, "default", "web-abc")
        _, document = await _next(response)
        assert document["metadata"]["resourceVersion"] == str(lab.cluster.store.version)


async def test_bookmarks_tell_how_far_a_quiet_watch_has_come(lab, clock, stream):
    version = lab.cluster.store.version
    async with await stream.open(resourceVersion=str(version), allowWatchBookmarks="true") as response:
        lab.cluster.store.patch(SLICES, "default", "web-abc-lab01", {"metadata": {"labels": {"a": "b"}}})
        await clock.until_sleeping(60)
        clock.advance(60)
        kind, document = await _next(response)
    assert kind == "BOOKMARK"
    assert document["kind"] == "Service"
    assert int(document["metadata"]["resourceVersion"]) > version


async def test_a_watch_ends_after_its_time(lab, clock, stream):
    version = str(lab.cluster.store.version)
    async with await stream.open(resourceVersion=version, timeoutSeconds="30") as response:
        await clock.until_sleeping(30)
        clock.advance(30)
        assert await response.content.read() == b""


async def test_a_forgotten_version_is_one_error_event_and_the_end(lab, stream):
    before = lab.cluster.store.version
    _change_thrice(lab.cluster.store)
    lab.cluster.store.compact()
    async with await stream.open(resourceVersion=str(before)) as response:
        kind, status = await _next(response)
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert await response.content.read() == b""


async def test_history_lasts_five_minutes(lab, clock, stream):
    before = lab.cluster.store.version
    _change_thrice(lab.cluster.store)
    clock.advance(301)
    async with await stream.open(resourceVersion=str(before)) as response:
        assert (await _next(response))[0] == "ERROR"


async def test_stopping_the_api_ends_open_watches(lab, stream):
    async with await stream.open(resourceVersion=str(lab.cluster.store.version)) as response:
        await lab.api.stop()
        with pytest.raises(aiohttp.ClientError):
            await response.content.readline()


async def test_the_official_client_watches(lab, tmp_path):
    version = str(lab.cluster.store.version)
    api_client = official(lab, tmp_path)
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        watcher = watch.Watch()
        core = client.CoreV1Api(api_client)
        for event in watcher.stream(
            core.list_service_for_all_namespaces, resource_version=version, _request_timeout=(5, 10)
        ):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 3:
                watcher.stop()

    _change_thrice(lab.cluster.store)
    await asyncio.to_thread(follow)
    api_client.rest_client.pool_manager.clear()
    api_client.close()
    assert seen == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "new")]


async def test_the_official_client_meets_a_410(lab, tmp_path):
    before = str(lab.cluster.store.version)
    _change_thrice(lab.cluster.store)
    lab.cluster.store.compact()
    api_client = official(lab, tmp_path)

    def follow() -> None:
        core = client.CoreV1Api(api_client)
        stream = watch.Watch().stream(
            core.list_service_for_all_namespaces, resource_version=before, timeout_seconds=5, _request_timeout=(5, 10)
        )
        for _ in stream:
            pass

    with pytest.raises(client.ApiException) as caught:
        await asyncio.to_thread(follow)
    api_client.rest_client.pool_manager.clear()
    api_client.close()
    assert caught.value.status == 410
