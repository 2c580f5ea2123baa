"""The bot without its edges: what handlers and the command line call."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from bot.engine import answering, auditing, changing, choosing, planning
from bot.engine.announcing import deliver, unseen
from bot.engine.auditing import AuditReport
from bot.engine.availability import Availability
from bot.engine.checking.check import check
from bot.engine.choosing import Choice
from bot.engine.context import Context
from bot.engine.driving import drive, give_up
from bot.engine.health import Health, health
from bot.engine.lasting import going_on, wrong_inside
from bot.engine.monitoring import Measures, measures
from bot.engine.overview import Overview, overview
from bot.engine.presence import claim_name, holds_name, keep_name, leave_name
from bot.engine.watching import GatewayWatch
from bot.model.commands import Change, Check, Command, Drill, DryPlan, Expose
from bot.model.diagnosis import Report
from bot.model.errors import BotError, UserError
from bot.model.facts import ClusterFacts
from bot.model.incident import Incident
from bot.model.journal import Asked
from bot.model.operation import Operation
from bot.model.people import WHOLE_CLUSTER, Permission, Person, Profile, RoleName, barred, may, permissions, roles
from bot.model.plan import Plan
from bot.model.value import Value

log = logging.getLogger(__name__)

Placed = TypeVar("Placed", bound=Value)

RECOVERY_INTERVAL_S = 5.0
MOST_STUMBLES = 3
LOCAL = Person(team="local", user="terminal")


class Engine:
    """One life of the bot. `start` once; the rest may be called concurrently."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._at_work: set[str] = set()
        self._stumbles: Counter[str] = Counter()
        self._watches = {
            cluster.name: GatewayWatch(context, cluster, cluster.watch, self._take_up)
            for cluster in context.site.clusters
            if cluster.watch is not None
        }
        self._availability = {
            cluster.name: Availability(context, cluster) for cluster in context.site.clusters if cluster.availability_s
        }

    async def start(self) -> None:
        """Begin to deliver what is unsaid and to take up what is unfinished, once no other bot bears our name."""
        await claim_name(self.context)
        self.context.env.spawn(keep_name(self.context), "presence")
        self.context.env.spawn(deliver(self.context), "outbox")
        self.context.env.spawn(self._recover_forever(), "recovery")
        for name, watch in self._watches.items():
            self.context.env.spawn(watch.run(), f"watch of {name}")
        for name, availability in self._availability.items():
            self.context.env.spawn(availability.run(), f"availability of {name}")

    async def stop(self) -> None:
        """Let the next bot of our name start at once, and another replica watch."""
        await asyncio.gather(leave_name(self.context), *(watch.retire() for watch in self._watches.values()))

    async def request(self, command: Change, actor: Person, channel: str, delivery: str) -> str:
        """A wish for a change; answers the operation's id. Raises UserError."""
        return await changing.request(self.context, self.placed(command, channel), actor, channel, delivery)

    async def unseen(self, operation: str) -> Operation | None:
        """The change that was just asked for when the chat has refused its message, None once it is shown."""
        return await unseen(self.context, operation)

    def placed(self, command: Placed, channel: str) -> Placed:
        """The command with the cluster that this channel ("": any) stands for. Raises UserError when it is none."""
        if "cluster" not in type(command).model_fields:
            return command
        named = getattr(command, "cluster", None)
        cluster = self.context.cluster(named, channel)
        several = len(self.context.site.clusters) > 1
        return command.model_copy(update={"cluster": cluster.name}) if several and named is None else command

    def forget(self, person: Person | None = None) -> None:
        """What was known of this person, or of everybody, counts no more: there was a click, or Slack told us news."""
        self.context.directory.forget(person)

    async def confirm(self, operation: str, digest: str, actor: Person) -> str:
        """A yes; answers what to tell that person, "" for nothing. Raises UserError, BackendErrors."""
        answer = await changing.confirm(self.context, operation, digest, actor)
        self._take_up(operation)
        return answer

    async def cancel(self, operation: str, actor: Person) -> None:
        """A no. Raises UserError."""
        await changing.cancel(self.context, operation, actor)

    async def resume(self, operation: str, actor: Person) -> None:
        """Try again to undo a stuck operation. Raises UserError."""
        await changing.resume(self.context, operation, actor)
        self._take_up(operation)

    async def release(self, operation: str, actor: Person) -> None:
        """Give up a stuck operation's locks; a person takes over. Raises UserError."""
        await changing.release(self.context, operation, actor)

    async def fail_over(self, incident: str, version: int, node: str, actor: Person) -> None:
        """The answer "fail over to this node" to a version of an incident. Raises UserError, BackendErrors."""
        known = (await self.context.journal.world()).incidents.get(incident)
        watch = self._watches.get(known.picture.cluster) if known is not None else None
        facts = watch.facts if watch is not None else None
        self._take_up(await answering.fail_over(self.context, incident, version, node, actor, facts))

    async def snooze(self, incident: str, actor: Person, planned: bool) -> None:
        """The answer "not now" or "it is planned". Raises UserError."""
        await answering.snooze(self.context, incident, actor, planned)

    def watch(self, cluster: str) -> GatewayWatch | None:
        """The watch over a cluster's gateway, if it is watched."""
        return self._watches.get(cluster)

    def availability(self, cluster: str) -> Availability | None:
        """Who looks at a cluster's exposures, if anybody does."""
        return self._availability.get(cluster)

    async def check(self, command: Check) -> Report:
        """Raises UserError, BackendErrors."""
        return await check(self.context, command)

    async def dry_plan(self, command: DryPlan | Drill, actor: Person = LOCAL) -> Plan:
        """What expose, or a drill, would do now. Raises UserError, BackendErrors."""
        if isinstance(command, Drill):
            return await planning.make_plan(self.context, command, actor, "dry-run")
        change = Expose(namespace=command.namespace, office=command.office, cluster=command.cluster)
        return await planning.make_plan(self.context, change, actor, "dry-run")

    async def overview(self) -> Overview:
        """Clusters, exposures, changes under way."""
        return await overview(self.context)

    async def health(self, chat_answers: bool) -> Health:
        """Whether this bot does its work; never raises."""
        return await health(self.context, chat_answers)

    async def measures(self) -> Measures:
        """What monitoring asks for. Raises BackendErrors."""
        return await measures(self.context, self._watches)

    async def facts(self, cluster: str | None) -> ClusterFacts:
        """Everything the bot reads from a cluster. Raises UserError, BackendErrors."""
        return await self.context.facts(self.context.cluster(cluster).name)

    async def profile(self, actor: Person) -> Profile:
        """Who somebody is to the chat. Raises Unreachable."""
        return await self.context.directory.profile(actor)

    async def history(self, namespace: str | None = None) -> Sequence[Operation]:
        """Changes asked for, newest first."""
        return await auditing.history(self.context, namespace)

    async def audit(self) -> AuditReport:
        """Whether the journal can be believed. Raises Unreachable."""
        return await auditing.audit(self.context)

    async def choices(self, actor: Person, channel: str) -> Sequence[Choice]:
        """What this person may ask for, from the live clusters; see `Choice`. Raises Unreachable, UserError."""
        return await choosing.choices(self.context, actor, channel)

    def offices(self) -> Sequence[str]:
        """Names of the offices of app.yaml."""
        return [office.name for office in self.context.site.offices]

    async def why_not(self, operation: Operation, actor: Person) -> str:
        """Why this person's yes to a waiting change would not count now; "" when it would. Raises Unreachable."""
        assert operation.plan is not None
        refusal = await changing.objection(self.context, operation, operation.plan, actor)
        return refusal.reason if refusal else ""

    async def why_not_answer(self, incident: Incident, actor: Person) -> str:
        """Why this person's answer to an incident would not count now; "" when it would. Raises Unreachable."""
        cluster = incident.picture.cluster
        refusal = may(await self.profile(actor), Permission.FAIL_OVER, self.context.grants, cluster, WHOLE_CLUSTER)
        return refusal.reason if refusal else ""

    async def permissions(self, actor: Person) -> frozenset[Permission]:
        """What a person may do anywhere. Raises Unreachable."""
        return permissions(await self.profile(actor), self.context.grants)

    async def roles(self, actor: Person) -> Sequence[RoleName]:
        """The roles a person holds anywhere."""
        return roles(await self.profile(actor), self.context.grants, None, None)

    async def permit(self, command: Command, permission: Permission | None, actor: Person, channel: str) -> None:
        """Raises UserError, after writing it down, when this person may not give a command that changes nothing.

        `permission` None is for everybody whom the workspace counts as its own.
        """
        profile = await self.profile(actor)
        place = getattr(command, "cluster", None), getattr(command, "namespace", None)
        refusal = barred(profile) if permission is None else may(profile, permission, self.context.grants, *place)
        if refusal is not None:
            await self.note(command, actor, channel, refusal.reason, allowed=False)
            raise UserError(refusal.reason)

    async def note(self, command: Command, actor: Person, channel: str, answer: str, allowed: bool = True) -> None:
        """Write down a command that changed nothing, and how it was answered."""
        await self.context.journal.append(
            Asked(actor=actor, command=command, channel=channel, answer=answer, allowed=allowed)
        )

    async def recover(self) -> None:
        """Take up whatever is unfinished: ask again what a stale plan promised, plan what was only asked, end what
        expired, drive what was confirmed.

        Each operation in a task of its own: one that waits for a device keeps no other waiting.
        """
        world = await self.context.journal.world()
        now = await self.context.journal.now()
        for operation in list(world.unsucceeded()):
            await changing.succeed(self.context, operation.id)
        for operation in list(world.unfinished()):
            if operation.state == "awaiting" and operation.plan and operation.plan.expires_at < now:
                await changing.expire(self.context, operation.id)
            elif operation.state in ("requested", "running", "undoing"):
                self._take_up(operation.id)

    async def _recover_forever(self) -> None:
        while True:
            with going_on("recovery will be tried again"):
                if await holds_name(self.context):
                    await self.recover()
            await self.context.env.sleep(RECOVERY_INTERVAL_S)

    def _take_up(self, operation: str) -> None:
        if operation not in self._at_work:
            self.context.env.spawn(self._go_on_with(operation), f"operation {operation}")

    async def _go_on_with(self, operation_id: str) -> None:
        if operation_id in self._at_work:
            return
        self._at_work.add(operation_id)
        try:
            operation = self.context.journal.known.operations[operation_id]
            if operation.state == "requested":
                await changing.plan_requested(self.context, operation.request)
            else:
                await drive(self.context, operation_id)
        except BotError as error:
            # Nothing is lost: the journal holds where it stopped, and recovery takes it up.
            log.warning("operation %s pauses: %s", operation_id, error)
        except Exception:
            await self._stumbled(operation_id, wrong_inside(self.context.env))
        finally:
            self._at_work.discard(operation_id)

    async def _stumbled(self, operation_id: str, reason: str) -> None:
        """A mistake of ours may have been one of the moment; over and over again, a person has to see to it."""
        self._stumbles[operation_id] += 1
        if self._stumbles[operation_id] >= MOST_STUMBLES:
            del self._stumbles[operation_id]
            with going_on(f"operation {operation_id} cannot be left to a person"):
                await give_up(self.context, operation_id, reason)
