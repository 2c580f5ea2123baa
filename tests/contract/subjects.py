"""What the contract of a target is tested on: each target with a world behind it that a test can reach into."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Literal

from bot.engine.targets import Target
from bot.model.resources import Address, AddressGroup, Key, Policy, Resource, Route
from tests.memory import Fault, MemoryTarget

Trouble = Literal["unreachable", "refused", "request lost", "answer lost"]


class Subject(ABC):
    """A target and the world that it looks at."""

    target: Target
    pairs: Sequence[tuple[Resource, Resource]]
    """For each kind of resource: a wish, and another wish with the same key. Without marks and rows. What they refer
    to exists."""
    secret: str = ""
    """What the target must never say; empty when it has none."""

    @abstractmethod
    async def put(self, resource: Resource) -> None:
        """Make the resource exist as given, mark included, behind the target's back."""

    @abstractmethod
    async def drop(self, key: Key) -> None:
        """Remove a resource behind the target's back."""

    @abstractmethod
    def writes(self) -> int:
        """How many writes have had an effect on the world so far, through the target."""

    @abstractmethod
    def trouble(self, trouble: Trouble) -> None:
        """What becomes of the next write (and, for `unreachable`, of everything until `calm`)."""

    @abstractmethod
    def calm(self) -> None:
        """No trouble any more."""


PODS = Address(name="k8snet-qa-pods", network=IPv4Network("10.68.0.0/16"))
GROUP = AddressGroup(name="k8snet-qa-default", members=("dns-server", "test-servers"))
ROUTE = Route(destination=IPv4Network("10.68.0.0/16"), gateway=IPv4Address("172.16.1.67"), device="Test", distance=10)
POLICY = Policy(
    name="k8snet-qa-office",
    source_interfaces=("internal",),
    destination_interfaces=("Test",),
    sources=("office",),
    destinations=("test-servers",),
    services=("ALL_TCP", "ALL_UDP"),
)
FIREWALL_PAIRS: Sequence[tuple[Resource, Resource]] = (
    (PODS, PODS.model_copy(update={"network": IPv4Network("10.70.0.0/16")})),
    (GROUP, GROUP.model_copy(update={"members": ("test-servers",)})),
    (ROUTE, ROUTE.model_copy(update={"gateway": IPv4Address("172.16.1.68")})),
    (POLICY, POLICY.model_copy(update={"services": ("ALL",), "nat": True})),
)


class MemorySubject(Subject):
    """The in-memory target: the contract holds for what other tests rely on, too."""

    pairs = FIREWALL_PAIRS

    def __init__(self, *, keeps_marks: bool) -> None:
        self.memory = MemoryTarget("office-fw", keeps_marks=keeps_marks)
        self.target = self.memory
        self._unplugged = False

    async def put(self, resource: Resource) -> None:
        mark = resource.mark if self.memory.keeps_marks else None
        self.memory.resources[resource.key] = resource.model_copy(update={"mark": mark})

    async def drop(self, key: Key) -> None:
        del self.memory.resources[key]

    def writes(self) -> int:
        return len(self.memory.writes)

    def trouble(self, trouble: Trouble) -> None:
        match trouble:
            case "unreachable":
                for verb in ("read", "apply", "free_rows"):
                    for nth in range(1, 10):
                        self.memory.fail(verb, Fault.UNREACHABLE, nth)  # type: ignore[arg-type]
            case "refused":
                self.memory.fail("apply", Fault.REJECT)
            case "request lost":
                self.memory.fail("apply", Fault.LOSE_REQUEST)
            case "answer lost":
                self.memory.fail("apply", Fault.LOSE_ANSWER)

    def calm(self) -> None:
        self.memory.faults.clear()


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[Subject]:
    yield MemorySubject(keeps_marks=True)


@asynccontextmanager
async def memory_without_marks(_: Path) -> AsyncIterator[Subject]:
    yield MemorySubject(keeps_marks=False)


Start = Callable[[Path], AbstractAsyncContextManager[Subject]]
"""Starts a subject; the path is a directory of its own."""
