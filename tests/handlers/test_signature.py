"""Slack's signature: the published vector, the window, and every way a request can be a lie."""

import pytest

from handlers.signature import WINDOW_S, Verifier

SECRET, TIME = "k8snet-demo-signing-secret", 1700000000
BODY = b"command=%2Fk8snet&text=status"
SIGNATURE = "v0=9c69002a1191bacd810afd1802b67597655e82f66ea5aa3ef30c35a15ec8c5b1"
# From "Verifying requests from Slack".
DOCUMENTED = (
    "8f742231b10e8888abcd99yyyzzz85a5",
    1531420618,
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
)


@pytest.mark.parametrize("vector", [DOCUMENTED, (SECRET, TIME, BODY, SIGNATURE)])
def test_a_signed_request_is_believed_once(vector: tuple[str, int, bytes, str]) -> None:
    secret, time, body, signature = vector
    verifier = Verifier(secret, lambda: float(time))
    assert verifier.refusal(str(time), signature, body) == ""
    assert verifier.refusal(str(time), signature, body) == "the request was here before"


@pytest.mark.parametrize("away", [-WINDOW_S, 0, WINDOW_S])
def test_five_minutes_each_way_are_the_window(away: int) -> None:
    assert Verifier(SECRET, lambda: float(TIME + away)).refusal(str(TIME), SIGNATURE, BODY) == ""
    beyond = away + (1 if away > 0 else -1)
    if away:
        assert "five minutes" in Verifier(SECRET, lambda: float(TIME + beyond)).refusal(str(TIME), SIGNATURE, BODY)


@pytest.mark.parametrize(
    ("timestamp", "signature", "body"),
    [
        ("", SIGNATURE, BODY),
        ("yesterday", SIGNATURE, BODY),
        ("1700000000.0", SIGNATURE, BODY),
        ("-1700000000", SIGNATURE, BODY),
        ("١٧٠٠٠٠٠٠٠٠", SIGNATURE, BODY),
        ("9" * 5000, SIGNATURE, BODY),
        (str(TIME), "", BODY),
        (str(TIME), SIGNATURE.upper(), BODY),
        (str(TIME), SIGNATURE[:-1], BODY),
        (str(TIME), "v0=ü\udcff", BODY),
        (str(TIME), SIGNATURE, BODY + b" "),
        (str(TIME + 1), SIGNATURE, BODY),
    ],
)
def test_whatever_is_not_exactly_as_it_was_signed_is_refused(timestamp: str, signature: str, body: bytes) -> None:
    assert Verifier(SECRET, lambda: float(TIME)).refusal(timestamp, signature, body)
    assert Verifier("another secret", lambda: float(TIME)).refusal(str(TIME), SIGNATURE, BODY)


def test_what_was_seen_is_forgotten_only_when_its_time_has_passed() -> None:
    time = [float(TIME)]
    verifier = Verifier(SECRET, lambda: time[0])
    verifier.refusal(str(TIME), SIGNATURE, BODY)
    time[0] += WINDOW_S
    assert verifier.refusal(str(TIME), SIGNATURE, BODY) == "the request was here before"
    time[0] += 1
    assert "five minutes" in verifier.refusal(str(TIME), SIGNATURE, BODY)
