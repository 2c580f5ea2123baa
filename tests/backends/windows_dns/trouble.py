"""What the simulated server can do to a write in the middle of it, and what must hold whatever it was."""

from typing import Any

from backends.windows_dns.target import WindowsDns
from tests.backends.windows_dns.fault_proxy import ACTIONS, Action
from tests.backends.windows_dns.simulated import KEY, WISH, Office, step

KINDS = ("drop", "empty_500", "unauthorized", "truncate", "lost_answer", "twice")
TROUBLE: tuple[tuple[Any, Action], ...] = tuple((kind, action) for kind in KINDS for action in ACTIONS)


async def write_through_trouble(dc: Office, target: WindowsDns, kind: Any, action: Action) -> None:
    """The outcome does not lie, what was written can be read, and it is written once."""
    dc.server.faults.add(kind, action, skip=1)  # the first conversation asks for the clock
    outcome = await target.apply(step(None, WISH))
    if outcome.kind != "unknown":
        assert (dc.zone() is None) == (outcome.kind == "refused")
    assert await target.read([KEY]) == ({} if dc.zone() is None else {KEY: WISH})
    again = await target.apply(step(None, WISH))
    assert again.kind in ("applied", "already")
    assert dc.writes().count("Add-DnsServerConditionalForwarderZone") == 1
    await target.close()
