"""`history` and `audit`: what the journal tells, and whether it can be believed."""

from collections.abc import Sequence

from bot.engine.context import Context
from bot.engine.ports import Stored
from bot.model.errors import BackendError, BrokenJournal
from bot.model.journal import GENESIS, Anchor, unsealed
from bot.model.operation import Operation
from bot.model.value import Value
from bot.model.wording import tr


class AuditReport(Value):
    """What a fresh read of the whole journal found. `problem` is empty when every record follows the one before it
    and the anchored one, if any, is still the one that was anchored.
    """

    records: int
    whole: int  # records up to the first break
    head: str  # the hash after those
    anchor: Anchor | None
    unanchored: str = ""  # why the anchor could not be read
    problem: str = ""


async def audit(context: Context) -> AuditReport:
    """Verify the hash chain from the first record on, against the store, our own memory and the anchor outside.

    Raises Unreachable when the store cannot be read.
    """
    known = await _known(context)
    anchor, unanchored = None, ""
    try:
        anchor = await context.announcer.anchor()
    except BackendError as error:
        unanchored = str(error)
    stored = await context.journal.stored()
    hashes, problem = chain(stored)
    if not problem:
        problem = _against(hashes, known, tr("this bot's memory")) or _against(hashes, anchor, tr("the audit channel"))
    return AuditReport(
        records=len(stored),
        whole=len(hashes) - 1,
        head=hashes[-1],
        anchor=anchor,
        unanchored=unanchored,
        problem=problem,
    )


async def _known(context: Context) -> Anchor | None:
    """The newest record that this instance has acted on; None when the log cannot even be followed."""
    try:
        world = await context.journal.world()
    except BrokenJournal:
        return None
    return Anchor(seq=world.seq, hash=world.head)


def chain(stored: Sequence[Stored]) -> tuple[list[str], str]:
    """The hash after every record, beginning with that of no record at all, and where the chain breaks, if it does."""
    hashes = [GENESIS]
    for number, one in enumerate(stored, 1):
        try:
            record = unsealed(one.seq, one.at, one.body)
        except ValueError:
            return hashes, tr("record {number} cannot be read", number=number)
        if record.seq != number or record.previous != hashes[-1]:
            return hashes, tr("record {number} does not follow record {previous}", number=number, previous=number - 1)
        hashes.append(record.hash)
    return hashes, ""


def _against(hashes: Sequence[str], anchor: Anchor | None, whose: str) -> str:
    if anchor is None:
        return ""
    if anchor.seq >= len(hashes):
        return tr(
            "{whose} has record {seq}, but the journal ends with record {count}",
            whose=whose,
            seq=anchor.seq,
            count=len(hashes) - 1,
        )
    return (
        ""
        if hashes[anchor.seq] == anchor.hash
        else tr("record {seq} is not the one that {whose} has", seq=anchor.seq, whose=whose)
    )


async def history(context: Context, namespace: str | None) -> tuple[Operation, ...]:
    """Changes asked for, newest first; only those of one namespace when it is given."""
    world = await context.journal.world()
    operations = reversed(tuple(world.operations.values()))
    return tuple(
        operation
        for operation in operations
        if namespace is None or getattr(operation.request.command, "namespace", None) == namespace
    )
