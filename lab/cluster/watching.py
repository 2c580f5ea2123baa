"""Watch: a stream of changes, one JSON document a line."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from lab.cluster.clock import Clock
from lab.cluster.listing import Query, number, typed
from lab.cluster.resources import Json
from lab.cluster.status import ApiError, too_old
from lab.cluster.store import Change, HistoryGone, ObjectStore

BOOKMARK_INTERVAL = 60.0
"""Seconds between two bookmarks; servers promise no schedule, about a minute is usual."""

DEFAULT_TIMEOUT = 1800
"""Seconds after which the server ends a watch that named no ``timeoutSeconds``."""


def check_watch(parameters: Mapping[str, str]) -> None:
    """Refuse what a server without the WatchList feature refuses."""
    if "sendInitialEvents" in parameters:
        message = (
            "ListOptions.meta.k8s.io is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden "
            "for watch unless the WatchList feature gate is enabled"
        )
        raise ApiError(422, "Invalid", message)


async def watch(store: ObjectStore, clock: Clock, query: Query, parameters: Mapping[str, str]) -> AsyncGenerator[bytes]:
    """The lines of a watch until its time is over.

    Without a resource version, or from 0, it begins with an ADDED for each object that exists. A version that the
    history has lost yields one ERROR with a Status of code 410, and the end.
    """
    changes: asyncio.Queue[Change] = asyncio.Queue()
    version = number(parameters, "resourceVersion")
    seconds = number(parameters, "timeoutSeconds") or DEFAULT_TIMEOUT
    bookmarks = parameters.get("allowWatchBookmarks", "") in ("true", "1", "True")
    with store.listening(changes.put_nowait):
        try:
            past = store.since(version) if version else []
        except HistoryGone:
            yield _line("ERROR", too_old(version, store.version).document())
            return
        if not version:
            for document in store.objects(query.resource):
                if query.selects(document):
                    yield _event("ADDED", query, document)
        for change in past:
            if line := _change(query, change):
                yield line
        sent = store.version
        async with aclosing(_until(changes, clock, seconds)) as arrivals:
            async for arrival in arrivals:
                if arrival is not None:
                    sent = arrival.version
                    if line := _change(query, arrival):
                        yield line
                elif bookmarks:
                    yield _bookmark(query, sent)


async def _until(changes: asyncio.Queue[Change], clock: Clock, seconds: float) -> AsyncGenerator[Change | None]:
    """The changes for so many seconds; None stands for a bookmark, which is due every minute and at the end."""
    left = seconds
    while left > 0:
        pause = min(left, BOOKMARK_INTERVAL)
        left -= pause
        timer = asyncio.ensure_future(clock.sleep(pause))
        arrival = asyncio.ensure_future(changes.get())
        try:
            while not timer.done():
                await asyncio.wait({timer, arrival}, return_when=asyncio.FIRST_COMPLETED)
                if arrival.done():
                    yield arrival.result()
                    arrival = asyncio.ensure_future(changes.get())
        finally:
            timer.cancel()
            arrival.cancel()
        yield None


def _change(query: Query, change: Change) -> bytes | None:
    """The event that a change means for a selection: entering it is ADDED, leaving it DELETED."""
    if change.resource is not query.resource:
        return None
    was, now = query.selects(change.before), query.selects(change.after)
    if now and change.after is not None:
        return _event("MODIFIED" if was else "ADDED", query, change.after)
    if was and change.before is not None:
        metadata = {**change.before["metadata"], "resourceVersion": str(change.version)}
        return _event("DELETED", query, {**change.before, "metadata": metadata})
    return None


def _event(kind: str, query: Query, document: Json) -> bytes:
    return _line(kind, typed(query.resource, document))


def _bookmark(query: Query, version: int) -> bytes:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    return _event("BOOKMARK", query, {"metadata": metadata})


def _line(kind: str, document: Json) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"
