"""Accounts, VDOMs, releases and clusters: which device it is, and what it lets us do."""

import pytest

from bot.model.errors import Rejected, Unreachable
from lab.fortigate import article
from tests.backends.fortigate.conftest import Office, Open, ours, step
from tests.backends.fortigate.objects import GROUP, PODS, POLICY, ROUTE, apply, create, everything
from tests.contract.fortigate_subject import TOKEN


async def test_a_read_only_account_learns_which_right_it_lacks(office_with: Open) -> None:
    state = article.state(TOKEN)
    profile = {**state["accprofiles"][0], "fwgrp-permission": {"address": "read", "policy": "read"}}
    office = await office_with({"accprofiles": [profile]})
    outcome = await office.target.apply(step(None, ours(PODS)))
    assert outcome.kind == "refused"
    assert "fwgrp.address read-write" in outcome.detail
    assert await office.target.read([PODS.key]) == {}


async def test_a_wrong_token_is_tried_once(office_with: Open) -> None:
    office = await office_with({"api_users": article.state("another-token")["api_users"]})
    with pytest.raises(Rejected, match="refused the API token"):
        await office.target.read([PODS.key, ROUTE.key, POLICY.key])
    with pytest.raises(Rejected, match="Nothing is sent"):
        await office.target.apply(step(None, ours(PODS)))
    assert office.requests() == 1


async def test_everything_happens_in_the_vdom_of_the_settings(office_with: Open) -> None:
    state = article.state(TOKEN)
    state["api_users"][0]["vdom"] = ["root", "lab"]
    state["vdoms"]["lab"] = {}
    office = await office_with(state, vdom="lab")
    await create(office, PODS)
    assert PODS.name in [row["name"] for row in office.device.rows("firewall/address", "lab")]
    assert PODS.name not in [row["name"] for row in office.device.rows("firewall/address", "root")]


async def test_a_vdom_that_the_account_may_not_enter_is_named(office_with: Open) -> None:
    office = await office_with(vdom="dmz")
    with pytest.raises(Rejected, match="VDOM dmz"):
        await office.target.read([PODS.key])


@pytest.mark.parametrize("version", ["v6.4.14", "v7.0.0", "v7.0.15", "v7.2.8", "v7.4.4", "v7.6.6"])
async def test_a_plan_right_after_an_apply_is_empty_on_every_release(office_with: Open, version: str) -> None:
    office = await office_with({"version": version})
    wishes = [*everything(), ours(GROUP)]
    wishes.sort(key=lambda wish: wish.kind != "address")
    outcomes = await office.target.apply_all([step(None, wish) for wish in wishes])
    assert {outcome.kind for outcome in outcomes} == {"applied"}
    assert await office.target.read([wish.key for wish in wishes]) == {wish.key: wish for wish in wishes}
    changed = ours(ROUTE.model_copy(update={"distance": 20}), 1000, "op2")
    assert await apply(office, ours(ROUTE, 1000), changed) == "applied"


async def test_a_release_that_is_too_old_is_refused(office_with: Open) -> None:
    office = await office_with({"version": "v6.2.3"})
    with pytest.raises(Rejected, match=r"FortiOS 6\.2\.3 is too old"):
        await office.target.read([PODS.key])


async def test_a_fail_over_of_the_cluster_goes_unnoticed(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    there = await create(office, PODS)
    office.server.failover()
    assert await office.target.read([PODS.key]) == {PODS.key: there}
    assert "FGVMEVARTICLE002 answers now instead of FGVMEVARTICLE001" in caplog.text


async def test_a_unit_that_is_not_listed_is_not_believed(office_with: Open) -> None:
    office = await office_with(serials=["FGVMEVARTICLE001"])
    await create(office, PODS)
    office.server.failover()
    with pytest.raises(Unreachable, match="FGVMEVARTICLE002"):
        await office.target.read([PODS.key])
