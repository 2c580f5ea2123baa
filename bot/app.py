"""The composition root: the only file that names concrete classes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from backends.store import open_store
from backends.unbound.settings import UnboundSettings
from backends.windows_dns.settings import WindowsDnsSettings
from bot.engine.context import Context
from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.engine.monitoring import TimedProber
from bot.engine.ports import Announcer, ClusterReader, Directory, Prober, Rotation
from bot.engine.samples import Samples
from bot.engine.targets import Target
from bot.env import RealEnv
from bot.locales import catalogue
from bot.model.errors import Unreachable
from bot.model.incident import Incident
from bot.model.journal import Anchor, Record
from bot.model.operation import Message, Operation
from bot.model.people import Person, Profile
from bot.model.resources import TargetId
from bot.model.wording import tr, use
from bot.settings import Settings

if TYPE_CHECKING:
    from handlers.metrics import Metrics


class NoChat:
    """Announcer and Directory of the terminal: nothing is announced there, and its user acts for nobody."""

    async def show(self, operation: Operation, thread: str | None = None) -> Message:  # noqa: ARG002  # the port's
        return Message(channel="terminal", id="", upto=operation.last_seq)

    async def show_incident(self, incident: Incident) -> Message:
        return Message(channel="terminal", id="", upto=incident.last_seq)

    async def audit(self, records: Sequence[Record], operations: Mapping[str, Operation]) -> None:
        """The journal itself is the audit."""

    async def anchor(self) -> Anchor | None:
        raise Unreachable(tr("audit channel"), tr("is not read from the terminal"))

    async def profile(self, person: Person) -> Profile:
        return Profile(person=person)

    def forget(self, person: Person | None = None) -> None:
        """Nothing is remembered."""


@asynccontextmanager
async def terminal(settings: Settings) -> AsyncIterator[Engine]:
    """The engine for commands that look and change nothing. From here on it speaks the configured language."""
    use(catalogue(settings.locale))
    env, chat = RealEnv(), NoChat()
    async with _engine(settings, env, chat, chat) as engine:
        yield engine


@asynccontextmanager
async def bot(settings: Settings) -> AsyncIterator[asyncio.Event]:
    """The whole bot, connected and at work while inside. From here on it speaks the configured language.

    The event is set when the app was removed from the workspace: there is no more work for it then.

    Raises ConfigurationError and BackendErrors when it cannot start; once inside, what fails is tried again.
    """
    # Slack's libraries take their time to load: a terminal command shall not pay for it.
    from handlers.edge import health_served, slack_edge

    use(catalogue(settings.locale))
    env = RealEnv()
    groups = frozenset(group for role in settings.roles for group in role.groups)
    metrics = _metrics(settings)
    async with (
        slack_edge(settings.slack, groups, env) as edge,
        _engine(settings, env, edge.announcer, edge.directory, metrics) as engine,
    ):
        await engine.start()
        try:
            async with edge.listening(engine) as ears, AsyncExitStack() as stack:
                if settings.health is not None:
                    await stack.enter_async_context(health_served(settings.health.listen, engine, ears, metrics))
                yield ears.dismissed
        finally:
            await env.stop()
            await engine.stop()


@asynccontextmanager
async def _engine(
    settings: Settings, env: RealEnv, announcer: Announcer, directory: Directory, metrics: "Metrics | None" = None
) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        store = await open_store(settings.store)
        stack.push_async_callback(store.close)
        targets = _targets(settings, env)
        clusters = _clusters(settings)
        for target in targets.values():
            stack.push_async_callback(target.close)
        for cluster in clusters.values():
            stack.push_async_callback(cluster.close)
        yield Engine(
            Context(
                site=settings.site(),
                grants=settings.grants(),
                targets=targets,
                clusters=clusters,
                prober=_timed(_prober(settings), metrics, env),
                directory=directory,
                announcer=announcer,
                journal=Journal(store),
                samples=Samples(store),
                notes=store,
                env=env,
                vantage=_vantage(settings),
                instance=settings.instance,
                process=env.new_id(),
                rotations=_rotations(settings, env),
            )
        )


def _rotations(settings: Settings, env: RealEnv) -> Mapping[str, Rotation]:
    from backends.oncall.rotation import Rotation as Schedule

    watched = {name: cluster.watch for name, cluster in settings.clusters.items() if cluster.watch is not None}
    return {name: Schedule(watch.rotation, env.monotonic) for name, watch in watched.items() if watch.rotation}


def _targets(settings: Settings, env: RealEnv) -> Mapping[TargetId, Target]:
    from backends.fortigate.target import FortiGate

    targets: dict[TargetId, Target] = {
        name: FortiGate(name, firewall, env) for name, firewall in settings.firewalls.items()
    }
    for name, server in settings.dns_servers.items():
        if server.server is not None:  # a replica's is there to clear its cache, and never written to
            targets[name] = _dns_server(name, server.server, env)
    return targets


def _dns_server(name: TargetId, settings: WindowsDnsSettings | UnboundSettings, env: RealEnv) -> Target:
    from backends.unbound.target import Unbound
    from backends.windows_dns.target import WindowsDns

    match settings:
        case WindowsDnsSettings():
            return WindowsDns(name, settings, env)
        case UnboundSettings():
            return Unbound(name, settings, env)


def _clusters(settings: Settings) -> Mapping[str, ClusterReader]:
    from backends.kubernetes.reader import KubernetesReader

    return {name: KubernetesReader(name, cluster.kubernetes) for name, cluster in settings.clusters.items()}


def _prober(settings: Settings) -> Prober:
    from backends.probes.prober import NetworkProber

    return NetworkProber(settings.probes)


def _metrics(settings: Settings) -> "Metrics | None":
    if settings.health is None or not settings.health.metrics:
        return None
    from handlers.metrics import Metrics

    return Metrics()


def _timed(prober: Prober, metrics: "Metrics | None", env: RealEnv) -> Prober:
    return prober if metrics is None else TimedProber(prober, metrics.observe, env.monotonic)


def _vantage(settings: Settings) -> str:
    """From where probes start, for the foot of every report."""
    return (
        tr("host {name}", name=settings.instance)
        if settings.probes.proxy is None
        else tr("{name} (a proxy)", name=settings.probes.vantage)
    )
