"""What a write came to. Pure."""

from backends.windows_dns.faults import dns_fault
from backends.windows_dns.wire import WriteAnswer
from bot.engine.targets import Outcome
from bot.model.wording import tr


def judge(answer: WriteAnswer, pre: str, post: str) -> Outcome:
    """What a write came to: decided by what was read back, not by what a cmdlet said."""
    fault = "" if answer.fault is None else dns_fault(answer.fault).said
    match answer.verdict:
        case "already":
            return Outcome(kind="already", detail=tr("it was so before"))
        case "changed":
            return Outcome(
                kind="refused",
                detail=tr(
                    "it changed since it was read: expected {expected}, found {found}",
                    expected=_told(pre),
                    found=_told(answer.found),
                ),
            )
        case "late":
            return Outcome(kind="refused", detail=tr("the server got the request too late and did not begin"))
        case "elsewhere":
            return Outcome(
                kind="refused",
                detail=tr("two servers answer under this endpoint, so nothing was written; let it name one"),
            )
        case "unread":
            return Outcome(kind="refused", detail=tr("it could not be read before writing: {fault}", fault=fault))
    if answer.left == post:
        note = (
            ""
            if answer.cleared
            else tr("; the server's cache was not cleared, old answers live on: {fault}", fault=fault)
        )
        return Outcome(kind="applied", detail=tr("read back as wished{note}", note=note))
    if answer.left == pre:
        return Outcome(
            kind="refused",
            detail=tr("nothing changed: {fault}", fault=fault or tr("the server took the change without effect")),
        )
    found = _told(answer.left)
    if fault:
        return Outcome(kind="unknown", detail=tr("found {found} afterwards: {fault}", found=found, fault=fault))
    return Outcome(kind="unknown", detail=tr("found {found} afterwards", found=found))


def _told(state: str | None) -> str:
    """The state for people. A zone of another type has its type as state."""
    if state is None:
        return tr("something unreadable")
    if not state:
        return tr("no forwarder")
    if not (state.isascii() and state.isprintable() and len(state) < 800):
        return tr("something unreadable")
    match state.split(" "):
        case [masters, timeout, recursion]:
            if recursion == "True":
                return tr("masters {masters}, timeout {timeout} s, recursion on", masters=masters, timeout=timeout)
            return tr("masters {masters}, timeout {timeout} s, recursion off", masters=masters, timeout=timeout)
        case _:
            return tr("a {state} zone", state=state)
