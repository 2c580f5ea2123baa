"""The article's office in the kernel with a bot at work in it, and namespace `default` exposed."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.configuration import Places, bot_settings
from lab.network.kernel_company import Company, company
from lab.network.kernel_sandbox import Process
from lab.network.topology import BOT
from lab.slack.driver import Driver, driving

START_S = 30.0


@dataclass(frozen=True)
class Office:
    """Everything that a drill needs: the machines, the chat, and where the bot writes its log."""

    company: Company
    slack: Driver
    log: Path


async def start_bot(office: Company, folder: Path) -> Process:
    """The bot on its own host, with nothing but a configuration and its secrets; its log is `bot.log` in the folder."""
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
    (folder / "app.yaml").write_text(json.dumps(bot_settings(places)))
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


@asynccontextmanager
async def exposed(folder: Path) -> AsyncIterator[Office]:
    """A fresh company in which an operator has just exposed the namespace."""
    async with company() as made:
        await start_bot(made, folder)
        async with driving(made.controls["slack"]) as slack:
            await connected(slack)
            await slack.say("/k8snet expose default")
            await slack.until(contains="waits for a yes", timeout=30)
            await slack.click("Confirm")
            await slack.until(contains="applied and proven", timeout=60)
            yield Office(made, slack, folder / "bot.log")
