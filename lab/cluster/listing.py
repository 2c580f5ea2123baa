"""Get and list: selectors, paging with ``limit`` and ``continue``, resource versions."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from lab.cluster.resources import Json, Resource
from lab.cluster.selectors import BadSelector, Match, field_selector, label_selector
from lab.cluster.status import bad_request, continue_expired, not_found, too_new
from lab.cluster.store import HistoryGone, Key, ObjectStore


@dataclass(frozen=True, slots=True)
class Query:
    """The selection a list or a watch works on."""

    resource: Resource
    namespace: str
    labels: str
    fields: str
    match: Match

    @classmethod
    def parse(cls, resource: Resource, namespace: str, parameters: Mapping[str, str]) -> "Query":
        """From a request's parameters; an `ApiError` 400 when a selector cannot be understood."""
        labels, fields = parameters.get("labelSelector", ""), parameters.get("fieldSelector", "")
        try:
            by_label, by_field = label_selector(labels), field_selector(fields)
        except BadSelector as error:
            raise bad_request(str(error)) from error
        return cls(resource, namespace, labels, fields, lambda document: by_label(document) and by_field(document))

    def selects(self, document: Json | None) -> bool:
        if document is None:
            return False
        return self.namespace in ("", document["metadata"].get("namespace", "")) and self.match(document)


def number(parameters: Mapping[str, str], name: str) -> int:
    """A non-negative number among the parameters, 0 when absent; an `ApiError` 400 when it is none."""
    text = parameters.get(name, "") or "0"
    if not text.isdecimal():
        raise bad_request(f'invalid {name}: strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def check_not_ahead(store: ObjectStore, version: int) -> None:
    if version > store.version:
        raise too_new(version, store.version)


def get_object(store: ObjectStore, resource: Resource, namespace: str, name: str) -> Json:
    document = store.get(resource, namespace, name)
    if document is None:
        raise not_found(resource, name)
    return typed(resource, document)


def list_objects(store: ObjectStore, query: Query, parameters: Mapping[str, str]) -> Json:
    """The list object; a page of it when ``limit`` says so."""
    limit = number(parameters, "limit")
    token = parameters.get("continue", "")
    if token:
        version, after, objects = _continued(store, query.resource, token)
    else:
        check_not_ahead(store, number(parameters, "resourceVersion"))
        version, after, objects = store.version, None, store.objects(query.resource)
    chosen = [o for o in objects if query.selects(o) and (after is None or key_of(o) > after)]
    page = chosen[:limit] if limit else chosen
    metadata: Json = {"resourceVersion": str(version)}
    if len(page) < len(chosen):
        metadata["continue"] = _token(version, key_of(page[-1]))
        if not query.labels and not query.fields:
            metadata["remainingItemCount"] = len(chosen) - len(page)
    return {
        "kind": f"{query.resource.kind}List",
        "apiVersion": query.resource.api_version,
        "metadata": metadata,
        "items": [_untyped(document) for document in page],
    }


def typed(resource: Resource, document: Json) -> Json:
    """An object as it stands alone, with its kind."""
    return {"kind": resource.kind, "apiVersion": resource.api_version, **_untyped(document)}


def _untyped(document: Json) -> Json:
    """An object inside a list: built-in kinds carry no kind there."""
    return {field: value for field, value in document.items() if field not in ("kind", "apiVersion")}


def key_of(document: Json) -> Key:
    return (document["metadata"].get("namespace", ""), document["metadata"]["name"])


def _token(version: int, after: Key) -> str:
    document = {"v": "meta.k8s.io/v1", "rv": version, "start": list(after)}
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _continued(store: ObjectStore, resource: Resource, token: str) -> tuple[int, Key, list[Json]]:
    try:
        document = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, after = int(document["rv"]), (str(document["start"][0]), str(document["start"][1]))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise bad_request("continue key is not valid") from error
    if version < 0:  # the token of a 410: goes on with the present state
        return store.version, after, store.objects(resource)
    try:
        return version, after, store.at(version, resource)
    except HistoryGone as error:
        raise continue_expired(_token(-1, after)) from error
