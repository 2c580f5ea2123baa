"""A plan in plain words: what opens, every step, what was found, warnings."""

from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from bot.model.plan import Flow, Plan
from bot.model.resources import Address, AddressGroup, Cache, Forwarder, Policy, Position, Resource, Route
from bot.model.steps import Step
from bot.model.wording import listed, tr, tr_n
from bot.model.words import key_line, word
from handlers.text import clip

SUMMARY_LINE = 200
STEPS_FIT = 3000  # characters; more of them are told together
SIGNS = {"create": "+", "change": "~", "remove": "−"}


def resource_line(resource: Resource) -> str:
    """What a resource does, on one line."""
    match resource:
        case Address():
            return tr("address {name} = {network}", name=resource.name, network=resource.network)
        case AddressGroup():
            return tr("address group {name} = {members}", name=resource.name, members=", ".join(resource.members))
        case Route():
            row = tr(" (row {row})", row=resource.row) if resource.row else ""
            return tr(
                "route {destination} via {gateway} on {device}{row}",
                destination=resource.destination,
                gateway=resource.gateway,
                device=resource.device,
                row=row,
            )
        case Policy():
            row = tr(" (row {row})", row=resource.row) if resource.row else ""
            return tr(
                "policy {name}: {sources} ({entering}) → {destinations} ({leaving}), {services}, {action}{row}",
                name=resource.name,
                sources=", ".join(resource.sources),
                entering=", ".join(resource.source_interfaces),
                destinations=", ".join(resource.destinations),
                leaving=", ".join(resource.destination_interfaces),
                services=", ".join(resource.services),
                action=word(resource.action),
                row=row,
            )
        case Position():
            return tr("policy {name} behind {others}", name=resource.policy, others=listed(map(str, resource.behind)))
        case Cache():
            return tr("cache of every name: emptied")
        case Forwarder():
            return tr("forwarder {zone} → {masters}", zone=resource.zone, masters=", ".join(map(str, resource.masters)))


def step_line(step: Step) -> str:
    """`+ route 10.68.0.0/16 via 172.16.1.106 on Test` and for changes the way it was."""
    shown = step.after or step.before
    assert shown is not None
    if isinstance(step.before, Position) and isinstance(step.after, Position):
        return f"{SIGNS['change']} {move_line(step.before, step.after)}"
    was = tr("  (was: {resource})", resource=_was(step.before, shown)) if step.before and step.after else ""
    sign = SIGNS["change"] if isinstance(shown, Cache) else SIGNS[step.verb]
    return f"{sign} {resource_line(shown)}{was}"


def _was(before: Resource, after: Resource) -> str:
    """What was another; of a route that only got another gateway, that."""
    if isinstance(before, Route) and isinstance(after, Route):
        moved = before.model_copy(update={"gateway": after.gateway})
        if before.gateway != after.gateway and resource_line(moved) == resource_line(after):
            return str(before.gateway)
    return resource_line(before)


def step_lines(steps: Sequence[Step]) -> list[str]:
    """A line a step; of many, one for all routes that go from one gateway to another, with all their destinations."""
    lines = [step_line(step) for step in steps]
    if sum(map(len, lines)) <= STEPS_FIT:
        return lines
    moved: dict[tuple[str, IPv4Address, IPv4Address], list[str]] = {}
    others = []
    for step, line in zip(steps, lines, strict=True):
        match step.before, step.after:
            case Route(gateway=old), Route(gateway=new, device=device, destination=destination) if old != new:
                moved.setdefault((device, old, new), []).append(str(destination))
            case _:
                others.append(line)
    return [line for move, destinations in moved.items() for line in _moved_lines(*move, destinations)] + others


def _moved_lines(device: str, old: IPv4Address, new: IPv4Address, destinations: Sequence[str]) -> Iterator[str]:
    yield tr(
        "~ {count} routes via {gateway} on {device}  (were: via {before}):",
        count=len(destinations),
        gateway=new,
        device=device,
        before=old,
    )
    yield f"    {listed(destinations)}"


def move_line(now: Position, later: Position) -> str:
    """`move policy 4101 (k8snet-qa-hq) before policy 12 (no-clusters)`, and the same back."""
    ours = f"{now.row} ({now.policy})"
    if passed := now.passed(later):
        return tr("move policy {ours} before policy {other}", ours=ours, other=passed[0])
    return tr("move policy {ours} behind policy {other}", ours=ours, other=later.behind[-1])


def steps_by_target(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    """Step lines under the name of the device they are written to, in the order they are taken."""
    current: tuple[str, list[str]] | None = None
    for step in plan.steps:
        if current is None or current[0] != step.target:
            if current is not None:
                yield current
            current = (step.target, [])
        current[1].append(step_line(step))
    if current is not None:
        yield current


def plan_lines(plan: Plan) -> list[str]:
    """A plan, whole: what opens, every step, what was found, warnings, and how it will be proven."""
    lines = [tr("opens   {flow}", flow=flow_line(flow)) for flow in plan.opens]
    lines += [tr("closes  {flow}", flow=flow_line(flow)) for flow in plan.closes]
    for target, steps in steps_by_target(plan):
        lines += [tr("on {target}:", target=target), *(f"  {line}" for line in steps)]
    lines += [
        tr("= {key} on {target} (found, made by hand, left alone)", key=key_line(found.key), target=found.target)
        for found in plan.found
    ]
    lines += warning_lines(plan)
    if plan.steps and not plan.checks:
        lines.append(tr("No check on the wire can tell: what is written is read back."))
    if plan.checks:
        lines.append(
            tr_n(
                "Proven afterwards by {count} check on the wire.",
                "Proven afterwards by {count} checks on the wire.",
                len(plan.checks),
            )
        )
    return lines


def warning_lines(plan: Plan) -> list[str]:
    """What the person who decides should know; of a plan with nothing to do, what else has come to be wrong."""
    return [f"! {warning}" for warning in plan.warnings]


def plan_summary(plan: Plan) -> list[str]:
    """What a long plan comes to: what opens, how many things of each kind change where, warnings."""
    lines = [tr("opens   {flow}", flow=flow_line(flow)) for flow in plan.opens]
    lines += [tr("closes  {flow}", flow=flow_line(flow)) for flow in plan.closes]
    counts = Counter((step.target, SIGNS[step.verb], step.key.kind) for step in plan.steps)
    lines += [
        tr("on {target}: {sign} {count} × {kind}", target=target, sign=sign, count=count, kind=word(kind))
        for (target, sign, kind), count in counts.items()
    ]
    lines += warning_lines(plan)
    lines = [clip(line, SUMMARY_LINE) for line in lines]
    return [*lines, tr("{count} lines in all: see the file in the thread.", count=len(plan_lines(plan)))]


def flow_line(flow: Flow) -> str:
    return f"{flow.source} → {flow.destination}: {', '.join(flow.services)}"
