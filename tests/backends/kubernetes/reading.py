"""A reader and the simulated cluster that it reads, over real HTTPS."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backends.kubernetes.reader import KubernetesReader
from backends.kubernetes.settings import KubernetesSettings
from bot.model.errors import BackendError
from bot.model.facts import ClusterFacts
from lab.cluster.model import Cluster
from lab.cluster.serving import Running, running

TOKEN = "reader-token-that-must-not-leak"


@asynccontextmanager
async def reading(kubeconfig: Path, **settings: object) -> AsyncIterator[KubernetesReader]:
    reader = KubernetesReader("qa", KubernetesSettings.model_validate({"kubeconfig": kubeconfig, **settings}))
    try:
        yield reader
    finally:
        await reader.close()


async def facts_of(served: Running, tmp_path: Path, **settings: object) -> ClusterFacts:
    async with reading(served.write_kubeconfig(tmp_path / "kubeconfig"), **settings) as reader:
        return await reader.facts()


async def failure_of(kubeconfig: Path, kind: type[BackendError], **settings: object) -> str:
    """The text of the error; no secret may be in it."""
    async with reading(kubeconfig, **settings) as reader:
        with pytest.raises(kind) as failed:
            await reader.facts()
    assert TOKEN not in str(failed.value)
    return str(failed.value)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (what is waited for announces itself to nobody)
            await asyncio.sleep(0.001)


def open_sockets() -> int:
    links = (os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return sum(link.startswith("socket:") for link in links)


@asynccontextmanager
async def no_connection_left() -> AsyncIterator[None]:
    """A TLS connection outlives its server by some turns of the loop; without waiting, the next test gets the blame."""
    before = open_sockets()
    yield
    await until(lambda: open_sockets() <= before)


@asynccontextmanager
async def serving(simulated: Cluster) -> AsyncIterator[Running]:
    async with no_connection_left(), running(simulated) as served:
        yield served
        served.cluster.faults.clear()
