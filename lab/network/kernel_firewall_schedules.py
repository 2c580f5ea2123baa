"""Whether a FortiGate policy's schedule and expiry let it work at a given moment: pure."""

from datetime import datetime, timedelta

from lab.network.kernel_firewall_objects import Row, Tables, enabled, references

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def in_force(policy: Row, tables: Tables, now: datetime, problems: list[str]) -> bool:
    """Whether the policy applies to packets that come at *now*, the device's local time."""
    if enabled(policy, "policy-expiry"):
        date = policy.get("policy-expiry-date", "0000-00-00 00:00:00")
        if not date.startswith("0000") and now.replace(tzinfo=None) >= datetime.fromisoformat(date):
            return False
    return _scheduled(policy.get("schedule", "always"), tables, now, problems)


def _scheduled(name: str, tables: Tables, now: datetime, problems: list[str]) -> bool:
    for row in tables.get("firewall.schedule/recurring", ()):
        if row["name"] == name:
            return _recurring(row, now)
    for row in tables.get("firewall.schedule/onetime", ()):
        if row["name"] == name:
            return _moment(row, "start") <= now.replace(tzinfo=None) < _moment(row, "end")
    for row in tables.get("firewall.schedule/group", ()):
        if row["name"] == name:
            return any(_scheduled(member, tables, now, problems) for member in references(row, "member"))
    if name not in ("always", "none"):
        problems.append(f"no schedule {name!r}: policies that name it match nothing")
    return name == "always"


def _recurring(row: Row, now: datetime) -> bool:
    """Equal start and end mean the whole day; an end before the start lies on the following day."""
    days = set((row.get("day") or "none").split())
    start, end = row.get("start", "00:00"), row.get("end", "00:00")
    clock, today = now.strftime("%H:%M"), DAYS[now.weekday()]
    yesterday = DAYS[(now - timedelta(days=1)).weekday()]
    if start == end:
        return today in days
    if start < end:
        return today in days and start <= clock < end
    return (today in days and clock >= start) or (yesterday in days and clock < end)


def _moment(row: Row, attribute: str) -> datetime:
    return datetime.strptime(row.get(attribute, "00:00 2001/01/01"), "%H:%M %Y/%m/%d")  # noqa: DTZ007 - local time
