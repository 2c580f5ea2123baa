"""`/api/v2/cmdb`: reading and writing the configuration, table by table."""

from __future__ import annotations

from lab.fortigate import cmdb_children, cmdb_reading, envelope, errors
from lab.fortigate.attributes import Key, Row
from lab.fortigate.call import Answer
from lab.fortigate.cmdb_request import Request
from lab.fortigate.errors import ConfigError, NoSuchRow, NotAllowed


def handle(request: Request) -> Answer:
    """Carry out one call; every refusal becomes an envelope with its HTTP status."""
    try:
        if request.table.singleton and request.rest:
            raise NoSuchRow
        if len(request.rest) > 1:
            return cmdb_children.handle(request)
        return _METHODS[request.call.method](request)
    except NoSuchRow:
        return request.answer(404, revision=request.revision)
    except NotAllowed:
        return envelope.cmdb(
            request.device,
            request.call,
            request.vdom,
            {"path": request.table.path, "name": request.table.name},
            405,
        )
    except ConfigError as error:
        parts = {"revision": request.revision} | envelope.refused(request.device, error)
        return request.answer(400 if error.code == errors.INVALID_ACTION else 500, **parts)
    except ValueError:
        return request.answer(424, revision=request.revision, revision_changed=False, error=-10002)


def _get(request: Request) -> Answer:
    return cmdb_reading.read(request)


def _post(request: Request) -> Answer:
    if request.action == "clone" and request.rest:
        return _clone(request)
    if request.names_row:
        raise NotAllowed
    _no_other_action(request)
    before = request.revision
    key = request.store.create(request.table.full_name, request.body(), request.vdom)
    return _written(request, before, key)


def _put(request: Request) -> Answer:
    if not request.names_row:
        raise NotAllowed
    key = request.key
    if request.table.zero_key_refused and key == 0:
        raise NotAllowed
    if request.action == "move":
        return _move(request, key)
    _no_other_action(request)
    before = request.revision
    name = request.table.full_name
    body = request.body()
    if request.table.global_scope:
        _keep_secrets(request, body)
    request.store.update(name, key, body, request.vdom)
    # The vendor's Terraform provider reads a renamed row by the key of this answer: it is the new one.
    key_now = key if key in request.configuration.rows(name) else request.table.parse(body)[request.table.key]
    return _written(request, before, key_now)


def _delete(request: Request) -> Answer:
    if not request.rest:
        raise NotAllowed
    _no_other_action(request)
    before = request.revision
    request.store.delete(request.table.full_name, request.key, request.vdom)
    return _written(request, before, request.key)


def _move(request: Request, key: Key) -> Answer:
    query = request.call.query
    where = "after" if "after" in query else "before"
    neighbour = query.number(where)
    before = request.revision
    if not request.table.ordered or neighbour is None:
        raise ConfigError(errors.BAD_INPUT, "move needs an ordered table and before= or after=")
    request.store.move(request.table.full_name, key, neighbour, after=where == "after", vdom=request.vdom)
    # As recorded: the revision from before the move, and no word on whether it changed.
    return request.answer(revision=before, **_key_first(request, key), action="move")


def _clone(request: Request) -> Answer:
    name = request.table.full_name
    row = dict(request.configuration.require(name, request.key))
    row.pop("uuid", None)
    row[request.table.key] = request.call.query.get("nkey")
    if request.table.ordered:
        row.pop("name", None)
    before = request.revision
    key = request.store.create(name, row, request.vdom)
    return _written(request, before, key)


def _written(request: Request, before: str, key: Key) -> Answer:
    after = request.revision
    if request.store is not request.device:
        # Staged: nothing has changed for anybody yet.
        after = before
    return request.answer(**envelope.written(after, before), **_key_first(request, key))


def _key_first(request: Request, key: Key) -> Row:
    return {} if request.table.singleton else envelope.key_part(request.device, request.call.method, key)


def _no_other_action(request: Request) -> None:
    if request.action:
        raise ConfigError(errors.INVALID_ACTION, f"Invalid action: {request.action}")


def _keep_secrets(request: Request, body: Row) -> None:
    """A secret that comes back as it was shown is not a new secret."""
    for name in [name for name, value in body.items() if value == "ENC XXXX" and name in request.table.by_name]:
        del body[name]


_METHODS = {"GET": _get, "POST": _post, "PUT": _put, "DELETE": _delete}
METHODS = frozenset(_METHODS)
