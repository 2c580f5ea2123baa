"""The rotation over a real socket: who is on call, and what becomes of a schedule that does not behave."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from backends.oncall.rotation import Rotation
from backends.oncall.settings import RotationSettings
from bot.model.errors import BackendError, Rejected, Unreachable
from lab.oncall.server import Schedule, serving

TOKEN = "s3cr3t-of-the-schedule"
PEOPLE = {"POLGA": "U0OLGA0001", "PADA": "U0ADA00001"}


@pytest.fixture
async def schedule() -> AsyncIterator[Schedule]:
    async with serving(TOKEN) as made:
        made.levels = {1: ["U0OLGA0001"]}
        yield made


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def plain(schedule: Schedule, clock: Clock | None = None, **more: object) -> Rotation:
    settings = {"url": f"{schedule.url}/plain", "token": SecretStr(TOKEN), "timeout_s": 5, **more}
    return Rotation(RotationSettings.model_validate(settings), clock or Clock())


def pagerduty(schedule: Schedule) -> Rotation:
    url = f"{schedule.url}/oncalls?schedule_ids[]=PNET"
    return plain(schedule, url=url, format="pagerduty", people=PEOPLE)


async def test_a_plain_schedule_names_people_and_groups_of_the_chat(schedule: Schedule) -> None:
    schedule.levels = {1: ["U0OLGA0001", "S0ONCALL1", "U0OLGA0001"]}
    assert await plain(schedule).on_call() == ("U0OLGA0001", "S0ONCALL1")


async def test_of_pagerduty_the_first_level_is_called_by_their_names_in_the_chat(schedule: Schedule) -> None:
    schedule.levels = {2: ["PADA"], 1: ["POLGA", "PSTRANGER"]}
    assert await pagerduty(schedule).on_call() == ("U0OLGA0001",)


async def test_somebody_whom_the_configuration_does_not_know_is_named_in_the_problem(schedule: Schedule) -> None:
    schedule.levels = {1: ["PSTRANGER"]}
    with pytest.raises(Rejected, match="it names PSTRANGER, whom `people` does not know"):
        await pagerduty(schedule).on_call()


async def test_who_is_called_first_may_not_be_on_the_first_page(schedule: Schedule) -> None:
    schedule.levels = {2: ["PADA"] * 30, 1: ["POLGA"]}
    with pytest.raises(Rejected, match="more entries than one answer holds"):
        await pagerduty(schedule).on_call()
    url = f"{schedule.url}/oncalls?schedule_ids[]=PNET&limit=100"
    assert await plain(schedule, url=url, format="pagerduty", people=PEOPLE).on_call() == ("U0OLGA0001",)


async def test_an_answer_counts_for_a_while_and_then_is_asked_for_again(schedule: Schedule) -> None:
    clock = Clock()
    rotation = plain(schedule, clock)
    await rotation.on_call()
    schedule.levels = {1: ["U0ADA00001"]}
    clock.now = 59.0
    assert (await rotation.on_call(), schedule.asked) == (("U0OLGA0001",), 1)
    clock.now = 61.0
    assert (await rotation.on_call(), schedule.asked) == (("U0ADA00001",), 2)


@pytest.mark.parametrize(
    ("temper", "error", "says"),
    [
        ("hangs", Unreachable, "no answer within 0.5 s"),
        ("garbage", Rejected, "its answer is no JSON object"),
        ("breaks", Rejected, "it answered with status 500"),
        ("empty", Rejected, "does not have the form"),
        ("redirects", Rejected, "it answered with status 302"),
        ("endless", Rejected, "its answer is longer than 256 KiB"),
    ],
)
async def test_a_schedule_that_does_not_behave_is_an_error_in_words(
    schedule: Schedule, temper, error: type[BackendError], says: str
) -> None:
    schedule.temper = temper
    with pytest.raises(error, match=says):
        await plain(schedule, **({"timeout_s": 0.5} if temper == "hangs" else {})).on_call()


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end(schedule: Schedule) -> None:
    schedule.temper = "in pieces"
    assert await plain(schedule).on_call() == ("U0OLGA0001",)


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("no certificate", "no certificate in PEM form")])
async def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, why: str) -> None:
    ca_file = tmp_path / "ca.pem"
    if text is not None:
        ca_file.write_text(text)
    settings = {"url": "https://schedule.example/plain", "ca_file": ca_file}
    with pytest.raises(Rejected, match=f"{ca_file}.*{why}"):
        await Rotation(RotationSettings.model_validate(settings), Clock()).on_call()


async def test_nobody_on_call_is_an_error_too(schedule: Schedule) -> None:
    schedule.levels = {}
    for rotation in (plain(schedule), pagerduty(schedule)):
        with pytest.raises(Rejected, match="it names nobody"):
            await rotation.on_call()


async def test_whatever_fails_the_token_is_never_told(schedule: Schedule) -> None:
    wrong = plain(schedule, token=SecretStr("wrong-but-secret"))
    gone = plain(schedule, url="http://127.0.0.1:1/plain?key=hidden")
    for rotation in (wrong, gone):
        with pytest.raises(BackendError) as caught:
            await rotation.on_call()
        said = f"{caught.value!r} {caught.value.__cause__!r}"
        assert "secret" not in said
        assert TOKEN not in said
        assert "hidden" not in said


async def test_ids_that_are_none_of_the_chat_are_refused(schedule: Schedule) -> None:
    schedule.levels = {1: ["<!everyone>"]}
    with pytest.raises(Rejected, match="does not have the form"):
        await plain(schedule).on_call()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "http://schedule.example/x"}, "must begin with https://"),
        ({"url": "https://schedule..example/x"}, "names no host"),
        ({"url": "https://me:pw@schedule.example/x"}, "must not hold a password"),
        ({"url": "https://api.pagerduty.com/oncalls", "format": "pagerduty"}, "needs people"),
        ({"url": "https://schedule.example/x", "token": SecretStr("two\nlines")}, "token is empty or has blanks"),
    ],
)
def test_settings_that_would_leak_or_call_nobody_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        RotationSettings.model_validate(changes)
