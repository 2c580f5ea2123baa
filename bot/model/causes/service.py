"""Rows about the program at the end of the path, and what stands around it in the cluster."""

from collections.abc import Sequence

from bot.model.causes.row import Row
from bot.model.causes.signals import SILENT, Tested, acknowledged, lines, namespace_closed, tested
from bot.model.causes.witnesses import ENOUGH, Seen
from bot.model.diagnosis import Evidence
from bot.model.probes import ConnectAnswer
from bot.model.wording import marked


def _replies(e: Evidence) -> tuple[ConnectAnswer, ...]:
    return e.connections


def _refused(e: Evidence) -> Sequence[str]:
    if e.service is not None and not e.service.ready_endpoints:
        return ()
    return lines(*(reply for reply in _replies(e) if reply.outcome == "refused"))


def _cut(e: Evidence) -> Sequence[str]:
    return lines(*(reply for reply in _replies(e) if reply.outcome == "reset"))


def _mute(e: Evidence) -> Sequence[str]:
    """The program accepts and never speaks; the path carries others' data to the same node."""
    mute = [reply for reply in _replies(e) if reply.outcome == "handshake-only" and reply.spoke not in ("", "byte")]
    if not mute:
        return ()
    received = [reply for reply in mute if acknowledged(reply)]
    if received:
        return lines(*received)
    own = [one for one in tested(e) if one.own and one.half]
    return lines(*mute) if own and all(_alike_answers(e, one) for one in own) else ()


def _alike_answers(e: Evidence, one: Tested) -> bool:
    """Something else of the same kind, in the same place as seen from the gateway, carries data."""
    return any(
        other.answer.outcome == "data" and other.kind == one.kind and other.place in (one.place, "both")
        for other in tested(e)
        if not other.own
    )


def _policed(e: Evidence) -> Sequence[str]:
    """Pods of this namespace are silent; pods of other namespaces answer."""
    seen = tested(e)
    own = [one for one in seen if one.own]
    if not own or not all(one.lost for one in own) or not (namespace_closed(e) or _alone_on_its_nodes(e)):
        return ()
    pods = [one for one in seen if one.kind == "pod"]
    return [
        *lines(*(one.answer for one in pods if one.lost))[:4],
        *lines(*(one.answer for one in pods if one.answered))[:2],
    ]


def _alone_on_its_nodes(e: Evidence) -> bool:
    """Beside the service's pods others answer, but for those of one service that may be broken by itself."""
    pods = [one for one in tested(e) if one.kind == "pod"]
    homes = {node for one in pods if one.own for node in one.nodes}
    beside = [one for one in pods if not one.own and homes & set(one.nodes)]
    answering = {node for one in beside if one.answered for node in one.nodes}
    lost = {one.service for one in beside if one.lost and not answering & set(one.nodes)}
    return bool(answering) and len(lost) < ENOUGH


def _rules_old(e: Evidence) -> Sequence[str]:
    """All pods of the service answer by themselves, other services answer, this service's address does not."""
    seen = Seen(e)
    address, pods = ([one for one in seen.of(kind) if one.own] for kind in ("service", "pod"))
    if not address or not pods or not all(one.lost for one in address) or not all(one.answered for one in pods):
        return ()
    others = [one for one in seen.of("service") if not one.own]
    if any(one.place == "elsewhere" for one in address):
        # Others elsewhere may fail for another reason: it takes one that answers.
        alone = any(one.answered for one in others if one.place == "elsewhere")
    else:
        alone = bool(others) and seen.witnesses([one for one in others if one.lost]) < ENOUGH
    return lines(*(one.answer for one in (*address, *pods)))[:4] if alone else ()


def _some_endpoints(e: Evidence) -> Sequence[str]:
    """Several attempts at the same address end differently."""
    outcomes: dict[tuple[object, int], set[str]] = {}
    for reply in _replies(e):
        outcomes.setdefault((reply.address, reply.port), set()).add(reply.outcome)
    mixed = {key for key, seen in outcomes.items() if "data" in seen and len(seen) > 1}
    return lines(*(reply for reply in _replies(e) if (reply.address, reply.port) in mixed))


def _handshake_only(e: Evidence) -> Sequence[str]:
    return lines(*(r for r in _replies(e) if r.outcome == "handshake-only" and r.spoke))


def _no_connection(e: Evidence) -> Sequence[str]:
    return lines(*(reply for reply in _replies(e) if reply.outcome in SILENT))


SERVICE: tuple[Row, ...] = (
    Row(
        "K8SNET-SVC-07",
        "service",
        _policed,
        "pods of the namespace are silent, on several nodes or beside others that answer; those of other namespaces "
        "answer",
        marked("something keeps the office away from these pods alone: most likely a NetworkPolicy of the namespace"),
        marked(
            "Allow the office's networks, and the gateway node's address for services, in the namespace's policies."
        ),
    ),
    Row(
        "K8SNET-SVC-08",
        "service",
        _rules_old,
        "the service's address is silent, its pods answer, and so do other services with pods in the same place, "
        "but for one at most",
        marked("the gateway does not translate this one service's address: its rules are not up to date"),
        marked("Look at kube-proxy on the gateway; restart it there."),
        fix="fail over",
    ),
    Row(
        "K8SNET-SVC-04",
        "service",
        _mute,
        "the connection opens, the program says nothing, and others in the same place as seen from the gateway answer",
        marked("the program accepts connections but does not answer"),
        marked("Look at the program; the path carries data."),
    ),
    Row(
        "K8SNET-SVC-02",
        "service",
        _refused,
        "the connection is refused although the API has ready endpoints",
        marked("the connection is refused: nothing listens on the port that the service points at"),
        marked("Compare the service's targetPort with the port that the program listens on; the path works."),
    ),
    Row(
        "K8SNET-SVC-06",
        "service",
        _cut,
        "the connection is accepted and closed before a byte comes back",
        marked("the program closes the connection without a word"),
        marked("Look at the program's log and its list of allowed clients; the path works."),
    ),
)

SERVICE_SYMPTOMS: tuple[Row, ...] = (
    Row(
        "K8SNET-PATH-05",
        "service",
        _some_endpoints,
        "several connections to the same address end differently, and no cause is seen",
        marked("some connections work and some do not: not all pods of the service can be reached"),
        marked("Look at the pods of the service one by one."),
        symptom=True,
    ),
    Row(
        "K8SNET-PATH-01",
        "gateway",
        _handshake_only,
        "connections open and carry no data, and no cause is seen",
        marked("connections open but carry no data"),
        marked("Replies may bypass the gateway; compare a pod on the gateway with one elsewhere."),
        symptom=True,
    ),
    Row(
        "K8SNET-PATH-02",
        "service",
        _no_connection,
        "connections are not answered, and no cause is seen",
        marked("no connection comes about"),
        marked(
            "See what could not be asked; if all hops before this one passed, look at network policies in the cluster."
        ),
        symptom=True,
    ),
)
