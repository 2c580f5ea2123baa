"""The demo's story without a browser: the same bot and simulators, eight scenes played and printed as a transcript.

Every scene looks at the devices and at the wire, not only at what the bot says; exit 0 only if all of it happened.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from python_socks import ProxyError, ProxyTimeoutError
from python_socks.async_.asyncio import Proxy

from lab.company import Bot, Company, company
from lab.fortigate.server import Latency
from lab.slack.driver import ChatError, Driver, Seen, driving
from lab.topology import ARTICLE

REDIS = "172.20.4.222"
STEP_TIMEOUT_S = 30
LONGEST_S = 120  # it takes about 35 s; a machine that is busy otherwise gets more


class Tour:
    """One run; prints as it goes."""

    def __init__(self, office: Company, bot: Bot, slack: Driver) -> None:
        self._office, self._bot, self._slack = office, bot, slack
        self._start = time.monotonic()
        self._seen = 0

    async def play(self) -> None:
        """All scenes. AssertionError when something was said but did not happen, ChatError when it was not said."""
        before = self._devices()
        await self._expose()
        await self._check()
        await self._break_and_mend()
        await self._fail_over()
        await self._wrong_role()
        await self._double_click()
        await self._die()
        await self._take_back(before)
        print(f"\nEverything above really happened, in {time.monotonic() - self._start:.1f} s.")

    async def _expose(self) -> None:
        await self._scene("1. A developer's redis client cannot reach the cluster; an operator opens the way")
        assert await self._redis_reaches() is False, "the cluster was reachable before anything was exposed"
        self._note(f"PC 172.16.0.10 → {REDIS}:6379: no way")
        await self._say("dana", "/k8snet expose default because sprint 12", "waits for a yes")
        await self._click("omar", "Confirm", "Done:")
        assert await self._redis_reaches() is True, "the bot said done, but no data passes"
        self._note(f"PC 172.16.0.10 → {REDIS}:6379: PONG")

    async def _check(self) -> None:
        await self._scene("2. Anybody checks a service")
        await self._say("dana", "/k8snet check redis-abc-gns.default", "works:", most=2)

    async def _break_and_mend(self) -> None:
        await self._scene("3. The forwarder vanishes; the check names it and offers the cure")
        await self._office.breaking.forwarder(True)
        self._note("somebody removes the conditional forwarder on dc1")
        await self._say("dana", "/k8snet check redis-abc-gns.default", "is broken at", most=8)
        await self._click("dana", "Expose default", "waits for a yes", most=4)
        await self._click("omar", "Confirm", "Done:", most=2)
        await self._say("dana", "/k8snet check redis-abc-gns.default", "works:", most=1)

    async def _fail_over(self) -> None:
        await self._scene("4. The gateway node dies; on-call moves the routes to another one")
        await self._office.breaking.gateway(True)
        self._note(f"{ARTICLE.gateway_node} is switched off")
        asked = await self._shown(f"The gateway of qa is down: {ARTICLE.gateway_node}", most=5)
        assert await self._redis_reaches() is False, "the dead gateway still forwards"
        await self._click("olga", asked.buttons[0], "Moved and proven")
        assert await self._redis_reaches() is True, "the bot said moved, but no data passes"
        self._note(f"PC 172.16.0.10 → {REDIS}:6379: PONG")
        await self._office.breaking.gateway(False)

    async def _wrong_role(self) -> None:
        await self._scene("5. Who may ask may not confirm")
        await self._say("dana", "/k8snet expose qa-orders", "waits for a yes", most=2)
        writes = self._office.firewall.device.to_json()
        await self._click("dana", "Confirm", "you need the role")
        assert self._office.firewall.device.to_json() == writes, "a refused click wrote to the firewall"

    async def _double_click(self) -> None:
        await self._scene("6. Two people press Confirm at once")
        print("  omar and ada press [Confirm]")
        await asyncio.gather(self._slack.click("Confirm", by="omar"), self._slack.click("Confirm", by="ada"))
        await self._shown("Done:", most=2)
        audit = await self._slack.messages("k8snet-audit")
        yeses = sum(one.text.count("said yes to") for one in audit)
        assert yeses == 4, f"{yeses} yeses counted for four changes"
        self._note("one of them counts; it is applied once")

    async def _die(self) -> None:
        await self._scene("7. The bot is killed in the middle of a change")
        await self._ask_and_do("qa-orders")
        held = self._rows()
        begun = asyncio.Event()
        await self._say("omar", "/k8snet unexpose default because the sprint is over", "waits for a yes", most=2)
        self._office.firewall.latency = Latency(low=0.05, high=0.05)
        stop_listening = self._office.firewall.device.subscribe(lambda _: begun.set())
        print("  omar presses [Confirm]")
        await self._slack.click("Confirm")
        await begun.wait()
        await self._bot.kill()
        stop_listening()
        assert self._rows() != held, "the bot was killed before it had begun"
        self._note("kill -9, with half of it taken away")
        self._office.firewall.latency = Latency()
        await self._bot.start()
        self._note("the bot is started again")
        await self._shown("everything that was written was taken back", most=2)
        assert self._rows() == held, "the unfinished change left something behind"
        assert await self._redis_reaches() is True, "what was not taken away does not work any more"
        self._note(f"PC 172.16.0.10 → {REDIS}:6379: PONG")

    async def _take_back(self, before: object) -> None:
        await self._scene("8. It is all taken back, without a trace")
        await self._ask_and_do("default")
        assert await self._redis_reaches() is False, "the cluster is still reachable"
        self._note(f"PC 172.16.0.10 → {REDIS}:6379: no way")
        assert self._devices() == before, "firewall or DNS do not read as before"
        self._note("firewall and DNS read exactly as before")
        await self._say("omar", "/k8snet audit", "The journal is whole", most=1)

    async def _ask_and_do(self, namespace: str) -> None:
        await self._say("omar", f"/k8snet unexpose {namespace} because the sprint is over", "waits for a yes", most=2)
        await self._click("omar", "Confirm", "Done:", most=2)

    async def _scene(self, title: str) -> None:
        print(f"\n— {title}", flush=True)
        messages = await self._slack.messages()
        self._seen = max((one.seq for one in messages), default=0)

    async def _say(self, by: str, text: str, expected: str, most: int = 99) -> None:
        print(f"  {by}> {text}")
        await self._slack.say(text, by=by)
        await self._shown(expected, by, most)

    async def _click(self, by: str, label: str, expected: str, most: int = 99) -> None:
        print(f"  {by} presses [{label}]")
        await self._slack.click(label, by=by)
        await self._shown(expected, by, most)

    async def _shown(self, expected: str, by: str = "omar", most: int = 99) -> Seen:
        """Wait until this person can read it, and print the first lines of it."""
        message = await self._slack.until(contains=expected, by=by, after=self._seen, timeout=STEP_TIMEOUT_S)
        self._seen = message.seq
        lines = message.text.splitlines()
        left = len(lines) - most
        more = [f"… ({left} more line{'s' * (left > 1)})"] if left > 0 else []
        print("\n".join(f"    | {line}" for line in [*lines[:most], *more]), flush=True)
        return message

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

    def _rows(self) -> object:
        """What the devices hold, whatever its order: a policy made again stands last and has another UUID."""
        device = self._office.firewall.device
        rows = {
            (table, row["q_origin_key"]): {field: value for field, value in row.items() if field != "uuid"}
            for table in _TABLES
            for row in device.rows(table)
        }
        return rows, {zone.name: zone.model_dump() for zone in self._office.dns.server.zones}

    def _devices(self) -> object:
        rows = {table: self._office.firewall.device.rows(table) for table in _TABLES}
        return rows, [zone.model_dump() for zone in self._office.dns.server.zones]


_TABLES = ("firewall/address", "firewall/addrgrp", "router/static", "firewall/policy")


async def run_tour() -> int:
    """Play the tour once. Answers an exit code."""
    with tempfile.TemporaryDirectory(prefix="k8snet-tour-") as folder:
        async with company(Path(folder)) as office, office.bot() as bot, driving(office.slack.page_url) as slack:
            try:
                await asyncio.wait_for(Tour(office, bot, slack).play(), LONGEST_S)
            except (AssertionError, ChatError, TimeoutError) as error:
                print(f"\nThe tour failed: {error or f'it took more than {LONGEST_S} s'}")
                print(f"The bot's log ends with:\n{bot.last_words()}")
                return 1
    return 0
