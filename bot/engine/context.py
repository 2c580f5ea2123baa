"""What every use case is given: the site, who may what, and the doors to the world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.engine.journal import Journal
from bot.engine.ports import Announcer, ClusterReader, Directory, Env, NoteStore, Prober, Rotation
from bot.engine.samples import Samples
from bot.engine.targets import Target
from bot.model.errors import Rejected, UserError
from bot.model.facts import ClusterFacts
from bot.model.people import Grant
from bot.model.resources import TargetId
from bot.model.site import ClusterSite, Site
from bot.model.suggest import suggestion
from bot.model.wording import listed, tr


@dataclass
class Presence:
    """Until when (monotonic) this process bears the bot's name for sure; see `bot.engine.presence`."""

    until: float = float("-inf")


@dataclass(frozen=True)
class Context:
    """Composed once in bot/app.py. `vantage` says in words from where this bot probes."""

    site: Site
    grants: Sequence[Grant]
    targets: Mapping[TargetId, Target]
    clusters: Mapping[str, ClusterReader]
    prober: Prober
    directory: Directory
    announcer: Announcer
    journal: Journal
    samples: Samples
    notes: NoteStore
    env: Env
    vantage: str
    instance: str  # this bot's name among its replicas; stable over restarts
    process: str  # this life of it; new with every start
    rotations: Mapping[str, Rotation] = field(default_factory=dict)  # by cluster; without one, app.yaml's list counts
    presence: Presence = field(default_factory=Presence)
    seen: dict[str, ClusterFacts] = field(default_factory=dict)  # of each cluster last; to guess from, not to decide on

    async def facts(self, cluster: str) -> ClusterFacts:
        """Fresh facts of a cluster. Raises BackendErrors."""
        self.seen[cluster] = await self.clusters[cluster].facts()
        return self.seen[cluster]

    async def expiry(self, cluster: ClusterSite) -> datetime:
        """Until when a plan made now waits for its yes, by the clock that will decide about it. Raises Unreachable."""
        return await self.journal.now() + timedelta(seconds=cluster.plan_lifetime_s)

    def target(self, name: TargetId) -> Target:
        """Raises Rejected for one that the journal knows and app.yaml does not name (any more)."""
        if name not in self.targets:
            raise Rejected(name, tr("is not in app.yaml (any more); put it back there and restart"))
        return self.targets[name]

    def cluster(self, name: str | None, channel: str = "") -> ClusterSite:
        """The named cluster, or the only one that is operated from this channel ("": from anywhere).

        Raises UserError that lists the choices, or the channels where it must be asked for. `#C…` in the text is a
        channel of the chat.
        """
        known = [cluster.name for cluster in self.site.clusters]
        here = [cluster for cluster in self.site.clusters if cluster.operated_from(channel)]
        if name is None:
            if len(here) == 1:
                return here[0]
            if not here:
                raise UserError(
                    tr("No cluster is operated from this channel. {channels}", channels=_channels(self.site.clusters))
                )
            raise UserError(
                tr("Which cluster? Add `on <cluster>`: {clusters}.", clusters=listed(one.name for one in here))
            )
        cluster = self.site.cluster(name)
        if cluster is None:
            raise UserError(
                tr(
                    "There is no cluster {name}.{suggestion} Clusters: {known}.",
                    name=name,
                    suggestion=suggestion(name, known),
                    known=listed(known),
                )
            )
        if cluster not in here:
            raise UserError(
                tr(
                    "Cluster {name} is not operated from this channel. {channels}",
                    name=name,
                    channels=_channels([cluster]),
                )
            )
        return cluster

    def office(self, name: str | None) -> str:
        """The named office, or the only one. Raises UserError that lists the choices."""
        known = [office.name for office in self.site.offices]
        if name is None:
            if len(known) == 1:
                return known[0]
            raise UserError(tr("From which office? Add `from <office>`: {known}.", known=listed(known)))
        if name not in known:
            raise UserError(
                tr(
                    "There is no office {name}.{suggestion} Offices: {known}.",
                    name=name,
                    suggestion=suggestion(name, known),
                    known=listed(known),
                )
            )
        return name


def _channels(clusters: Sequence[ClusterSite]) -> str:
    """Where to ask instead."""
    return " ".join(
        tr(
            "{name} is operated from {channels}.",
            name=cluster.name,
            channels=listed(f"#{channel}" for channel in sorted(cluster.channels)),
        )
        for cluster in clusters
    )
