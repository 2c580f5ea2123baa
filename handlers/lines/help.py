"""Help: what may be typed, and who may do the rest."""

from bot.model.commands import COMMANDS
from bot.model.people import Permission, able_roles
from bot.model.wording import tr
from handlers.text import aligned


def help_lines(allowed: frozenset[Permission]) -> list[str]:
    """How to type each command that needs no more than these permissions; below, what it does and what it takes."""
    lines = []
    for spec in COMMANDS:
        if spec.permission is None or spec.permission in allowed:
            lines += [f"/k8snet {tr(spec.usage)}", f"    {tr(spec.summary)}"]
            forms = zip(aligned(tr(form) for form, _ in spec.forms), spec.forms, strict=True)
            lines += [f"      {form}  {tr(meaning)}" for form, (_, meaning) in forms]
    return lines


def elsewhere_lines(allowed: frozenset[Permission]) -> list[str]:
    """Who may give the other commands."""
    return [
        tr("{verb} – for the role {roles}", verb=spec.verb, roles=tr(" or ").join(able_roles(spec.permission)))
        for spec in COMMANDS
        if spec.permission is not None and spec.permission not in allowed
    ]
