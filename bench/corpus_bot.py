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

from bench.corpus_case import LIMITS
from bench.corpus_simulated import said
from bot.app import terminal
from bot.engine.checking import check
from bot.model.commands import Check
from bot.settings import load


async def answer(question: dict[str, Any]) -> dict[str, Any]:
    async with terminal(load(Path(question["config"]), question["environ"])) as engine:
        report = await check(engine.context, Check(name=question["ask"]), LIMITS)
    return dataclasses.asdict(said(report))


def main() -> None:
    logging.disable(logging.CRITICAL)  # what the faults make back ends say
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(answer(json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
