"""The demo's story without a browser: the same bot and simulators, played through and printed as a transcript.

Every scene looks at the devices and at the wire, not only at what the bot says; exit 0 only if all of it happened.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from python_socks import ProxyError, ProxyTimeoutError
from python_socks.async_.asyncio import Proxy

from lab.company import Company, company
from lab.slack.driver import ChatError, Driver, driving

REDIS = "172.20.4.222"
STEP_TIMEOUT_S = 25


class Tour:
    """One run; prints as it goes."""

    def __init__(self, office: Company, slack: Driver) -> None:
        self._office, self._slack = office, slack
        self._start = time.monotonic()
        self._seen = 0

    async def play(self) -> None:
        """All scenes. AssertionError when something was said but did not happen, ChatError when it was not said."""
        before = self._devices()
        await self._scene("A developer's redis client cannot reach the cluster")
        assert await self._redis_reaches() is False, "the cluster was reachable before anything was exposed"
        self._note(f"PC 172.16.0.10 → {REDIS}:6379: no way")
        await self._scene("An operator exposes the namespace")
        await self._say("/k8snet expose default", "waits for a yes")
        await self._click("Confirm", "Done:")
        assert await self._redis_reaches() is True, "the bot said done, but no data passes"
        self._note(f"PC 172.16.0.10 → {REDIS}:6379: PONG")
        await self._scene("Anybody checks a service")
        await self._say("/k8snet check redis-abc-gns.default", "works:")
        await self._scene("It is taken back, without a trace")
        await self._say("/k8snet unexpose default because the sprint is over", "waits for a yes")
        await self._click("Confirm", "Done:")
        assert await self._redis_reaches() is False, "the cluster is still reachable"
        assert self._devices() == before, "firewall or DNS do not read as before"
        self._note("firewall and DNS read exactly as before")
        audit = await self._slack.messages("k8snet-audit")
        assert any("ended: done" in one.text for one in audit), "the audit channel has no result"
        print(f"\nEverything above really happened, in {time.monotonic() - self._start:.1f} s.")

    async def _scene(self, title: str) -> None:
        print(f"\n— {title}", flush=True)
        messages = await self._slack.messages()
        self._seen = max((one.seq for one in messages), default=0)

    async def _say(self, text: str, expected: str) -> None:
        print(f"  omar> {text}")
        await self._slack.say(text)
        await self._shown(expected)

    async def _click(self, label: str, expected: str) -> None:
        print(f"  omar presses [{label}]")
        await self._slack.click(label)
        await self._shown(expected)

    async def _shown(self, expected: str) -> None:
        message = await self._slack.until(contains=expected, after=self._seen, timeout=STEP_TIMEOUT_S)
        self._seen = message.seq
        print("\n".join(f"    | {line}" for line in message.text.splitlines()), flush=True)

    def _note(self, text: str) -> None:
        print(f"  ({text})", flush=True)

    async def _redis_reaches(self) -> bool:
        """Whether a PING from the office PC is answered with PONG by the redis in its pod."""
        host, port = self._office.pc
        try:
            connection = await Proxy.from_url(f"socks5://{host}:{port}").connect(REDIS, 6379, timeout=2)
        except (ProxyError, ProxyTimeoutError):
            return False
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            writer.write(b"PING\r\n")
            return await asyncio.wait_for(reader.readline(), 2) == b"+PONG\r\n"
        except (TimeoutError, ConnectionError):
            return False
        finally:
            writer.close()

    def _devices(self) -> object:
        rows = {table: self._office.firewall.device.rows(table) for table in _TABLES}
        return rows, [zone.model_dump() for zone in self._office.dns.server.zones]


_TABLES = ("firewall/address", "firewall/addrgrp", "router/static", "firewall/policy")


async def run_tour() -> int:
    """Play the tour once. Answers an exit code."""
    with tempfile.TemporaryDirectory(prefix="k8snet-tour-") as folder:
        async with company(Path(folder)) as office, office.bot() as bot, driving(office.slack.page_url) as slack:
            try:
                await asyncio.wait_for(Tour(office, slack).play(), 60)
            except (AssertionError, ChatError, TimeoutError) as error:
                print(f"\nThe tour failed: {error or 'it took more than 60 s'}")
                print(f"The bot's log ends with:\n{bot.last_words()}")
                return 1
    return 0
