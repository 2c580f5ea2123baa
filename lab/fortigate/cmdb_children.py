"""Child tables, e.g. `/api/v2/cmdb/firewall/addrgrp/G1/member/office`: one member at a time."""

from __future__ import annotations

from typing import Any

from lab.fortigate import envelope, errors
from lab.fortigate.attributes import Attribute, Kind, Row
from lab.fortigate.call import Answer
from lab.fortigate.cmdb_request import Request
from lab.fortigate.errors import ConfigError, NoSuchRow, NotAllowed
from lab.fortigate.table import render_child


def handle(request: Request) -> Answer:
    attribute = request.table.by_name.get(request.rest[1])
    if attribute is None or attribute.kind is not Kind.TABLE or len(request.rest) > 3:
        raise NoSuchRow
    row = request.configuration.require(request.table.full_name, request.key)
    members = list(row.get(attribute.name, ()))
    index = _index(attribute, members, request.rest[2]) if len(request.rest) == 3 else None
    if request.call.method == "GET":
        chosen = members if index is None else [members[index]]
        results = [render_child(attribute, member) for member in chosen]
        return _answer(request, attribute, revision=request.revision, results=results)
    return _write(request, attribute, members, index)


def _write(request: Request, attribute: Attribute, members: list[Row], index: int | None) -> Answer:
    method = request.call.method
    if (method == "POST") != (index is None):
        raise NotAllowed
    if index is None:
        [member] = attribute.parse([request.body()])
        key = member[attribute.child_key]
        if any(other[attribute.child_key] == key for other in members):
            raise ConfigError(errors.DUPLICATE_KEY, f"A duplicate entry already exists: {key}")
        members.append(member)
    elif method == "PUT":
        [members[index]] = attribute.parse([members[index] | request.body()])
        key = members[index][attribute.child_key]
    else:
        key = members.pop(index)[attribute.child_key]
    before = request.revision
    request.store.update(request.table.full_name, request.key, {attribute.name: members}, request.vdom)
    after = request.revision if request.store is request.device else before
    return _answer(request, attribute, **envelope.written(after, before), mkey=key)


def _index(attribute: Attribute, members: list[Row], key: str) -> int:
    for index, member in enumerate(members):
        if str(member[attribute.child_key]) == key:
            return index
    raise NoSuchRow


def _answer(request: Request, attribute: Attribute, **parts: Any) -> Answer:
    return request.answer(**parts, child_path=attribute.name, pkey=request.key)
