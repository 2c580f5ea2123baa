"""Changes and incidents in every state that a message has, from a real engine in memory."""

from dataclasses import replace

from backends.oncall.rotation import Rotation
from backends.oncall.settings import RotationSettings
from bot.engine.announcing import Outbox
from bot.engine.engine import Engine
from bot.model.commands import Change, Drill, Expose, Failover, Unexpose
from bot.model.incident import Incident
from bot.model.operation import Operation
from bot.model.resources import Policy
from tests.asking import ask, change, known, now, say_yes
from tests.engine.watched import ADDRESS, GATEWAY, NEXT, RULES, Watched, dead, watched, watched_facts
from tests.memory import Fault
from tests.memory_order import OrderedFirewall
from tests.office import ADA, DANA, OLGA, Company

EXPOSE = Expose(namespace="default", reason="sprint 12 <!channel>")
CHANGE_STATES = (
    *(
        "awaiting",
        "moving",
        "reordering",
        "drilled",
        "running",
        "done",
        "unexposed",
        "rolled-back",
        "not-proven",
        "stuck",
    ),
    *("nothing-to-do", "unplannable", "cancelled", "expired", "stale"),
)
INCIDENT_STATES = (
    *("down", "degraded", "notice", "no-candidate", "snoozed", "planned", "escalated"),
    *("withdrawn", "moved", "moved-back", "by-itself", "no-schedule"),
)


async def asked(engine: Engine, command: Change = EXPOSE, delivery: str = "d1") -> Operation:
    return await ask(engine, command, delivery=delivery)


async def changed(engine: Engine, command: Change = EXPOSE, delivery: str = "d1") -> Operation:
    return await change(engine, command, delivery)


async def change_story(name: str) -> Operation:
    firewall = OrderedFirewall("fw", keeps_marks=True)
    company = Company(firewall=firewall)
    engine = company.engine()
    match name:
        case "awaiting":
            return await asked(engine)
        case "running":
            operation = await asked(engine)
            company.firewall.fail("apply", Fault.HANG_BEFORE, 4)
            await say_yes(engine, operation)
            await company.firewall.hanging.wait()
            half = await known(engine, operation.id)
            company.firewall.release()
            await engine.context.env.idle()
            return half
        case "done":
            return await changed(engine)
        case "unexposed":
            await changed(engine)
            return await changed(engine, Unexpose(namespace="default"), "d2")
        case "moving":
            await changed(engine)
            return await ask(engine, Failover(node="node-03", reason="the fan rattles"), OLGA, "d2")
        case "reordering":
            await changed(engine)
            for policy in [one for one in firewall.resources.values() if isinstance(one, Policy)]:
                firewall.displace(policy)
            return await asked(engine, delivery="d2")
        case "drilled":
            await changed(engine)
            return await change(engine, Drill(node="node-03", reason="we rehearse"), "d2", OLGA, ADA)
        case "rolled-back":
            company.firewall.fail("apply", Fault.REJECT, 6)
            return await changed(engine)
        case "not-proven":
            company.wire.cut = True
            return await changed(engine)
        case "stuck":
            company.firewall.fail("apply", Fault.LOSE_ANSWER, 3)
            operation = await asked(engine)
            for nth in range(2, 40):
                company.firewall.fail("read", Fault.UNREACHABLE, nth)
            await say_yes(engine, operation)
            return await now(engine, operation)
        case "nothing-to-do":
            await changed(engine)
            return await asked(engine, delivery="d2")
        case "unplannable":
            return await asked(engine, Expose(namespace="defualt"))
        case "cancelled":
            operation = await asked(engine)
            await engine.cancel(operation.id, DANA)
            return await now(engine, operation)
        case "expired":
            operation = await asked(engine)
            await company.env.sleep(1801)
            await engine.recover()
            return await now(engine, operation)
        case "stale":
            operation = await asked(engine)
            await changed(engine, Expose(namespace="monitoring"), "d2")
            await say_yes(engine, operation)
            return await now(engine, operation)
    raise AssertionError(name)


async def incident_story(name: str) -> Incident:
    office = await watched(RULES.model_copy(update={"auto": name == "by-itself"}))
    match name:
        case "degraded":
            office.company.wire.not_forwarding.add(ADDRESS[GATEWAY])
            await office.rounds(5)
        case "notice":
            office.company.cluster.now = watched_facts(node_02={"schedulable": False})
            await office.watch.sampler.refresh()
            await office.rounds(1)
        case "by-itself":
            await dead(office)
            await office.company.env.idle()
        case "no-schedule":
            settings = RotationSettings(url="http://127.0.0.1:1/nobody-listens-there")
            rotations = {"qa": Rotation(settings, office.company.env.monotonic)}
            office.engine = Engine(replace(office.engine.context, rotations=rotations))
            await office.rounds(4)
            await dead(office)
        case "no-candidate":
            changes = {f"node_{name[-2:]}": {"ready": False} for name in ADDRESS if name != GATEWAY}
            office.company.cluster.now = watched_facts(**changes)
            await office.watch.sampler.refresh()
            await dead(office)
        case _:
            await dead(office)
            await answered(office, name)
    return await office.asked()


async def answered(office: Watched, name: str) -> None:
    office.pass_time(0.3)
    await Outbox(office.engine.context).flush()
    incident = await office.asked()
    match name:
        case "snoozed" | "planned":
            await office.engine.snooze(incident.id, OLGA, planned=name == "planned")
        case "escalated":
            office.pass_time(RULES.escalate_after_s)
            await office.rounds(1)
        case "withdrawn":
            office.company.wire.dead.clear()
            await office.rounds(5)
        case "moved":
            office.pass_time(20)
            await office.click(incident, OLGA)
        case "moved-back":
            office.company.wire.without_proxy.add(ADDRESS[NEXT])
            await office.click(incident, OLGA)
