"""The article's office in the kernel with a bot at work in it, and namespace `default` exposed."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.configuration import Places, bot_settings
from lab.network.kernel_company import Company, company
from lab.network.kernel_sandbox import Process
from lab.slack.driver import Driver, driving
from lab.topology import BOT

START_S, ANSWER_S, DONE_S = 30.0, 60.0, 180.0


@dataclass(frozen=True)
class Office:
    """Everything that a drill needs: the machines, the chat, and where the bot writes its log."""

    company: Company
    slack: Driver
    log: Path


async def start_bot(office: Company, folder: Path, cluster: Mapping[str, Any] | None = None) -> Process:
    """The bot on its own host, with nothing but a configuration and its secrets; its log is `bot.log` in the folder.

    `cluster` holds settings of the cluster that differ from the lab's, sections merged key by key.
    """
    access, secrets = office.access, office.bot_environment()
    places = Places(
        journal=folder / "journal.db",
        slack_api=secrets["SLACK_API_URL"],
        fortigate=access.fortigate_url,
        fortigate_ca=access.fortigate_ca,
        windows=access.windows_url,
        windows_ca=access.windows_ca,
        windows_user=access.windows_user,
        kubeconfig=access.kubeconfig,
    )
    settings = bot_settings(places)
    settings["clusters"]["qa"] = _merged(settings["clusters"]["qa"], cluster or {})
    (folder / "app.yaml").write_text(json.dumps(settings))
    environ = {name: secrets[name] for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "FORTIGATE_TOKEN")}
    environ["WINRM_PASSWORD"] = secrets["WINDOWS_DNS_PASSWORD"]
    argv = [sys.executable, "-m", "bot", "run", "--config", str(folder / "app.yaml")]
    with (folder / "bot.log").open("wb") as log:
        return await office.net.spawn(BOT, argv, env=environ, stdout=log, stderr=log)


async def connected(slack: Driver) -> None:
    """The bot has opened its socket: a person would see it online. TimeoutError after half a minute."""
    async with asyncio.timeout(START_S):
        while not (await slack.get("state", "omar"))["connections"]:  # noqa: ASYNC110  # another process connects
            await asyncio.sleep(0.1)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: (base.get(key), value) for key, value in changes.items()}
    return {**base, **{key: _merged(old, new) if isinstance(old, dict) else new for key, (old, new) in both.items()}}


async def confirmed(slack: Driver, line: str, done: str, *, by: str | None = None) -> float:
    """Type a change, wait until its plan can be confirmed, confirm it; answers the moment (monotonic) of the yes.

    Returns when a message contains `done`. ChatError when it does not come.
    """
    await slack.say(line, by=by)
    card = await slack.until(contains="waits for a yes", timeout=ANSWER_S)
    async with asyncio.timeout(ANSWER_S):  # a long plan has its button once the thread holds it whole
        while "Confirm" not in card.buttons:
            await asyncio.sleep(0.1)
            card = next(one for one in await slack.messages() if one.ts == card.ts)
    clicked = time.monotonic()
    await slack.click("Confirm", by=by)
    await slack.until(contains=done, timeout=DONE_S)
    return clicked


@asynccontextmanager
async def exposed(
    folder: Path, cluster: Mapping[str, Any] | None = None, *, canaries: bool = False
) -> AsyncIterator[Office]:
    """A fresh company in which an operator has just exposed the namespace."""
    async with company(canaries=canaries) as made:
        await start_bot(made, folder, cluster)
        async with driving(made.controls["slack"]) as slack:
            await connected(slack)
            await confirmed(slack, "/k8snet expose default", "applied and proven")
            yield Office(made, slack, folder / "bot.log")
