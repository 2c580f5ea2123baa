"""`python -m bench.corpus_bot`: the real engine as a process of its own, for a machine of the kernel network.

Reads one JSON line for each check – ``{"config": path, "environ": {...}, "ask": name}`` – and answers with one line:
``{"verdict", "codes", "text"}``.
"""

import asyncio
import dataclasses
import json
import logging
import sys
from pathlib import Path
from typing import Any

from bench.corpus_simulated import answer
from bot.app import terminal
from bot.settings import load


async def answered(question: dict[str, Any]) -> dict[str, Any]:
    async with terminal(load(Path(question["config"]), question["environ"])) as engine:
        return dataclasses.asdict(await answer(engine, question["ask"]))


def main() -> None:
    logging.disable(logging.CRITICAL)  # what the faults make back ends say
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(answered(json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
