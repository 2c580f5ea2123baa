"""Commands that look back, and the form: through the real Bolt, modals included."""

from tests.scenarios.chat import chat


async def test_history_tells_who_asked_who_said_yes_and_what_came_of_it(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet history")
        await room.slack.until(contains="Nobody has asked for a change yet.")
        await room.slack.say("/k8snet expose default because sprint 12", by="dana")
        await room.slack.until(contains="waits for a yes")
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        await room.slack.say("/k8snet history default", by="olga")
        told = await room.slack.until(contains="Changes, newest first", by="olga")
        assert told.ephemeral
        assert "expose default because sprint 12 · Done: 10 steps applied and proven" in told.text
        assert "asked by @dana · yes by @omar" in told.text


async def test_audit_finds_the_anchor_that_it_left_in_the_audit_channel(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet whoami")
        await room.slack.until("k8snet-audit", contains="sealed up to #1 by")
        await room.slack.say("/k8snet audit")
        told = await room.slack.until(contains="The journal is whole")
        assert "anchor  record 1, " in told.text
        log = room.company.contents.streams["journal"]
        log[0] = log[0].model_copy(update={"at": log[0].at.replace(year=1999)})
        await room.slack.say("/k8snet audit")
        await room.slack.until(contains="The journal was tampered with or damaged")


async def test_the_form_shows_live_namespaces_and_leads_to_the_ordinary_card(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet", by="dana")
        await room.slack.logged(kind="api", name="views.update")
        modal = await room.slack.modal(by="dana")
        assert modal is not None
        assert all(name in str(modal["blocks"]) for name in ("qa/default", "qa/kube-system", "qa/monitoring"))
        await room.slack.submit({"namespace": "default", "reason": "sprint 12\nof <!channel>"}, by="dana")
        card = await room.slack.until(contains="waits for a yes")
        assert "because sprint 12 of <!channel>" in card.text
        assert await room.slack.modal(by="dana") is None


async def test_the_form_takes_back_too_and_tells_mistakes_to_the_person_where_the_card_would_be(transport: str) -> None:
    async with chat(transport) as room:
        await room.slack.say("/k8snet", by="dana")
        await room.slack.logged(kind="api", name="views.update")
        await room.slack.submit({"what": "Take it back", "namespace": "default", "channel": "general"}, by="dana")
        await room.slack.until("general", contains="I am not in this channel", by="dana")


async def test_a_silent_cluster_is_said_in_the_form(transport: str) -> None:
    async with chat(transport) as room:
        room.company.cluster.away = True
        await room.slack.say("/k8snet", by="dana")
        await room.slack.logged(kind="api", name="views.update")
        modal = await room.slack.modal(by="dana")
        assert modal is not None
        assert "qa does not answer" in modal["plain"]
