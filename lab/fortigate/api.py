"""The REST API as a function from calls to answers; the sockets are in `server`."""

from __future__ import annotations

from lab.fortigate import cmdb, envelope, errors, monitor
from lab.fortigate.access import Access, Account, vdoms_of
from lab.fortigate.attributes import Row
from lab.fortigate.audit import Entry, alarm_for, body_of, masked
from lab.fortigate.call import PREFIX, Answer, Call, Refused, html
from lab.fortigate.cmdb_reading import schema
from lab.fortigate.cmdb_request import Request, Store
from lab.fortigate.device import Device
from lab.fortigate.errors import ConfigError
from lab.fortigate.transactions import DEFAULT_TIMEOUT, Transaction, Transactions


class Api:
    """Answers calls about one device and keeps the audit log of all writes."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.access = Access(device)
        self.transactions = Transactions(device)
        self.audit: list[Entry] = []

    def handle(self, call: Call) -> Answer:
        """The answer to a call; never raises for anything that a client sends."""
        account: Account | None = None
        before = self.device.generation
        try:
            if call.segments[:2] != PREFIX or len(call.segments) < 3:
                raise Refused(404)
            account = self.access.authenticate(call)
            answer = self._dispatch(call, account)
        except Refused as refusal:
            answer = html(refusal.status)
        if call.method != "GET":
            self._record(call, account, answer, effective=self.device.generation != before)
        return answer

    def _record(self, call: Call, account: Account | None, answer: Answer, *, effective: bool) -> None:
        self.audit.append(
            Entry(
                time=self.device.clock.now(),
                user=account.name if account else "",
                source=call.source,
                method=call.method,
                target=masked(call.target),
                body=body_of(call),
                status=answer.status,
                effective=effective,
                alarm=alarm_for(call, answer),
            )
        )

    def _dispatch(self, call: Call, account: Account) -> Answer:
        segments = call.segments
        if segments[2] == "monitor" and len(segments) > 4:
            return monitor.handle(self.device, call, account, segments[3:])
        if segments[2] != "cmdb":
            raise Refused(404)
        if call.method not in cmdb.METHODS:
            raise Refused(405)
        if len(segments) == 3:
            return self._without_table(call, account)
        return self._table(call, account, segments[3:])

    def _table(self, call: Call, account: Account, path: tuple[str, ...]) -> Answer:
        table = self.device.tables.get("/".join(path[:2]))
        vdoms = vdoms_of(self.device, call, account)
        if table is None:
            place = {"path": path[0], "name": path[1] if len(path) > 1 else ""}
            return envelope.cmdb(self.device, call, vdoms[0], place, 404)
        if not account.allows(table.right, write=call.method != "GET"):
            raise Refused(403)
        if table.global_scope:
            vdoms = vdoms[:1]
        answers = [self._on_vdom(call, vdom, path) for vdom in vdoms]
        return _joined(call, answers)

    def _on_vdom(self, call: Call, vdom: str, path: tuple[str, ...]) -> Answer:
        table = self.device.tables["/".join(path[:2])]
        number = call.headers.get("x-transaction-id", "")
        transaction: Transaction | None = None
        try:
            if number:
                transaction = self.transactions.get(vdom, int(number) if number.isdigit() else None)
                transaction.configuration(vdom, table.full_name)
            if call.method != "GET":
                self.transactions.check_free(vdom, table.full_name, transaction)
        except ConfigError as error:
            place = {"path": table.path, "name": table.name}
            return envelope.cmdb(self.device, call, vdom, place, 500, **envelope.refused(self.device, error))
        store: Store = transaction or self.device
        return cmdb.handle(Request(self.device, store, call, vdom, table, path[2:]))

    def _without_table(self, call: Call, account: Account) -> Answer:
        """`/api/v2/cmdb` itself: transactions, and the schema of everything."""
        vdom = vdoms_of(self.device, call, account)[0]
        action = call.query.get("action")
        wanted = _ACTIONS.get(action)
        if wanted != call.method:
            status = 400 if wanted is None else 405
            error = ConfigError(errors.INVALID_ACTION, f"Invalid action: {action}")
            parts = envelope.refused(self.device, error) if wanted is None else {}
            return envelope.cmdb(self.device, call, vdom, {"action": action}, status, **parts)
        try:
            results = self._transaction_action(action, call, account, vdom)
        except ConfigError as error:
            parts = envelope.refused(self.device, error)
            return envelope.cmdb(self.device, call, vdom, {"action": action}, 500, **parts)
        except ValueError:
            return envelope.cmdb(self.device, call, vdom, {"action": action}, 424, error=-10002)
        revision = {"revision_changed": False} if call.method == "POST" else {}
        return envelope.cmdb(self.device, call, vdom, {"action": action}, **revision, **results)

    def _transaction_action(self, action: str, call: Call, account: Account, vdom: str) -> Row:
        if action == "schema":
            return {"results": [schema(table) for table in self.device.tables.values()]}
        if action == "transaction-list":
            listed = [_describe(transaction) for transaction in self.transactions.alive(vdom)]
            return {"results": listed}
        if action == "transaction-start":
            timeout = call.json_object().get("timeout", DEFAULT_TIMEOUT)
            transaction = self.transactions.start(account.name, vdom, float(str(timeout)))
            return {"results": {"transaction-id": transaction.number}}
        transaction = self.transactions.get(vdom, _transaction_number(call))
        if action == "transaction-show":
            return {"results": transaction.commands}
        if action == "transaction-commit":
            self.transactions.commit(transaction)
        else:
            self.transactions.abort(transaction)
        return {}


_ACTIONS = {
    "schema": "GET",
    "transaction-list": "GET",
    "transaction-show": "GET",
    "transaction-start": "POST",
    "transaction-commit": "POST",
    "transaction-abort": "POST",
}


def _describe(transaction: Transaction) -> Row:
    return {
        "transaction-id": transaction.number,
        "owner": transaction.user,
        "vdom": transaction.vdom,
        "expires": int(transaction.expires),
        "locked": sorted(transaction.locked),
    }


def _transaction_number(call: Call) -> int | None:
    """From the body or, for the ways that are not documented, from header or query."""
    body = call.json_object() if call.method == "POST" else {}
    value = body.get("transaction-id") or body.get("transaction_id") or call.headers.get("x-transaction-id")
    value = value or call.query.get("transaction-id")
    return int(value) if str(value or "").isdigit() else None


def _joined(call: Call, answers: list[Answer]) -> Answer:
    """One envelope, or a list of them when the client asked for several VDOMs or the global scope."""
    query = call.query
    if query.get("vdom") == "*" or "," in query.get("vdom") or query.flag("global"):
        return Answer(max(answer.status for answer in answers), [answer.payload for answer in answers])
    return answers[0]
