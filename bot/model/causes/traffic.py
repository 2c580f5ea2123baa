"""Rows about a silent connection that the firewall's own counters and sessions place before or behind the firewall."""

from collections.abc import Sequence

from bot.model.causes.row import Row
from bot.model.causes.signals import SILENT, allowed, lines, tested
from bot.model.describe import traffic_lines
from bot.model.diagnosis import Evidence, Traffic
from bot.model.wording import marked


def conclusive(e: Evidence) -> Traffic | None:
    """A connection from an office that stayed silent although the firewall's look-ups clear its way."""
    traffic = e.traffic
    if traffic is None or e.in_office is not True or traffic.answer.outcome not in SILENT:
        return None
    cleared = {(policy.destination, policy.port) for policy in e.policies if allowed(e, policy)}
    return traffic if (traffic.answer.address, traffic.answer.port) in cleared else None


def _lost_beyond(e: Evidence) -> Sequence[str]:
    traffic = conclusive(e)
    if traffic is None or traffic.let_out is not True or any(one.answered for one in tested(e)):
        return ()
    return [*traffic_lines(e.firewall, traffic), *lines(traffic.answer)]


def _not_counted(e: Evidence) -> Sequence[str]:
    traffic = conclusive(e)
    if traffic is None or traffic.let_out is not False:
        return ()
    return [*traffic_lines(e.firewall, traffic), *lines(traffic.answer)]


TRAFFIC_SYMPTOMS: tuple[Row, ...] = (
    Row(
        "K8SNET-FW-05",
        "gateway",
        _lost_beyond,
        "the counter of the office's policy rises or a session without an answer is there, and nothing comes back; "
        "no cause is seen",
        marked("the firewall lets connections out, and nothing comes back: they are lost beyond the firewall"),
        marked(
            "Look at the gateway's interface and at what stands between it and the firewall; `diagnose sniffer packet` "
            "on the interface towards the nodes shows whether replies arrive."
        ),
        symptom=True,
    ),
    Row(
        "K8SNET-FW-06",
        "firewall",
        _not_counted,
        "the look-up names a policy that accepts, and its counter does not rise while a connection is tried; no cause "
        "is seen",
        marked("connections do not reach the firewall's policy that would accept them"),
        marked(
            "Look for another policy or a policy route that takes them first, and at the way from the office to the "
            "firewall: `diagnose debug flow` tells which."
        ),
        symptom=True,
    ),
)
