"""Two offices that ask the same DNS server: what is taken back for one of them stays for the other."""

from ipaddress import IPv4Network

from bot.model.commands import Expose, Unexpose
from bot.model.resources import Key
from handlers.lines.change import state_line
from handlers.lines.plan import plan_lines
from tests.asking import ask, change
from tests.office import Company


async def test_what_no_check_on_the_wire_can_tell_is_not_called_proven() -> None:
    company = Company()
    [hq] = company.site.offices
    branch = hq.model_copy(update={"name": "branch", "networks": {"office-b": IPv4Network("172.17.0.0/24")}})
    company.site = company.site.model_copy(update={"offices": (hq, branch)})
    engine = company.engine()
    for number, office in enumerate(("hq", "branch")):
        shown = await change(engine, Expose(namespace="default", office=office), f"d{number}")
        assert "proven" in state_line(shown)
    asked = await ask(engine, Unexpose(namespace="default", office="branch"), delivery="d8")
    assert asked.plan is not None
    assert "No check on the wire can tell: what is written is read back." in plan_lines(asked.plan)
    gone = await change(engine, Unexpose(namespace="default", office="branch"), "d9")
    assert state_line(gone) == "Done: 2 steps applied and read back"
    assert Key(kind="policy", name="k8snet-qa-branch") not in company.firewall.resources
    assert Key(kind="policy", name="k8snet-qa-hq") in company.firewall.resources
