"""Answers that are well formed and still not what was asked for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr

from backends.fortigate.settings import FortiGateSettings
from backends.fortigate.target import FortiGate
from bot.model.errors import Rejected, Unreachable
from bot.model.resources import Key
from tests.backends.fortigate.clock import ManualClock
from tests.backends.fortigate.peer import Request, envelope, http, peer

PODS = Key(kind="address", name="pods")
ROUTE = Key(kind="route", name="10.68.0.0/16")


class Answers(dict[str, list[dict[str, Any]]]):
    """Rows by table, whatever the filter says."""

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        table = "/".join(request.target.partition("?")[0].split("/")[4:6])
        writer.write(http(200, envelope(table, results=self.get(table, []))))


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def target(answers: Answers, tmp_path: Path) -> AsyncIterator[FortiGate]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with peer(answers, ca.issue_cert("127.0.0.1")) as firewall:
        data = {
            "type": "fortigate",
            "url": firewall.url,
            "token": SecretStr("planted-secret-4711"),
            "tls": {"ca_file": tmp_path / "ca.pem"},
        }
        made = FortiGate("office-fw", FortiGateSettings.model_validate(data), ManualClock())
        yield made
        await made.close()


async def test_rows_that_were_not_asked_for_do_not_count(target: FortiGate, answers: Answers) -> None:
    """Whether `==` looks at case is not documented, and an old release may know no filter at all."""
    answers["firewall/address"] = [{"name": name, "subnet": "10.0.0.0 255.0.0.0"} for name in ("PODS", "all", "pods")]
    assert list(await target.read([PODS])) == [PODS]
    answers["firewall/address"].pop()
    assert await target.read([PODS]) == {}


async def test_numbers_outside_the_range_do_not_count(target: FortiGate, answers: Answers) -> None:
    answers["router/static"] = [{"seq-num": number} for number in (1, 1000, "1001", 5000)]
    assert list(await target.free_rows("route", 2)) == [1002, 1003]


@pytest.mark.parametrize("row", [{}, {"name": 7}, {"name": None}])
async def test_rows_without_their_key_are_no_answer(target: FortiGate, answers: Answers, row: dict[str, Any]) -> None:
    """Taken for "not there", they would lead to a second one."""
    answers["firewall/address"] = [row]
    with pytest.raises(Unreachable, match="rows without name"):
        await target.read([PODS])


@pytest.mark.parametrize("row", [{}, {"seq-num": "x"}, {"seq-num": None}])
async def test_rows_without_their_number_are_no_answer(
    target: FortiGate, answers: Answers, row: dict[str, Any]
) -> None:
    answers["router/static"] = [row]
    with pytest.raises(Unreachable, match="rows without seq-num"):
        await target.free_rows("route", 1)


async def test_values_that_cannot_be_read_are_named_with_their_row(target: FortiGate, answers: Answers) -> None:
    answers["router/static"] = [{"seq-num": 5, "dst": "10.68.0.0 255.255.0.0", "gateway": "over there"}]
    with pytest.raises(Rejected, match=r"route 10\.68\.0\.0/16 \(seq-num 5\) has values that k8snet cannot read"):
        await target.read([ROUTE])


async def test_every_problem_is_told_at_once(target: FortiGate, answers: Answers) -> None:
    answers["firewall/address"] = [{"name": "pods", "type": "fqdn"}]
    answers["router/static"] = [{"seq-num": 5, "dst": "10.68.0.0/16", "status": "disable"}]
    with pytest.raises(Rejected, match=r"type=fqdn.*status=disable"):
        await target.read([PODS, ROUTE])
