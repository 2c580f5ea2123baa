"""The page speaks Chinese, too: every text of the page, and every one that the demo's company sends to it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from lab.company import company
from lab.slack.acting import TROUBLE
from lab.slack.people import company as people

PAGE = Path(__file__).parent.parent.parent.parent / "lab/slack/page"
MARK = re.compile(r"""\b(?:tr|marked)\(\s*("(?:[^"\\\n]|\\.)*"|'[^'\n]*')""")
NAME = re.compile(r"\{(\w+)\}")
SPOKEN = ("aria-label", "title", "placeholder")
ITSELF = {"k8s lab", "English", "中文", "☰", "✕"}  # the same in every language
NAMES = {"FortiGate", "kube-dns", "redis-abc-gns", "web-abc"}


class Texts(HTMLParser):
    """Whatever can be read in the page's body."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.inside = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = self.inside or tag == "body"
        if self.inside:
            self.found |= {value for name, value in attributes if name in SPOKEN and value}

    def handle_data(self, data: str) -> None:
        if self.inside and data.strip():
            self.found.add(data.strip())


def catalogue() -> dict[str, str]:
    text = (PAGE / "zh-CN.js").read_text(encoding="utf-8")
    return dict(json.loads(text[text.index("{") : text.rindex("}") + 1]))


def said_by_the_page() -> set[str]:
    html = Texts()
    html.feed((PAGE / "index.html").read_text(encoding="utf-8"))
    found = html.found - ITSELF
    for file in PAGE.glob("*.js"):
        for quoted in MARK.findall(file.read_text(encoding="utf-8")):
            found.add(json.loads(quoted) if quoted[0] == '"' else quoted[1:-1])
    return found


def known(text: str, texts: dict[str, str]) -> bool:
    """Whether the page finds this text of the server, also with values filled in."""
    patterns = (re.escape(template).replace(r"\{", "{").replace(r"\}", "}") for template in texts if "{" in template)
    return text in texts or any(re.fullmatch(NAME.sub(".+?", pattern), text) for pattern in patterns)


def test_every_text_of_the_page_is_translated_with_its_values() -> None:
    texts = catalogue()
    assert sorted(said_by_the_page() - set(texts)) == []
    assert [text for text, said in texts.items() if set(NAME.findall(text)) != set(NAME.findall(said))] == []


def test_people_and_channels_are_described_in_chinese() -> None:
    texts, state = catalogue(), people()
    said = {user.role for user in state.users.values()} | {channel.purpose for channel in state.channels.values()}
    assert sorted(text for text in said if not known(text, texts)) == []
    assert known(f'{TROUBLE} to "Confirm" (http_timeout)', texts)


async def test_the_network_of_the_demo_is_labelled_in_chinese(tmp_path: Path) -> None:
    async with company(tmp_path) as office, office.bot():
        network = office.slack.slack.network
        assert network is not None
        picture: dict[str, Any] = network.describe()
    said = {picture["title"], *(switch["label"] for switch in picture["switches"])}
    said |= {text for table in picture["tables"] for text in (table["title"], *table["columns"])}
    said |= {node["label"] for node in picture["nodes"] if not node["label"].startswith("node-")} - NAMES
    said |= {node["state"] for node in picture["nodes"]} | {"ok", "down", "warn", "off", "active"}
    assert sorted(text for text in said if not known(text, catalogue())) == []
