"""Answers to commands that change nothing, and refusals."""

import re
from collections.abc import Sequence

from bot.engine.overview import ExposureState, Overview
from bot.model.commands import SPEC, Change, Check, ClearDnsCache, Expose, Failover, typed
from bot.model.diagnosis import Fix, Report
from bot.model.people import Permission, Person, RoleName, able_roles
from bot.model.plan import Plan
from bot.model.wording import listed, marked, tr
from handlers.lines.check import MARKS, answer_lines, detail_lines, path_line, vantage_line, verdict_lines
from handlers.lines.day import usable
from handlers.lines.help import elsewhere_lines, help_lines
from handlers.lines.overview import exposure_lines, journal_lines, machine_lines, overview_lines
from handlers.lines.plan import plan_lines
from handlers.text import clip_lines, packed, visible
from handlers.views.blocks import (
    LIST_LIMIT,
    SECTION_LIMIT,
    Block,
    actions,
    button,
    context,
    escape,
    mention,
    moment,
    preformatted,
    section,
)

View = tuple[str, list[Block]]
MORE_EXPOSED = marked("… and {count} more; `k8snet status` in a terminal lists them all")
DETAILS_LIMIT = 3500  # characters of a message in a thread; more becomes a file


def report_view(report: Report, command: Check, whole: bool = False) -> View:
    """A check's answer, short: verdict, path, the first cause, and buttons that mend what an intent change mends.

    `whole`, for where there is no thread: with everything that `details_view` says.
    """
    text = detail_lines(report) if whole else answer_lines(report)
    remedies = _remedies(report)
    blocks = [
        section(f"{MARKS[report.verdict]} *{escape(report.summary)}*"),
        section(escape(path_line(report))),
        *preformatted(text),
        *([context(escape(said))] if (said := _beside(report, remedies, whole)) else []),
        actions(*(block for _, block in remedies), button(tr("Check again"), "check", typed(command))),
    ]
    return escape("\n".join([*verdict_lines(report), *text])), blocks


def details_view(report: Report) -> View | None:
    """What goes into the answer's thread; None when it is too long for a message: then see `details_file`."""
    text = detail_lines(report)
    if sum(len(line) + 1 for line in text) > DETAILS_LIMIT:
        return None
    return escape("\n".join(text)), preformatted(text, wide=False)


def details_file(report: Report) -> tuple[str, str]:
    """Name and content of the file that holds long details."""
    text = [*verdict_lines(report), *detail_lines(report, shortened=False), ""]
    return "check.txt", "\n".join(map(visible, text))


def _remedies(report: Report) -> list[tuple[str, Block]]:
    """A button for each kind of change that a finding asks for, by its verb; the change asks for its own yes.

    The one that mends the first finding stands out.
    """
    offers = [
        offer for fix in dict.fromkeys(finding.fix for finding in report.findings) if (offer := _mends(fix, report))
    ]
    return [
        (change.verb, button(label[:75], f"ask-{change.verb}", typed(change), None if nth else "primary"))
        for nth, (label, change) in enumerate(offers)
    ]


def _mends(fix: Fix | None, report: Report) -> tuple[str, Change] | None:
    """What to press, and what that asks for; None where no change mends it."""
    match fix:
        case "expose" if report.namespace:
            label = tr("Expose {namespace}", namespace=report.namespace)
            return label, Expose(namespace=report.namespace, cluster=report.cluster)
        case "clear DNS cache" if report.namespace:
            return tr("Clear DNS cache"), ClearDnsCache(namespace=report.namespace, cluster=report.cluster)
        case "fail over":
            return tr("Fail over"), Failover(cluster=report.cluster)
    return None


def _beside(report: Report, remedies: Sequence[tuple[str, Block]], whole: bool) -> str:
    """What must not be missed without opening the thread, and who may press what changes something."""
    said = []
    if report.in_office is False and not whole:
        said.append(vantage_line(report))
    for verb, block in remedies:
        permission = SPEC[verb].permission
        assert permission is not None  # nobody changes anything without
        roles = tr(" or ").join(able_roles(permission))
        said.append(tr("{button}: for the role {roles}.", button=block["text"]["text"], roles=roles))
    return " ".join(said)


