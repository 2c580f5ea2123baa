"""Pictures in the workspace: after `status` and on the Home tab, uploaded once; what is said when there are none."""

import io
from typing import Any

from PIL import Image

from tests.scenarios.chat import Chat, chat, eventually, expose_asked, home


async def uploads(room: Chat) -> int:
    entries = await room.slack.transcript()
    return sum(entry["kind"] == "api" and entry["name"] == "files.completeUploadExternal" for entry in entries)


def files_of(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["slack_file"]["id"] for block in blocks if block["type"] == "image"]


async def looked(room: Chat) -> None:
    """The first look at the exposures: the bot's own comes once a minute."""
    availability = room.engine.availability("qa")
    assert availability is not None
    await availability.tick()


async def test_status_is_followed_by_pictures_that_are_uploaded_once(transport: str) -> None:
    async with chat(transport) as room:
        await expose_asked(room)
        await room.slack.click("Confirm")
        await room.slack.until(contains="applied and proven")
        await looked(room)
        await room.slack.say("/k8snet status")
        words = await room.slack.until(contains="journal: ")
        assert "names ✓ works, data ✓ works; 100 % of 1 min that were looked at" in words.text
        shown = await room.slack.until(
            contains="[image: Way into cluster qa: DNS of office hq ✓ works", after=words.seq
        )
        assert shown.ephemeral
        assert "Availability in the last 24 hours: default / qa, hq 100 %." in shown.spoken
        files = files_of(shown.blocks)
        for file in files:
            answer = await room.slack.http.get(f"/files/{file}")
            with Image.open(io.BytesIO(answer.content)) as image:
                assert (image.format, image.width) == ("PNG", 1080)
        before = await uploads(room)
        assert before == len(files) == 2
        await room.slack.say("/k8snet status")
        again = await room.slack.until(contains="[image: Way into cluster qa", after=shown.seq)
        assert files_of(again.blocks) == files
        assert await uploads(room) == before


async def test_the_home_tab_has_the_pictures_as_soon_as_slack_has_prepared_them() -> None:
    async with chat() as room:
        await room.slack.post("image_delay", None, seconds=3600)
        await room.slack.open_home()
        view = await home(room, "omar", "Clusters and gateways")
        assert "[image:" not in view["plain"]
        await room.slack.advance(3601)
        view = await home(room, "omar", "[image: Way into cluster qa")
        assert "gateway k8s-qa-node-02" in view["plain"]


async def test_what_slack_will_not_take_is_left_out_and_the_words_are_there() -> None:
    async with chat() as room:
        await room.slack.fault(method="files.getUploadURLExternal", kind="error", error="missing_scope", times=0)
        await room.slack.say("/k8snet status")
        await room.slack.until(contains="journal: ")
        await room.slack.open_home()
        view = await home(room, "omar", "gateway k8s-qa-node-02")
        assert "[image:" not in view["plain"]


async def test_everybody_who_looks_shares_one_picture() -> None:
    async with chat() as room:
        for by in ("omar", "dana", "olga"):
            await room.slack.open_home(by=by)
        for by in ("omar", "dana", "olga"):
            await home(room, by, "[image: Way into cluster qa")

        async def once() -> bool:
            return await uploads(room) == 1

        await eventually(once)


async def test_a_picture_that_takes_too_long_is_there_for_the_next_look() -> None:
    async with chat() as room:
        await room.slack.fault(method="files.completeUploadExternal", kind="slow", seconds=3600)
        await room.slack.open_home()
        view = await home(room, "omar", "gateway k8s-qa-node-02")
        assert "[image:" not in view["plain"]
        await room.slack.advance(3601)

        async def uploaded() -> bool:
            return await uploads(room) == 1

        await eventually(uploaded)
        await room.slack.post("click", "omar", surface="home", label="Refresh")
        await home(room, "omar", "[image: Way into cluster qa")
        assert await uploads(room) == 1
