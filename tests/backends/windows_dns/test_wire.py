"""Finding the one answer in what a process printed."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.windows_dns.wire import Answer, Fault, parse

GOOD = {"ref": "r1", "server": "DC1", "clock": 638000000000000000, "fault": None}


def line(data: object) -> bytes:
    return b"<<" + base64.b64encode(json.dumps(data).encode()) + b">>\r\n"


def test_an_answer_is_found_among_what_a_profile_script_prints() -> None:
    found = parse(b"\xef\xbb\xbfWelcome to DC1 <3\r\n" + line(GOOD) + b"bye", Answer, "r1")
    assert found == Answer(**GOOD)


def test_an_answer_may_be_wrapped_at_the_width_of_a_console() -> None:
    text = line(GOOD).strip()
    wrapped = b"\r\n".join(text[start : start + 80] for start in range(0, len(text), 80))
    assert parse(wrapped, Answer, "r1") == Answer(**GOOD)


def test_fields_of_a_later_version_are_ignored() -> None:
    assert parse(line({**GOOD, "weather": "fine"}), Answer, "r1") == Answer(**GOOD)


@pytest.mark.parametrize(
    "stdout",
    [
        b"",
        b"<<>>",
        b"<<!!!!>>",
        b"<<QUJD>>",
        line(GOOD)[:-6],
        line(GOOD) * 2,
        line([GOOD]),
        line({**GOOD, "clock": "638000000000000000"}),
        line({**GOOD, "clock": None}),
        line({**GOOD, "ref": "r2"}),
        line({key: GOOD[key] for key in GOOD if key != "fault"}),
        line("[" * 100_000),
        b"<<" + base64.b64encode(b"[" * 100_000) + b">>",
    ],
)
def test_anything_else_is_no_answer(stdout: bytes) -> None:
    assert parse(stdout, Answer, "r1") is None


@given(st.binary(max_size=200))
def test_garbage_is_no_answer_and_no_error(stdout: bytes) -> None:
    assert parse(stdout, Answer, "r1") is None


@pytest.mark.parametrize(
    ("error_id", "code"),
    [
        ("WIN32 9609,Add-DnsServerConditionalForwarderZone", 9609),
        ("WIN32 5,Get-DnsServerZone", 5),
        (f"WIN32 {'9' * 5000},Get-DnsServerZone", None),
        ("ParameterArgumentTransformationError,Add-DnsServerConditionalForwarderZone", None),
        ("CommandNotFoundException", None),
        ("", None),
    ],
)
def test_the_number_is_in_the_id(error_id: str, code: int | None) -> None:
    assert Fault(id=error_id).code == code
