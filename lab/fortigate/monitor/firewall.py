"""`monitor/firewall/*`: policy lookup, hit counters, sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address

from lab.fortigate.attributes import Row
from lab.fortigate.monitor.endpoint import Endpoint, Question
from lab.fortigate.packets import ICMP, SCTP, TCP, UDP, Packet, Reason, Verdict
from lab.fortigate.sessions import Session, flow_key

POLICY_RIGHT = ("fwgrp", "policy")
SESSION_RIGHT = ("sysgrp", "cfg")
PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "sctp": SCTP}
_PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}

_ERRORS = {
    Reason.NO_ROUTE: "error_unknown_route",
    Reason.BLACKHOLE: "error_unknown_route",
    Reason.NO_SOURCE_ROUTE: "error_unknown_source_route",
    Reason.REVERSE_PATH: "error_unknown_source_route",
}


def _lookup(question: Question) -> Row:
    parameter = question.parameter
    interface = parameter("srcintf")
    try:
        packet = Packet(
            question.address("sourceip"),
            question.address("dest"),
            _protocol(parameter("protocol")),
            question.integer("sourceport", 0),
            question.integer("destport", 0),
            question.call.query.number("icmptype"),
            question.call.query.number("icmpcode"),
        )
    except ValueError:
        return _failed(question, "error_invalid_request")
    if question.device.vdoms[question.vdom].get("system/interface", interface) is None:
        return _failed(question, "error_invalid_request")
    verdict = question.device.evaluate(packet, interface, question.vdom)
    if verdict.policy_id is None and verdict.reason in _ERRORS:
        return _failed(question, _ERRORS[verdict.reason])
    return _found(question, packet, verdict)


def _found(question: Question, packet: Packet, verdict: Verdict) -> Row:
    policy_id = verdict.policy_id or 0
    result: Row = {"success": True, "policy_id": policy_id, "destip": str(packet.destination)}
    if question.device.profile.policy_lookup_details:
        result |= {
            "match": policy_id != 0,
            "matched_policy_type": "policy",
            "policy_action": verdict.action,
            "sec_default_action": "deny",
            "dstintf": verdict.egress,
        }
    return result


def _failed(question: Question, code: str) -> Row:
    details = {"error_code": code} if question.device.profile.policy_lookup_details else {}
    return {"success": False} | details


def _protocol(text: str) -> int:
    return PROTOCOLS[text.lower()] if text.lower() in PROTOCOLS else int(text)


def _counters(question: Question) -> list[Row]:
    wanted = question.call.query.number("policyid") if question.device.profile.counters_by_policy else None
    rows = question.device.vdoms[question.vdom].rows("firewall/policy")
    numbered: list[tuple[int, Row]] = [(0, {}), *((int(key), row) for key, row in rows.items())]
    return [_counter(question, number, row) for number, row in numbered if wanted in (None, number)]


def _counter(question: Question, policy_id: int, row: Row) -> Row:
    now = question.device.clock.now()
    sessions = question.device.sessions(question.vdom)
    counter = sessions.counters.get(policy_id)
    result: Row = {"policyid": policy_id}
    if policy_id:
        result |= {"uuid": row["uuid"], "uuid_type": "firewall.policy"}
    active = sessions.active(policy_id, now)
    if counter is None:
        return result | {"active_sessions": active, "bytes": 0, "packets": 0}
    return result | {
        "active_sessions": active,
        "bytes": counter.bytes,
        "packets": counter.packets,
        "software_bytes": counter.bytes,
        "software_packets": counter.packets,
        "asic_bytes": 0,
        "asic_packets": 0,
        "nturbo_bytes": 0,
        "nturbo_packets": 0,
        "last_used": counter.last_used,
        "first_used": counter.first_used,
        "hit_count": counter.hit_count,
        "session_last_used": counter.last_used,
        "session_first_used": counter.first_used,
        "session_count": active,
    }


def _clear(question: Question) -> None:
    policies = question.call.json_object().get("policy", [])
    numbers = policies if isinstance(policies, list) else [policies]
    question.device.sessions(question.vdom).reset([int(str(number)) for number in numbers])


def _reset(question: Question) -> None:
    question.device.sessions(question.vdom).reset()


_VALUES: dict[str, Callable[[Session], str]] = {
    "protocol": lambda session: _PROTOCOL_NAMES.get(session.packet.protocol, str(session.packet.protocol)),
    "source": lambda session: str(session.packet.source),
    "source port": lambda session: str(session.packet.source_port),
    "destination": lambda session: str(session.packet.destination),
    "destination port": lambda session: str(session.packet.destination_port),
    "policy": lambda session: str(session.verdict.policy_id),
    "ingress": lambda session: session.verdict.ingress,
    "egress": lambda session: session.verdict.egress,
}
_SAME_FILTERS = {"protocol": "protocol", "policyid": "policy", "srcintf": "ingress", "dstintf": "egress"}
_SESSION_FILTERS = _SAME_FILTERS | {
    "source": "source",
    "sourceport": "source port",
    "destination": "destination",
    "destport": "destination port",
}
_SESSIONS_FILTERS = _SAME_FILTERS | {
    "srcaddr": "source",
    "srcport": "source port",
    "dstaddr": "destination",
    "dstport": "destination port",
}


def _session_list(filters: Mapping[str, str]) -> Callable[[Question], Row]:
    """The list under one of its two names, which know different filters; a parameter that is none is ignored."""

    def answer(question: Question) -> Row:
        if question.call.query.number("count") is None:
            raise ValueError("count is required")
        everything = question.device.sessions(question.vdom).alive(question.device.clock.now())
        wanted = {filters[name]: question.parameter(name) for name, _ in question.call.query.pairs if name in filters}
        matching = [session for session in everything if _fits(session, wanted)]
        start = max(question.integer("start", 0), 0)
        count = min(max(question.integer("count", 20), 20), 1000)
        result: Row = {"details": [_session(question, item) for item in matching[start : start + count]]}
        if question.call.query.flag("summary"):
            result["summary"] = {
                "matched_count": len(matching),
                "session_count": len(everything),
                "setup_rate": 0,
            }
        return result

    return answer


def _fits(session: Session, wanted: Mapping[str, str]) -> bool:
    for what, text in wanted.items():
        value = _PROTOCOL_NAMES.get(int(text), text) if what == "protocol" and text.isdigit() else text
        if _VALUES[what](session).lower() != value.lower():
            return False
    return True


def _session(question: Question, session: Session) -> Row:
    now = question.device.clock.now()
    packet, verdict = session.packet, session.verdict
    return {
        "proto": _VALUES["protocol"](session),
        "srcintf": verdict.ingress,
        "saddr": str(packet.source),
        "sport": packet.source_port,
        "dstintf": verdict.egress,
        "daddr": str(packet.destination),
        "dport": packet.destination_port,
        "snaddr": str(verdict.translated_source or packet.source),
        "policyid": verdict.policy_id,
        "policytype": "policy",
        "vf": question.vdom,
        "expiry": int(session.expires - now),
        "duration": int(now - session.begun),
        "sentbyte": session.sent_bytes,
        "rcvdbyte": session.received_bytes,
        "sentpkt": session.sent_packets,
        "rcvdpkt": session.received_packets,
    }


def _close(question: Question) -> None:
    body = question.call.json_object()
    packet = Packet(
        IPv4Address(str(body.get("saddr"))),
        IPv4Address(str(body.get("daddr"))),
        _protocol(str(body.get("pro", "tcp"))),
        int(str(body.get("sport", 0))),
        int(str(body.get("dport", 0))),
    )
    sessions = question.device.sessions(question.vdom)
    session = sessions.find(packet, question.device.clock.now())
    if session is not None and flow_key(session.packet) == flow_key(packet):
        sessions.close(session)


ENDPOINTS = {
    "firewall/policy-lookup": Endpoint(_lookup, POLICY_RIGHT),
    "firewall/policy": Endpoint(_counters, POLICY_RIGHT),
    "firewall/policy/clear_counters": Endpoint(_clear, POLICY_RIGHT, "POST", writes=True),
    "firewall/policy/reset": Endpoint(_reset, POLICY_RIGHT, "POST", writes=True),
    "firewall/session": Endpoint(_session_list(_SESSION_FILTERS), SESSION_RIGHT),
    "firewall/sessions": Endpoint(_session_list(_SESSIONS_FILTERS), SESSION_RIGHT, since=(7, 6)),
    "firewall/session/close": Endpoint(_close, SESSION_RIGHT, "POST", writes=True),
}
