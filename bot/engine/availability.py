"""Whether what is exposed can be used, looked at once a minute by one bot among the replicas, for pictures only.

Each look is the small proof of `expose`, once: a few names at the office's DNS servers, data from a few services.
"""

import asyncio
import logging
from collections.abc import Sequence

from bot.engine.context import Context
from bot.engine.lasting import going_on
from bot.engine.samples import availability_of
from bot.engine.verifying import run_check
from bot.model.commands import Expose
from bot.model.errors import BackendError
from bot.model.facts import ClusterFacts
from bot.model.intent import ClusterIntent, Exposure
from bot.model.plan import AfterReturn, CarriesData, Question
from bot.model.proof import checks_for
from bot.model.samples import Reading, Track, exposure_subject
from bot.model.site import ClusterSite
from bot.model.world import World

log = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 2.0
SOON_S = 5.0
MOST_EXPOSURES = 40  # at a time; the others take their turn
LEASE_ROUNDS = 3


class Availability:
    """One per cluster and bot. `tick` is one look at every exposure; `run` looks for as long as the bot lives."""

    def __init__(self, context: Context, cluster: ClusterSite) -> None:
        self._context, self._cluster = context, cluster
        self._facts: ClusterFacts | None = None
        self._turn = 0
        self._looked_at: float | None = None
        self._seen: tuple[object, ...] = ()

    async def run(self) -> None:
        """Look while this bot leads: in every interval, and soon after something has happened."""
        env = self._context.env
        while True:
            with going_on(f"the exposures of {self._cluster.name} are not looked at", logging.INFO):
                if await self.leads() and await self.due():
                    await self.tick()
            await env.sleep(min(SOON_S, self._cluster.availability_s))

    async def due(self) -> bool:
        """Whether the interval has passed, or something has happened since the last look. Raises BackendErrors."""
        if self._looked_at is None or self._context.env.monotonic() - self._looked_at >= self._cluster.availability_s:
            return True
        return self._situation(await self._context.journal.world()) != self._seen

    def _situation(self, world: World) -> tuple[object, ...]:
        """What makes the last look old: another exposure, another gateway, another state of an incident."""
        intent, incident = world.intent(self._cluster.name), world.incident(self._cluster.name)
        return intent, incident and (incident.id, incident.state, incident.picture.severity)

    async def leads(self) -> bool:
        """Whether this bot is the one that looks: takes or renews the lease."""
        ttl = LEASE_ROUNDS * (SOON_S + PROBE_TIMEOUT_S)
        return await self._context.journal.lease(f"availability/{self._cluster.name}", self._context.process, ttl)

    async def tick(self) -> None:
        """Raises BackendErrors of the journal."""
        world = await self._context.journal.world()
        intent = world.intent(self._cluster.name)
        self._looked_at, self._seen = self._context.env.monotonic(), self._situation(world)
        if not intent.exposures:
            return
        facts = await self._refreshed()
        if facts is None:
            return
        chosen = self._chosen(intent.exposures)
        answers = await asyncio.gather(*(self._look(intent, one, facts) for one in chosen))
        readings = {track: reading for answer in answers for track, reading in answer.items()}
        now = await self._context.journal.now()
        await self._context.samples.note(availability_of(self._cluster.name), readings, now, at_once=True)

    def _chosen(self, exposures: Sequence[Exposure]) -> Sequence[Exposure]:
        if len(exposures) <= MOST_EXPOSURES:
            return exposures
        start = self._turn % len(exposures)
        self._turn = start + MOST_EXPOSURES
        return [*exposures[start:], *exposures[:start]][:MOST_EXPOSURES]

    async def _refreshed(self) -> ClusterFacts | None:
        """What is exposed works on while the cluster's API does not: then the facts known last must do."""
        try:
            self._facts = await self._context.facts(self._cluster.name)
        except BackendError as error:
            log.info("facts of %s: %s", self._cluster.name, error)
        return self._facts

    async def _look(self, intent: ClusterIntent, exposure: Exposure, facts: ClusterFacts) -> dict[Track, Reading]:
        command = Expose(namespace=exposure.namespace, office=exposure.office, cluster=self._cluster.name)
        only = ClusterIntent(exposures=(exposure,), gateway=intent.gateway)
        name = self._context.env.new_id()
        checks = checks_for(command, self._cluster, self._context.site, intent, only, facts, name)
        names = [check for check in checks if not isinstance(check, CarriesData | AfterReturn)]
        data = [check for check in checks if isinstance(check, CarriesData)]
        # One service of the namespace is enough; a program that is down is no fault of the path.
        data = [check for check in data if check.sample] or data
        named, carried = await asyncio.gather(self._ask(names), self._ask(data))
        subject = exposure_subject(exposure.namespace, exposure.office)
        return {
            Track(subject, "names"): None if not named else False not in named,
            Track(subject, "service"): None if not carried else True in carried,
        }

    async def _ask(self, checks: Sequence[Question]) -> list[bool]:
        """The answers; what could not even be asked is not among them."""

        async def ask(check: Question) -> bool | None:
            try:
                return (await run_check(self._context, check, PROBE_TIMEOUT_S)).passed
            except BackendError:
                return None

        answers = await asyncio.gather(*map(ask, checks))
        return [answer for answer in answers if answer is not None]
