"""What a write came to. Pure."""

from backends.windows_dns.faults import dns_fault
from backends.windows_dns.wire import WriteAnswer
from bot.engine.ports import Outcome


def judge(answer: WriteAnswer, pre: str, post: str) -> Outcome:
    """What a write came to: decided by what was read back, not by what a cmdlet said."""
    fault = "" if answer.fault is None else dns_fault(answer.fault).text
    match answer.verdict:
        case "already":
            return Outcome(kind="already", detail="it was so before")
        case "changed":
            return Outcome(
                kind="refused",
                detail=f"it changed since it was read: expected {_told(pre)}, found {_told(answer.found)}",
            )
        case "late":
            return Outcome(kind="refused", detail="the server got the request too late and did not begin")
        case "elsewhere":
            return Outcome(
                kind="refused",
                detail="two servers answer under this endpoint, so nothing was written; let it name one",
            )
        case "unread":
            return Outcome(kind="refused", detail=f"it could not be read before writing: {fault}")
    if answer.left == post:
        note = "" if answer.cleared else f"; the server's cache was not cleared, old answers live on: {fault}"
        return Outcome(kind="applied", detail=f"read back as wished{note}")
    if answer.left == pre:
        return Outcome(
            kind="refused", detail=f"nothing changed: {fault or 'the server took the change without effect'}"
        )
    return Outcome(kind="unknown", detail=f"found {_told(answer.left)} afterwards{fault and ': '}{fault}")


def _told(state: str | None) -> str:
    """The state for people. A zone of another type has its type as state."""
    if state is None:
        return "something unreadable"
    if not state:
        return "no forwarder"
    match state.split(" "):
        case [masters, timeout, recursion]:
            told = f"masters {masters}, timeout {timeout} s, recursion {'on' if recursion == 'True' else 'off'}"
        case _:
            told = f"a {state} zone"
    return told if told.isascii() and told.isprintable() and len(told) < 400 else "something unreadable"
