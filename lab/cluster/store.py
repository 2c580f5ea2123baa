"""The object store behind the API: one growing resource version, and a history that reaches back a while."""

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta

from lab.cluster.clock import Clock
from lab.cluster.resources import Json, Resource, resource_of

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name; lists are sorted by it."""

HISTORY = timedelta(minutes=5)
"""How far back a watch or a paged list can reach; etcd is compacted every five minutes by default."""


class HistoryGone(Exception):
    """The history does not reach back to the version asked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write: `before` is None for a creation, `after` for a deletion."""

    version: int
    time: datetime
    resource: Resource
    key: Key
    before: Json | None
    after: Json | None


Listener = Callable[[Change], None]


class ObjectStore:
    """Kubernetes objects with versions. What it hands out is shared: callers must not change it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables: dict[Resource, dict[Key, Json]] = {}
        self._history: deque[Change] = deque()
        self._listeners: set[Listener] = set()
        self.version = 1000
        self._floor = self.version
        self._latest: dict[Resource, int] = {}

    def latest(self, *resources: Resource) -> int:
        """The version of the last change to any object of these kinds; 0 when there never was one."""
        return max(self._latest.get(resource, 0) for resource in resources)

    def objects(self, resource: Resource, namespace: str = "") -> list[Json]:
        """The objects of a kind, of one namespace or of all, sorted by namespace and name."""
        return [
            document
            for key, document in sorted(self._tables.get(resource, {}).items(), key=lambda item: item[0])
            if namespace in ("", key[0])
        ]

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        return self._tables.get(resource, {}).get((namespace, name))

    def put(self, document: Json) -> Json:
        """Create or replace an object; fills in what a server fills in. Returns it as stored."""
        resource = resource_of(document)
        document = deepcopy(document)
        metadata = document.setdefault("metadata", {})
        if not metadata.get("name"):
            raise ValueError(f"a {resource.kind} needs metadata.name")
        if resource.namespaced:
            metadata.setdefault("namespace", "default")
        elif metadata.get("namespace"):
            raise ValueError(f"a {resource.kind} is cluster-scoped; remove metadata.namespace")
        key = (metadata.get("namespace", ""), metadata["name"])
        before = self.get(resource, *key)
        old = before["metadata"] if before else {}
        metadata.setdefault("uid", old.get("uid") or str(uuid.uuid4()))
        created = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata.setdefault("creationTimestamp", old.get("creationTimestamp") or created)
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        self._tables.setdefault(resource, {})[key] = document
        self._record(resource, key, before, document)
        return document

    def patch(self, resource: Resource, namespace: str, name: str, patch: Json) -> Json:
        """Apply a JSON merge patch (RFC 7386); `KeyError` when the object does not exist."""
        return self.put(_merge(self._existing(resource, namespace, name), patch))

    def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Remove an object; `KeyError` when it does not exist."""
        before = self._existing(resource, namespace, name)
        del self._tables[resource][namespace, name]
        self.version += 1
        self._record(resource, (namespace, name), before, None)

    def _existing(self, resource: Resource, namespace: str, name: str) -> Json:
        document = self.get(resource, namespace, name)
        if document is None:
            raise KeyError(f"there is no {resource.kind} {name!r}" + (f" in {namespace!r}" if namespace else ""))
        return document

    def at(self, version: int, resource: Resource) -> list[Json]:
        """The objects of a kind as they were at a version; `HistoryGone` when that is too long ago."""
        objects = dict(self._tables.get(resource, {}))
        for change in reversed(self.since(version)):
            if change.resource is resource:
                if change.before is None:
                    del objects[change.key]
                else:
                    objects[change.key] = change.before
        return [document for _, document in sorted(objects.items(), key=lambda item: item[0])]

    def since(self, version: int) -> list[Change]:
        """The changes after a version, oldest first; `HistoryGone` when some of them are forgotten."""
        self._forget()
        if version < self._floor:
            raise HistoryGone
        return [change for change in self._history if change.version > version]

    def compact(self) -> None:
        """Forget the whole history: every older version is gone from now on."""
        self._history.clear()
        self._floor = self.version

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call `listener` with every change as it happens."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def documents(self) -> Iterator[Json]:
        """Every object, in the order of the resources and then of the names."""
        for resource in self._tables:
            yield from self.objects(resource)

    def _record(self, resource: Resource, key: Key, before: Json | None, after: Json | None) -> None:
        change = Change(self.version, self._clock.now(), resource, key, before, after)
        self._latest[resource] = self.version
        self._history.append(change)
        for listener in tuple(self._listeners):
            listener(change)

    def _forget(self) -> None:
        horizon = self._clock.now() - HISTORY
        while self._history and self._history[0].time < horizon:
            self._floor = self._history.popleft().version


def _merge(document: Json, patch: Json) -> Json:
    merged = dict(document)
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        elif isinstance(value, dict):
            current = merged.get(field)
            merged[field] = _merge(current if isinstance(current, dict) else {}, value)
        else:
            merged[field] = value
    return merged
