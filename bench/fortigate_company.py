"""The lab's company without a bot, as a process of its own, so that it takes no time from what is measured.

    python -m bench.fortigate_company FOLDER

Writes FOLDER/company.json, prints `ready`, and ends with its standard input.
"""

import asyncio
import json
import sys
from pathlib import Path

from lab.company import company


async def serve(folder: Path) -> None:
    async with company(folder) as office:
        about = {
            "config": str(office.config),
            "environ": office.environ,
            "url": office.firewall.url,
            "ca_file": str(folder / "fortigate-ca.pem"),
        }
        place = folder / "company.json"
        place.touch(mode=0o600)
        place.write_text(json.dumps(about))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
