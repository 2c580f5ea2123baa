"""Any sequence of calls has the same answers from every store."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from bot.engine.ports import Hold, Store
from tests.contract.stores import Subject, in_file, in_memory, in_redis
from tests.redis_server import RedisServer

HOUR = timedelta(hours=1)
names = st.sampled_from(["a", "b", "ä:{x}"])
owners = st.sampled_from(["one", "two"])
bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


class AllStoresAgree(RuleBasedStateMachine):
    """Any sequence of calls has the same answers everywhere; the plain lists and the dict below say which."""

    def __init__(self, subjects: list[Subject]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.subjects = subjects
        self.stores = [self.runner.run(subject.store()) for subject in subjects]
        self.streams: dict[str, list[str]] = {}
        self.holders: dict[str, str] = {}

    def teardown(self) -> None:
        for subject in self.subjects:
            self.runner.run(subject.close())
        self.runner.close()

    def everywhere(self, call: Callable[[Store], Awaitable[Any]]) -> list[Any]:
        async def ask(store: Store) -> Any:
            return await call(store)

        return [self.runner.run(ask(store)) for store in self.stores]

    @rule(
        name=names,
        offset=st.integers(-1, 1),
        body=bodies,
        limit=st.sampled_from([None, -HOUR, HOUR]),
        needs=st.dictionaries(names, owners),
    )
    def append(self, name: str, offset: int, body: str, limit: timedelta | None, needs: dict[str, str]) -> None:
        stream = self.streams.setdefault(name, [])
        expected = max(0, len(stream) + offset)

        async def call(store: Store) -> tuple[int, str] | None:
            not_after = None if limit is None else await store.now() + limit
            holding = [Hold(name=lease, owner=owner, ttl_s=3600) for lease, owner in needs.items()]
            record = await store.append(name, expected, body, not_after, holding)
            return None if record is None else (record.seq, record.body)

        held = all(self.holders.get(lease, owner) == owner for lease, owner in needs.items())
        wins = expected == len(stream) and limit != -HOUR and held
        assert self.everywhere(call) == [(expected + 1, body) if wins else None] * len(self.stores)
        if wins:
            stream.append(body)
            self.holders |= needs

    @rule(name=names, after=st.integers(0, 5))
    def read(self, name: str, after: int) -> None:
        known = list(enumerate(self.streams.get(name, []), 1))[after:]

        async def call(store: Store) -> list[tuple[int, str]]:
            return [(record.seq, record.body) for record in await store.read(name, after)]

        assert self.everywhere(call) == [known] * len(self.stores)

    @rule(name=names, owner=owners, runs_out=st.booleans())
    def lease(self, name: str, owner: str, runs_out: bool) -> None:
        granted = self.holders.get(name, owner) == owner
        assert self.everywhere(lambda store: store.lease(name, owner, 0.001 if runs_out else 3600)) == [granted] * len(
            self.stores
        )
        if runs_out:  # another's lease then lasts no longer either
            for subject, store in zip(self.subjects, self.stores, strict=True):
                self.runner.run(_coroutine(subject.elapse(store, 0.003)))
            self.holders.pop(name, None)
        elif granted:
            self.holders[name] = owner

    @rule(name=names, owner=owners)
    def release(self, name: str, owner: str) -> None:
        self.everywhere(lambda store: store.release(name, owner))
        if self.holders.get(name) == owner:
            del self.holders[name]

    @rule()
    def reopen(self) -> None:
        self.everywhere(lambda store: store.close())
        self.stores = [self.runner.run(subject.store()) for subject in self.subjects]


async def _coroutine(work: Awaitable[None]) -> None:
    await work


def test_all_stores_agree_on_any_sequence_of_calls(redis_server: RedisServer, tmp_path: Path) -> None:
    run_state_machine_as_test(
        lambda: AllStoresAgree([in_memory(), in_file(tmp_path), in_redis(redis_server)]),
        settings=settings(max_examples=25, stateful_step_count=20),
    )