def checking_view(command: Check) -> View:
    """Shown while the path is being walked."""
    name = escape(command.name) or tr("everything that is exposed")
    text = tr(":hourglass_flowing_sand: Checking {name} …", name=name)
    return text, [section(text)]


def cut_short_view(command: Check) -> View:
    """In the place of `checking_view` when the bot that walked the path is no more."""
    said = tr(
        ":no_entry_sign: I was restarted in the middle of this check. Ask again: `{line}`",
        line=escape(f"/k8snet {typed(command)}"),
    )
    return said, [section(said), actions(button(tr("Check again"), "check", typed(command)))]


def plan_view(plan: Plan) -> View:
    """A dry plan: no buttons, nothing to confirm."""
    text = plan_lines(plan)
    head = tr("*{command}* would do this; nothing is changed:", command=escape(typed(plan.command)))
    if not plan.steps:
        head = tr("*{command}* would change nothing: it is so already.", command=escape(typed(plan.command)))
    return escape("\n".join(text)), [section(head), *preformatted(text)]


def overview_view(picture: Overview) -> View:
    text = overview_lines(picture)
    above, below = (
        clip_lines(machine_lines(picture), LIST_LIMIT // 3),
        clip_lines(journal_lines(picture), LIST_LIMIT // 3),
    )
    blocks = [section(tr("*Status*")), *preformatted(above), *exposure_blocks(picture, LIST_LIMIT // 3)]
    return escape("\n".join(text)), [*blocks, *preformatted(below)]


def pictures_view(blocks: Sequence[Block]) -> View:
    """The pictures of a status, after its text."""
    return " ".join(escape(block["alt_text"]) for block in blocks), list(blocks)


def exposures_view(picture: Overview) -> View:
    text = clip_lines(exposure_lines(picture), LIST_LIMIT)
    return escape("\n".join(text)), [section(tr("*Exposed namespaces*")), *exposure_blocks(picture)]


def exposure_blocks(picture: Overview, limit: int = LIST_LIMIT) -> list[Block]:
    """What is exposed, in a few paragraphs with people's names, of at most so many characters."""
    if not picture.exposures:
        return [section(tr("Nothing is exposed."))]
    told = clip_lines(list(map(_exposure, picture.exposures)), limit, (MORE_EXPOSED, MORE_EXPOSED))
    return [section("\n".join(some)) for some in packed(told, SECTION_LIMIT)]


def _exposure(state: ExposureState) -> str:
    exposure = state.exposure
    since = tr(" · since {since}", since=moment(state.since)) if state.since else ""
    by = tr(" · asked by {by}", by=mention(state.by)) if state.by else ""
    said = tr(
        "*{namespace}* on {cluster} → office {office}{since}{by}",
        namespace=escape(exposure.namespace),
        cluster=escape(state.cluster),
        office=escape(exposure.office),
        since=since,
        by=by,
    )
    return f"{said}\n{escape(usable(state))}"


def help_view(allowed: frozenset[Permission]) -> View:
    """The commands that this person may give, then who may give the others."""
    text, rest = help_lines(allowed), elsewhere_lines(allowed)
    blocks = [section(tr("*What I can do for you*  (`/k8snet` alone opens a form)")), *preformatted(text)]
    if rest:
        blocks += [section(tr("*Not for you*")), *preformatted(rest)]
    return escape("\n".join([*text, *rest])), blocks


def whoami_view(actor: Person, roles: Sequence[RoleName]) -> View:
    held = listed(roles) if roles else tr("none; ask an admin to add you to roles: in app.yaml")
    text = tr("You are {mention} ({person}). Roles: {held}.", mention=mention(actor), person=actor, held=held)
    return text, [section(text)]


def sentence_view(text: str) -> View:
    """A refusal or a short answer, as written; `#C…` in it becomes a link to that channel, `T…/U…` a person's name."""
    linked = re.sub(r"#(C[A-Z0-9]{8,})\b", r"<#\1>", escape(text))
    linked = re.sub(r"\bT[A-Z0-9]{2,}/([UW][A-Z0-9]{2,})\b", r"<@\1>", linked)
    return linked, [section(linked)]
