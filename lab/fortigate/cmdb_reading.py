"""GET on `/api/v2/cmdb`: rows, defaults, schema, and what clients may ask about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.fortigate import errors
from lab.fortigate.attributes import Attribute, Key, Kind, Row
from lab.fortigate.call import Answer
from lab.fortigate.cmdb_request import Request
from lab.fortigate.configuration import SINGLE
from lab.fortigate.errors import ConfigError
from lab.fortigate.selection import Selection
from lab.fortigate.table import Table
from lab.fortigate.tables.system import INTERFACE


def read(request: Request) -> Answer:
    action = request.action
    if action == "schema":
        return request.answer(revision=request.revision, results=schema(request.table), action="schema")
    if action == "default":
        return request.answer(revision=request.revision, results=default_row(request.table), action="default")
    if action == "revision":
        return request.answer(revision=request.revision, action="revision")
    if action not in ("", "select"):
        raise ConfigError(errors.INVALID_ACTION, f"Invalid action: {action}")
    if request.table.singleton:
        row = request.configuration.require(request.table.full_name, SINGLE)
        selection = Selection.parse(request.call.query)
        return request.answer(revision=request.revision, results=selection.render(request.table, row))
    return _row(request) if request.rest else _table(request)


def _row(request: Request) -> Answer:
    if request.table.zero_key_refused and request.key == 0:
        # As recorded: reading id 0 succeeds although there is no such row.
        return request.answer(revision=request.revision, results=[])
    row = request.configuration.require(request.table.full_name, request.key)
    selection = Selection.parse(request.call.query)
    results = [_result(request, selection, row)]
    return request.answer(**_sizes(request, 1, 0), revision=request.revision, results=results)


def _table(request: Request) -> Answer:
    selection = Selection.parse(request.call.query)
    rows = _rows(request)
    matching = selection.matching(request.table, rows)
    window = selection.window(matching)
    results = [_result(request, selection, row) for row in window]
    last = max(selection.start + len(window) - 1, 0)
    return request.answer(**_sizes(request, len(matching), last), revision=request.revision, results=results)


def _rows(request: Request) -> Mapping[Key, Row]:
    """Those of the VDOM that was asked; but interfaces of all of them, each naming its own, as users report."""
    name = request.table.full_name
    rows = request.configuration.rows(name)
    if name != INTERFACE:
        return rows
    others = (
        (key, {**row, "vdom": vdom})
        for vdom, configuration in request.device.vdoms.items()
        for key, row in configuration.rows(name).items()
    )
    return {**dict(others), **{key: {**row, "vdom": request.vdom} for key, row in rows.items()}}


def _sizes(request: Request, matched: int, last: int) -> Row:
    if not request.device.profile.table_sizes:
        return {}
    size = len(request.configuration.rows(request.table.full_name))
    return {"size": size, "matched_count": matched, "next_idx": last}


def _result(request: Request, selection: Selection, row: Row) -> Row:
    result = selection.render(request.table, row)
    query = request.call.query
    if query.flag("with_meta"):
        result |= _meta(request, row)
    if query.flag("datasource"):
        _add_datasource(request, result)
    return result


def _meta(request: Request, row: Row) -> Row:
    table = request.table
    key: Key = row[table.key]
    built_in = {item.get(table.key) for item in table.built_in}
    return {
        "q_ref": request.configuration.reference_count(table.full_name, key),
        "q_static": key in built_in,
        "q_no_rename": table.integer_key,
        "q_global_entry": table.global_scope,
        "q_type": 1,
        "q_path": table.path,
        "q_name": table.name,
        "q_mkey_type": "integer" if table.integer_key else "string",
        "q_no_edit": False,
    }


def _add_datasource(request: Request, result: Row) -> None:
    for attribute in request.table.attributes:
        if attribute.kind is not Kind.TABLE or attribute.name not in result:
            continue
        for member in result[attribute.name]:
            table = _table_of(request, attribute.children[0], member.get(attribute.child_key))
            if table:
                member["datasource"] = f"{table.replace('/', '.')}.{request.device.tables[table].key}"


def _table_of(request: Request, attribute: Attribute, name: Any) -> str:
    return next((table for table in attribute.references if request.configuration.get(table, name)), "")


def default_row(table: Table) -> Row:
    """A row that nobody has set anything in."""
    empty: Row = {} if table.singleton else {table.key: 0 if table.integer_key else ""}
    return table.render(empty)


def schema(table: Table) -> Row:
    """The definition of a table as `action=schema` describes it."""
    result: Row = {
        "name": table.name,
        "path": table.path,
        "category": "complex" if table.singleton else "table",
        "children": {attribute.name: _describe(attribute) for attribute in table.attributes},
    }
    if not table.singleton:
        result |= {"mkey": table.key, "mkey_type": "integer" if table.integer_key else "string"}
    return result


def _describe(attribute: Attribute) -> Row:
    described: Row = {"name": attribute.name, "category": "unitary", "type": attribute.kind.value}
    if attribute.kind in (Kind.TABLE, Kind.OBJECT):
        described["category"] = "table" if attribute.kind is Kind.TABLE else "complex"
        described["children"] = {child.name: _describe(child) for child in attribute.children}
        if attribute.kind is Kind.TABLE:
            described["mkey"] = attribute.child_key
        return described
    if attribute.kind in (Kind.TEXT, Kind.SECRET):
        described["size"] = attribute.size
    if attribute.kind is Kind.INTEGER:
        described |= {"min-value": attribute.low, "max-value": attribute.high}
    if attribute.options:
        described["options"] = [{"name": option} for option in attribute.options]
    if attribute.references:
        described["datasource"] = [reference.replace("/", ".") for reference in attribute.references]
    if not callable(attribute.default):
        described["default"] = attribute.default
    return described
