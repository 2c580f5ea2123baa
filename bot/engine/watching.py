"""The watch over one cluster's gateway: one leader looks, people are asked once, and what heals itself is withdrawn."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.engine import answering
from bot.engine.context import Context
from bot.engine.lasting import going_on
from bot.engine.planning import make_plan
from bot.engine.samples import signals_of
from bot.engine.sampling import Sampler
from bot.model.candidates import Candidate, candidates
from bot.model.commands import Failover
from bot.model.errors import BackendError, BotError
from bot.model.facts import ClusterFacts
from bot.model.findings import Finding
from bot.model.incident import Incident
from bot.model.journal import AnyEntry, Escalated, Opened, Revised, Withdrawn
from bot.model.move import clearing
from bot.model.people import ITSELF
from bot.model.picture import SEVERITIES, SHOWN_CANDIDATES, Picture, Severity
from bot.model.samples import watched
from bot.model.site import ClusterSite, WatchSite
from bot.model.watch import SIGNALS, Rules, Signal, Watch, step
from bot.model.wording import marked, tr
from bot.model.world import World

LEASE_ROUNDS = 5  # a leader that is silent for so many rounds is no leader any more
REFRESH_S = 5.0
MOST_LEVELS = 3
WORDS: dict[Signal, str] = {
    "service": marked("data to a service address through it"),
    "pod": marked("data to a pod on another node through it"),
    "host": marked("the machine itself"),
    "ping": marked("its answer to ping"),
    "proxy": marked("its kube-proxy"),
    "lease": marked("its lease"),
    "ready": marked("its Ready condition"),
}


class GatewayWatch:
    """One per watched cluster and bot. `tick` is one round; `run` makes rounds for as long as the bot lives."""

    def __init__(self, context: Context, cluster: ClusterSite, rules: WatchSite, drive: Callable[[str], None]) -> None:
        """`drive` takes an operation that was confirmed to its end, in the background."""
        self._drive = drive
        self._context, self._cluster, self._rules = context, cluster, rules
        self.sampler = Sampler(context, cluster, rules)
        self.watch = Watch(rules=Rules(bad=rules.bad, window=rules.window))
        self._gateway = ""
        self.leading = False
        self._since = 0.0

    @property
    def cluster(self) -> ClusterSite:
        """Whose gateway it is."""
        return self._cluster

    @property
    def facts(self) -> ClusterFacts | None:
        """The last ones that were read."""
        return self.sampler.facts

    async def run(self) -> None:
        """Look while this bot leads; be ready to while another one does."""
        env = self._context.env
        env.spawn(self._keep_facts(), f"facts of {self._cluster.name}")
        while True:
            started = env.monotonic()
            await self.turn()
            await env.sleep(max(0.1, self._rules.interval_s - (env.monotonic() - started)))

    async def turn(self) -> None:
        """A round if this bot leads, or may from now on; never raises."""
        whole = False
        with going_on(f"the watch of {self._cluster.name} pauses"):
            self.leading = await self.leads()
            if self.leading:
                await self.tick()
            else:
                self._forget()
            whole = True
        self.leading = self.leading and whole

    async def retire(self) -> None:
        """Let another bot look from now on, instead of waiting until this one counts as gone. Raises Unreachable."""
        await self._context.journal.release(self._lease, self._context.process)

    async def tick(self) -> None:
        """One round: look, judge, and tell people what has changed. Raises BackendErrors of journal and first facts."""
        world = await self._context.journal.world()
        intent = world.intent(self._cluster.name)
        gateway = intent.gateway or self._cluster.gateway
        if gateway != self._gateway or world.rerouting(self._cluster.name):
            self._forget()
            self._gateway = gateway
            if world.rerouting(self._cluster.name):
                return None
        if not intent.exposures:
            self._forget()
            return await self._say_over(tr("nothing of the cluster is exposed any more."))
        if self.facts is None:
            await self.sampler.refresh()
        seen = await self.sampler.round(gateway, intent)
        self.watch = step(self.watch, seen)
        readings = watched(gateway, seen, self.sampler.health)
        await self._context.samples.note(signals_of(self._cluster.name), readings, await self._context.journal.now())
        if self.watch.health != "isolated":  # whoever cannot see says nothing, neither good nor bad
            await self._follow()
        return None

    async def _follow(self) -> None:
        incident = (await self._context.journal.world()).incident(self._cluster.name)
        severity = self._severity()
        if severity is None:
            if self.watch.clean < self.watch.rules.recover:
                return  # a new leader has not looked often enough to take another one's word back
            await self._say_over(tr("everything has been good again for a while; nothing was moved."))
        elif incident is None:
            await self._open(severity)
        elif incident.state == "open":
            await self._keep_true(incident, severity)
            await self._escalate(incident)
        if severity == "down" and self._rules.auto:
            await self._move_alone()

    def _severity(self) -> Severity | None:
        if self.watch.trouble in ("down", "degraded"):
            return "down" if self.watch.trouble == "down" else "degraded"
        return "notice" if any(finding.advisable for finding in self._findings()) else None

    async def _open(self, severity: Severity) -> None:
        picture = await self._picture(severity)
        mention: tuple[str, ...] = ()
        if severity != "notice":
            mention, notes = await self._on_call()
            picture = picture.model_copy(update={"warnings": (*picture.warnings, *notes)})
        entry = Opened(
            incident=self._context.env.new_id(), channel=self._rules.channel, mention=mention, picture=picture
        )
        await self._commit(lambda world: entry if world.incident(self._cluster.name) is None else None)

    async def _keep_true(self, incident: Incident, severity: Severity) -> None:
        """A new version when what people would decide by has changed; it never gets less severe before it is over."""
        severity = max(severity, incident.picture.severity, key=SEVERITIES.index)
        known = incident.picture
        now = (severity, self._gateway, _eligible(self._ranked()), self._texts())
        if now == (known.severity, known.gateway, known.eligible, known.findings) and not known.problem:
            return
        picture = await self._picture(severity)
        if not known.outdated_by(picture):
            return
        worse = SEVERITIES.index(severity) > SEVERITIES.index(known.severity)
        mention: tuple[str, ...] = ()
        if worse and not incident.planned:
            mention, notes = await self._on_call()
            picture = picture.model_copy(update={"warnings": (*picture.warnings, *notes)})
        entry = Revised(incident=incident.id, mention=mention, picture=picture)
        await self._commit(lambda world: entry if _same(world, incident) else None)

    async def _escalate(self, incident: Incident) -> None:
        now = await self._context.journal.now()
        due = incident.asked_at + timedelta(seconds=self._rules.escalate_after_s)
        if incident.picture.severity == "notice" or incident.silenced(now) or now < due:
            return
        if incident.level >= MOST_LEVELS:
            return
        on_call, _ = await self._on_call()
        mention = tuple(dict.fromkeys((*on_call, *self._rules.oncall, *self._rules.fallback)))
        entry = Escalated(incident=incident.id, level=incident.level + 1, mention=mention)
        await self._commit(lambda world: entry if _same(world, incident) else None)

    async def _on_call(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who is called first, and what must be said about it. A schedule that is away never keeps anybody uncalled."""
        rotation = self._context.rotations.get(self._cluster.name)
        if rotation is None:
            return self._rules.oncall, ()
        try:
            return await rotation.on_call(), ()
        except BackendError as error:
            note = tr("Who is on call could not be asked ({problem}); the list of app.yaml was called.", problem=error)
            return self._rules.oncall, (note,)

    async def _say_over(self, reason: str) -> None:
        def decide(world: World) -> AnyEntry | None:
            incident = world.incident(self._cluster.name)
            if incident is None or incident.state != "open":
                return None
            moved = incident.picture.gateway != self._gateway
            now = tr("the routes point at {gateway} now.", gateway=self._gateway) if moved else reason
            return Withdrawn(incident=incident.id, reason=now)

        await self._commit(decide)

    async def _move_alone(self) -> None:
        """`auto: true`: the bot says yes itself, to a dead gateway only, and not again and again."""
        incident = (await self._context.journal.world()).incident(self._cluster.name)
        now = await self._context.journal.now()
        if incident is None or incident.state != "open" or not incident.picture.eligible or incident.silenced(now):
            return
        if not answering.may_move_alone(await self._context.journal.world(), self._cluster.name, self._rules, now):
            return
        node = incident.picture.eligible[0]
        self._drive(await answering.move(self._context, incident, node, ITSELF, self.facts))

    async def _picture(self, severity: Severity) -> Picture:
        ranked = self._ranked()
        facts = self.sampler.facts
        node = facts.node(self._gateway) if facts is not None else None
        plan, problem = None, ""
        if eligible := _eligible(ranked):
            command = Failover(node=eligible[0], cluster=self._cluster.name)
            try:
                plan = await make_plan(self._context, command, ITSELF, "preview", facts=facts)
            except BotError as error:
                problem = str(error)
        world, now = await self._context.journal.world(), await self._context.journal.now()
        return Picture(
            cluster=self._cluster.name,
            severity=severity,
            gateway=self._gateway,
            address=node.internal_ip if node else None,
            began=self._wall(now, self.watch.began),
            evidence=tuple(self._evidence(now)),
            self_check=self.sampler.self_check(),
            candidates=ranked[:SHOWN_CANDIDATES],
            steps=plan.steps if plan else (),
            problem=problem,
            warnings=(*(plan.warnings if plan else ()), *self._notes(severity)),
            findings=self._texts(),
            recently=answering.last_move(world, self._cluster.name),
        )

    def _notes(self, severity: Severity) -> tuple[str, ...]:
        """What follows from the settings."""
        alone = tr(
            "Left without asking when it is down: {count} moves an hour at most, {seconds:.0f} s between two.",
            count=self._rules.moves_per_hour,
            seconds=self._rules.hold_down_s,
        )
        note = alone if self._rules.auto else tr("Nothing is moved without an answer.")
        return (clearing(), note) if severity == "down" and self._cluster.clear_stale_sessions else (note,)

    def _ranked(self) -> tuple[Candidate, ...]:
        if self.sampler.facts is None:
            return ()
        health = {
            name: known.model_copy(update={"good_rounds": self.watch.good_rounds.get(name, 0)})
            for name, known in self.sampler.health.items()
        }
        return candidates(self.sampler.facts, self._gateway, health)

    def _texts(self) -> tuple[str, ...]:
        flapping = (
            (tr("It comes and goes: moving may help for good, waiting will not."),) if self.watch.flapping else ()
        )
        return (*(finding.text for finding in self._findings()), *flapping)

    def _findings(self) -> tuple[Finding, ...]:
        return self.sampler.findings(self._gateway, self._since)

    def _evidence(self, now: datetime) -> list[str]:
        lines = []
        for signal in SIGNALS:
            bad, first = self.watch.count(signal), self.watch.first_bad(signal)
            since = tr(" since {time:%H:%M:%S} UTC", time=self._wall(now, first)) if first is not None and bad else ""
            said = self.sampler.said(signal)
            if bad or said:
                lines.append(
                    tr(
                        "{signal}: {bad} of the last {window} failed{since}; last: {said}",
                        signal=tr(WORDS[signal]),
                        bad=bad,
                        window=self._rules.window,
                        since=since,
                        said=said,
                    )
                )
        return lines

    def _wall(self, now: datetime, at: float | None) -> datetime:
        if at is None:
            return now
        return now - timedelta(seconds=max(0.0, self._context.env.monotonic() - at))

    async def _commit(self, decide: Callable[[World], AnyEntry | None]) -> None:
        await self._context.journal.commit(decide)

    async def leads(self) -> bool:
        """Whether this bot is the one that looks: takes or renews the lease."""
        ttl = max(LEASE_ROUNDS * self._rules.interval_s, 10.0)
        return await self._context.journal.lease(self._lease, self._context.process, ttl)

    @property
    def _lease(self) -> str:
        return f"watch/{self._cluster.name}"

    def _forget(self) -> None:
        """Begin to look anew: what was seen of another gateway, or long ago, is no evidence."""
        self.watch = Watch(rules=self.watch.rules)
        self._since = self._context.env.monotonic()

    async def _keep_facts(self) -> None:
        while True:
            with going_on(f"facts of {self._cluster.name}", logging.INFO):
                if (await self._context.journal.world()).intent(self._cluster.name).exposures:
                    await self.sampler.refresh()
            await self._context.env.sleep(REFRESH_S)


def _eligible(ranked: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(one.node for one in ranked[:SHOWN_CANDIDATES] if one.eligible)


def _same(world: World, seen: Incident) -> bool:
    """Nobody has answered or withdrawn it meanwhile."""
    now = world.incidents[seen.id]
    return (now.state, now.version) == ("open", seen.version)
