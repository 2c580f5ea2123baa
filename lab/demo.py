"""The company with a page in front, until somebody presses Ctrl-C."""

import asyncio
import signal
import tempfile
from pathlib import Path

from lab.company import company


async def run_demo(port: int, locale: str) -> int:
    """Serve the page and keep a bot at work. Answers an exit code. `locale` is what both speak."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with tempfile.TemporaryDirectory(prefix="k8snet-demo-") as folder:
        try:
            async with company(Path(folder), port, locale=locale) as office, office.bot() as bot:
                print(f"\n  A small company is open at  {office.slack.page_url}\n", flush=True)
                print("  Type  /k8snet expose default  in #net-ops, press Confirm,")
                print("  then  /k8snet check redis-abc-gns.default   (Ctrl-C ends it; nothing is left behind)\n")
                print(f"  The bot's log: {bot.log}\n  Its configuration: {office.config}\n", flush=True)
                await stopping.wait()
        except OSError as error:
            print(f"k8snet demo: {error.strerror or error}. Give another port with --port.")
            return 1
        except RuntimeError as error:
            print(f"k8snet demo: {error}")
            return 1
    return 0
