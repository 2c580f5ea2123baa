"""The Home tab as one person sees it."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from bot.engine.overview import Overview
from bot.model.operation import Operation
from bot.model.people import Permission, RoleName
from bot.model.value import Value
from bot.model.wording import listed, tr
from handlers.drawing.overview import AVAILABILITY, path_name, signals_name
from handlers.lines.change import title
from handlers.lines.incident import past_line
from handlers.lines.overview import cluster_lines
from handlers.lines.plan import plan_lines, plan_summary
from handlers.views.answers import exposure_blocks
from handlers.views.blocks import (
    Block,
    actions,
    button,
    context,
    escape,
    fitting,
    mention,
    moment,
    plain_text,
    preformatted,
    section,
)
from handlers.views.history import paragraph
from handlers.views.incident import incident_view
from handlers.views.operation import decision_buttons, fits

BLOCKS_LIMIT = 100
NO_PICTURES: Mapping[str, Block] = MappingProxyType({})
NOBODY_REFUSED: Mapping[str, str] = MappingProxyType({})
PLANS_SHOWN = 10


class Waiting(Value):
    """A change that waits for a yes, and why the viewer's would not count; "" when it would."""

    operation: Operation
    why_not: str


def home_view(
    roles: Sequence[RoleName],
    permissions: frozenset[Permission],
    waiting: Sequence[Waiting],
    picture: Overview,
    latest: Sequence[Operation],
    notice: str = "",
    pictures: Mapping[str, Block] = NO_PICTURES,
    why_not: Mapping[str, str] = NOBODY_REFUSED,
) -> Block:
    """Own roles, open incidents, what waits for a yes, what is exposed, how the gateways are, what happened last.

    `pictures` are image blocks under the names of `handlers.drawing.overview`; whatever is missing is in words anyway.
    `why_not` tells by an incident's id why the viewer's answer to it would not count.
    """
    blocks: list[Block] = []
    if notice:
        blocks.append(section(f":information_source: {notice}"))
    blocks += [section(_roles(roles)), actions(*_own_buttons(permissions))]
    blocks += _incidents(picture, why_not)
    blocks += [_header(tr("Waiting for a yes")), *_waiting(waiting)]
    blocks += [_header(tr("Exposed namespaces")), *exposure_blocks(picture)]
    blocks += [pictures[AVAILABILITY]] if AVAILABILITY in pictures else []
    blocks.append(_header(tr("Clusters and gateways")))
    for cluster in picture.clusters:
        names = (path_name(cluster), signals_name(cluster))
        blocks += [pictures[name] for name in names if name in pictures]
    blocks += preformatted(cluster_lines(picture))
    if picture.past:
        blocks += [_header(tr("Last incidents")), *preformatted([past_line(incident) for incident in picture.past])]
    blocks += [_header(tr("Last changes")), *(section(paragraph(operation)) for operation in latest)]
    if not latest:
        blocks.append(section(tr("Nobody has asked for a change yet.")))
    return _home(blocks)


def _incidents(picture: Overview, why_not: Mapping[str, str]) -> Iterator[Block]:
    """As in the channel, with the buttons for those whose click would count."""
    for cluster in picture.clusters:
        if cluster.incident is None:
            continue
        yield _header(tr("The gateway of {cluster} needs an answer", cluster=cluster.name))
        _, blocks = incident_view(cluster.incident)
        refusal = why_not.get(cluster.incident.id, "")
        for block in blocks:
            if block["type"] != "actions" or not refusal:
                yield block
            else:
                yield {"type": "context", "elements": [plain_text(refusal)]}


def refused_view(why: str) -> Block:
    """For people who may not use k8snet at all."""
    return _home([section(tr("You may not use k8snet: {why}.", why=escape(why)))])


def _roles(roles: Sequence[RoleName]) -> str:
    if not roles:
        return tr("You have no role here; ask an admin to add you to `roles:` in app.yaml.")
    return tr("Your roles: *{roles}*", roles=listed(roles))


def _own_buttons(permissions: frozenset[Permission]) -> Iterator[Block]:
    if Permission.REQUEST in permissions:
        yield button(tr("Ask for a change"), "form", "form", "primary")
    yield button(tr("Refresh"), "refresh", "refresh")


def _waiting(waiting: Sequence[Waiting]) -> Iterator[Block]:
    if not waiting:
        yield section(tr("Nothing."))
    for one in waiting[:PLANS_SHOWN]:
        operation, plan = one.operation, one.operation.plan
        assert plan is not None
        yield section(f"*{escape(title(operation))}*")
        yield from preformatted(plan_lines(plan) if fits(plan) else plan_summary(plan))
        until = tr("until {moment}", moment=moment(plan.expires_at))
        yield context(
            tr(
                "asked by {person} · {until} · change {change}",
                person=mention(operation.request.actor),
                until=until,
                change=operation.id,
            )
        )
        if one.why_not:
            yield {"type": "context", "elements": [plain_text(one.why_not)]}
        elif fits(plan):
            yield actions(*decision_buttons(plan, operation.id))
        elif operation.message is not None and not operation.message.id:
            yield context(
                tr("Too long to be confirmed here, and Slack did not take its card: ask again where I may post.")
            )
        else:
            yield context(tr("Too long to be confirmed here: its card has the whole plan in the thread."))
    if len(waiting) > PLANS_SHOWN:
        yield context(tr("… and {count} more", count=len(waiting) - PLANS_SHOWN))


def _header(text: str) -> Block:
    return {"type": "header", "text": plain_text(text, 150)}


def _home(blocks: Sequence[Block]) -> Block:
    return {"type": "home", "blocks": fitting(blocks, BLOCKS_LIMIT)}
