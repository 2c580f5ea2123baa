"""The table of causes as a page for people: docs/findings.md is exactly this. Pure."""

from bot.model.causes.known import KNOWN, KnownFault
from bot.model.causes.row import Row
from bot.model.causes.table import CAUSES
from bot.model.diagnosis import HOPS

_HEAD = """\
# What a check can find

<!-- Made by `python -m bench.findings` from the table in bot/model/causes/; edit that. -->

`/k8snet check` answers with findings. Each has a code that never changes its meaning, so that it can be searched for.
A verdict is one of three: **failed** (✗), **undetermined** (?, with the reason why it cannot be told), **passed** (✓).
A missing signal never passes. Rows are tried in this order; causes come first, then what could not be told. A
*symptom* says that something is wrong, and is shown only when no cause was found. A *note* is worth knowing, and
nothing is broken.

In doubt a check connects to other services and pods, too, and compares. One of them that is silent accuses nobody: it
is asked again, together with another one in the same place, and what all have in common is blamed only when two
services show it that neither share a node nor belong to a namespace in which nothing answers.
"""


_KNOWN_HEAD = """\
## Known faults, and what they are called here

| no. | fault | codes, or why a check does not see it |
|---|---|---|"""


def page() -> str:
    """Markdown, one section a hop, one entry a row, in the order of the table."""
    parts = [_HEAD]
    for hop in HOPS:
        rows = [row for row in CAUSES if row.hop == hop]
        parts.append(f"## At the {hop}\n")
        parts += [_entry(row) for row in rows]
    parts.append(_KNOWN_HEAD)
    parts.append("\n".join(map(_known, KNOWN)) + "\n")
    return "\n".join(parts)


def _entry(row: Row) -> str:
    button = f"\n- Button: *{row.fix}*" if row.fix else ""
    remedy = f"\n- Do: {row.remedy}" if row.remedy else ""
    told = f"### {row.code}\n\n{_sentence(row.explanation)}\n\n- When: {row.when}."
    return f"{told}{remedy}{button}\n- Verdict: {_verdict(row)}\n"


def _known(known: KnownFault) -> str:
    codes = ", ".join(f"[{code}](#k8snet-{code.lower()})" for code in known.codes)
    return f"| {known.number} | {known.fault} | {codes or known.unseen} |"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _verdict(row: Row) -> str:
    if row.verdict == "passed":
        return "none, a note"
    return f"{row.verdict} (a symptom)" if row.symptom else row.verdict
