"""Many reports as one: what the services share, and what is each one's own."""

import pytest

from bot.model.causes.many import together
from bot.model.diagnosis import HOPS, Report, Verdict


def report(name: str, way: Verdict, service: Verdict) -> Report:
    hops = tuple((hop, service if hop == "service" else way) for hop in HOPS)
    return Report(
        name=f"{name}.default", cluster="qa", namespace="default", verdict=service, summary="", hops=hops, findings=()
    )


@pytest.mark.parametrize(
    ("ways", "way"),
    [
        (("passed", "undetermined"), "passed"),
        (("undetermined", "undetermined"), "undetermined"),
        (("passed", "failed"), "failed"),
        (("passed", "undetermined", "failed"), "failed"),
    ],
)
def test_the_way_is_proven_by_each_service_that_works(ways: tuple[Verdict, ...], way: Verdict) -> None:
    reports = [report(f"service-{number}", verdict, verdict) for number, verdict in enumerate(ways)]
    assert {verdict for hop, verdict in together("all", "qa", reports).hops if hop != "service"} == {way}


def test_no_service_proves_another() -> None:
    found = together("all", "qa", [report("one", "passed", "passed"), report("other", "passed", "undetermined")])
    assert dict(found.hops)["service"] == "undetermined"
