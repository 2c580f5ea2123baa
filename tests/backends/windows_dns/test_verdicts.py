"""A write is judged by what was read back, not by what a cmdlet said."""

from typing import Any

import pytest

from backends.windows_dns.verdicts import judge
from backends.windows_dns.wire import WriteAnswer

PRE, POST = "10.68.0.10 3 False", "10.68.0.11 3 False"


def fault(error_id: str) -> dict[str, str]:
    return {"id": error_id, "message": "une erreur localisée"}


@pytest.mark.parametrize(
    ("changes", "kind", "detail"),
    [
        ({}, "applied", "read back as wished"),
        (
            {"cleared": False, "fault": fault("WIN32 5,Clear-DnsServerCache")},
            "applied",
            "cache was not cleared",
        ),
        (
            {"left": PRE, "cleared": False, "fault": fault("WIN32 5,Set-DnsServerConditionalForwarderZone")},
            "refused",
            "may not manage DNS",
        ),
        ({"left": PRE}, "refused", "without effect"),
        ({"left": None, "fault": fault("WIN32 1722,Get-DnsServerZone")}, "unknown", "something unreadable"),
        ({"left": "böse\n"}, "unknown", "something unreadable"),
        ({"left": "10.9.9.9,10.9.9.8 5 True"}, "unknown", "masters 10.9.9.9,10.9.9.8, timeout 5 s, recursion on"),
        ({"left": ""}, "unknown", "no forwarder afterwards"),
        ({"left": "10.9.9.9 3 False"}, "unknown", "10.9.9.9"),
        ({"verdict": "already", "found": POST, "left": None}, "already", "so before"),
        ({"verdict": "changed", "found": "Primary", "left": None}, "refused", "found a Primary zone"),
        ({"verdict": "changed", "found": "", "left": None}, "refused", "found no forwarder"),
        ({"verdict": "late", "left": None}, "refused", "too late"),
        ({"verdict": "elsewhere", "left": None}, "refused", "two servers"),
        (
            {"verdict": "unread", "found": None, "left": None, "fault": fault("WIN32 1722,Get-DnsServerZone")},
            "refused",
            "DNS service does not answer",
        ),
        (
            {"left": PRE, "cleared": False, "fault": fault("Böse,\u202eX\n")},
            "refused",
            r"B\\xf6se,\\u202eX\\n",
        ),
    ],
)
def test_the_outcome_follows_from_the_states(changes: dict[str, Any], kind: str, detail: str) -> None:
    answer = WriteAnswer(
        **{
            "ref": "r",
            "server": "DC1",
            "clock": 1,
            "fault": None,
            "verdict": "written",
            "found": PRE,
            "left": POST,
            "cleared": True,
            **changes,
        }
    )
    outcome = judge(answer, PRE, POST)
    assert outcome.kind == kind
    assert detail.replace("\\\\", "\\") in outcome.detail
    assert "localisée" not in outcome.detail
