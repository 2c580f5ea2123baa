"""The table of causes: every row by a case of its own, and no way to a false "passed"."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.findings import PAGE
from bot.model.causes.known import KNOWN
from bot.model.causes.page import page
from bot.model.causes.table import CAUSES, diagnose
from bot.model.diagnosis import Evidence, Report
from tests.model.cases import CASES, HEALTHY, case, merged


@pytest.mark.parametrize("name", CASES)
def test_each_cause_is_named_for_its_evidence(name: str) -> None:
    evidence, document = case(name)
    report = diagnose(evidence)
    codes = [finding.code for finding in report.findings]
    assert (codes[0], report.verdict) == (document["first"], document["verdict"]), "\n".join(map(str, report.findings))
    assert name.partition("~")[0] in codes


@pytest.mark.parametrize("row", CAUSES, ids=lambda row: row.code)
def test_every_row_has_a_case(row: Any) -> None:
    assert row.code in {name.partition("~")[0] for name in CASES}


def test_every_known_fault_has_codes_or_a_reason_and_every_number_its_place() -> None:
    """Each code that is named has a row, and so, by the test above, a condition and a case."""
    codes = {row.code.removeprefix("K8SNET-") for row in CAUSES}
    for known in KNOWN:
        assert bool(known.codes) != bool(known.unseen), known
        assert set(known.codes) <= codes, known
    assert [known.number for known in KNOWN] == [*map(str, range(1, 49)), "48b", *map(str, range(49, 64))]


def test_codes_are_unique_and_every_text_is_there() -> None:
    assert len({row.code for row in CAUSES}) == len(CAUSES)
    for row in CAUSES:
        assert row.when
        assert row.explanation
        assert row.remedy
        assert not row.explanation.endswith(".")


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m bench.findings"


@pytest.mark.parametrize("base", sorted(HEALTHY))
def test_a_healthy_path_passes_at_every_hop(base: str) -> None:
    report = diagnose(Evidence.model_validate(HEALTHY[base]))
    assert (report.verdict, report.findings) == ("passed", ())
    assert {verdict for _, verdict in report.hops} == {"passed"}
    assert report.proof


# --- no false "passed" ---------------------------------------------------------------------------------------------

BAD_NAMES = ("nodata", "nxdomain", "servfail", "refused-rcode", "timeout", "refused", "unreachable", "malformed")
BAD_CONNECTIONS = ("handshake-only", "timeout", "refused", "host-unreachable", "net-unreachable", "reset")
Change = dict[str, Any]


def taken_away(evidence: Change) -> list[Change]:
    """Each needed signal missing, or failing in each of its ways, as a merge patch."""
    changes: list[Change] = [
        {"readable": False},
        {"service": None},
        {"connections": []},
        {"expected": []},
        {"unprobed": ["UDP port 7007"]},
        {"unreadable": ["leases: not allowed"]},
        {"unread": [{"system": "qa", "kind": "late", "problem": "no answer in time"}]},
        {"unread": [{"system": "fw", "kind": "unreachable", "problem": "no connection"}]},
        {"unread": [{"system": "probes", "kind": "unreachable", "problem": "no socket"}]},
    ]
    for index in range(len(evidence["connections"])):
        changes += [{"connections": {"[]": {str(index): {"outcome": bad}}}} for bad in BAD_CONNECTIONS]
    for index in range(len(evidence["servers"])):
        for question in ("udp", "fresh"):
            changes.append({"servers": {"[]": {str(index): {question: None}}}})
            bad_ones = BAD_NAMES if question == "udp" else tuple(bad for bad in BAD_NAMES if bad not in _NO)
            for bad in bad_ones:
                answer = {"outcome": bad, "addresses": [], "soa_owner": None}
                changes.append({"servers": {"[]": {str(index): {question: answer}}}})
        changes.append({"servers": {"[]": {str(index): {"fresh": {"soa_owner": "."}}}}})
        changes.append({"servers": {"[]": {str(index): {"udp": {"addresses": ["192.0.2.1"]}}}}})
    return [*changes, *({**blind, "in_office": None} for blind in without_firewall(evidence))]


_NO = ("nodata", "nxdomain")


def without_firewall(evidence: Change) -> list[Change]:
    """The firewall's word missing or against it: the wire speaks for the office only when we stand there."""
    changes: list[Change] = [{"routes": []}, {"policies": []}]
    for table, field in (("routes", "found"), ("policies", "allowed")):
        for index in range(len(evidence[table])):
            changes += [{table: {"[]": {str(index): {field: said}}}} for said in (False, None)]
    for index in range(len(evidence["servers"])):
        for question in ("policy_udp", "policy_tcp"):
            changes.append({"servers": {"[]": {str(index): {question: None}}}})
            changes.append({"servers": {"[]": {str(index): {question: {"allowed": False}}}}})
    return changes


@pytest.mark.parametrize("base", sorted(HEALTHY))
def test_no_single_signal_can_be_missing_or_failing_under_a_passed(base: str) -> None:
    for change in taken_away(HEALTHY[base]):
        report = diagnosed(base, [change])
        assert report.verdict != "passed", change
        assert report.summary


@settings(max_examples=150)
@given(data=st.data())
def test_nor_can_any_number_of_them(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(sorted(HEALTHY)))
    possible = taken_away(HEALTHY[base])
    chosen = data.draw(st.lists(st.integers(0, len(possible) - 1), min_size=1, max_size=6, unique=True))
    report = diagnosed(base, [possible[index] for index in chosen])
    assert report.verdict != "passed", [possible[index] for index in chosen]


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_is_known_a_report_says_something_that_can_be_shown(data: st.DataObject) -> None:
    """No evidence, however torn, makes the reasoning fall over; the verdict follows the findings."""
    evidence, _ = case(data.draw(st.sampled_from(CASES)))
    document = evidence.model_dump(mode="json")
    for key in data.draw(st.lists(st.sampled_from(_REMOVABLE), max_size=4, unique=True)):
        document[key] = Evidence.model_fields[key].get_default()
    report = diagnose(Evidence.model_validate(document))
    verdicts = {finding.verdict for finding in report.findings}
    assert report.summary
    if "failed" in verdicts:
        assert report.verdict == "failed"
    if report.verdict == "passed":
        assert verdicts <= {"passed"}
    assert Report.model_validate_json(report.model_dump_json()) == report


_REMOVABLE = (
    *("service", "expected", "ports", "known_ports", "kube_dns", "servers", "direct", "routes", "policies"),
    *("connections", "samples", "held", "unread", "source", "in_office", "namespaces", "siblings"),
)


def diagnosed(base: str, changes: list[Change]) -> Report:
    """What is said of the healthy evidence after these changes; those that no longer fit are left out."""
    evidence, document = Evidence.model_validate(HEALTHY[base]), HEALTHY[base]
    for change in changes:
        with contextlib.suppress(IndexError, TypeError, KeyError, ValidationError):
            after = merged(document, change)
            evidence, document = Evidence.model_validate(after), after
    return diagnose(evidence)
