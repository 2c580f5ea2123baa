"""Whether this bot does its work, as it is at this moment."""

from datetime import timedelta

from bot.engine.announcing import AUDITED_KINDS
from bot.engine.context import Context
from bot.model.errors import BotError
from bot.model.value import Value
from bot.model.wording import tr

PATIENCE = timedelta(seconds=60)


class Health(Value):
    """`problems` is empty when all is well; otherwise one sentence for each thing that is not."""

    records: int
    under_way: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


async def health(context: Context, chat_answers: bool) -> Health:
    """Reads the journal anew. Never raises: that something cannot be told is a problem too."""
    problems = [] if chat_answers else [tr("the chat does not answer")]
    try:
        world, now = await context.journal.world(), await context.journal.now()
    except BotError as error:
        return Health(records=0, under_way=0, problems=(*problems, tr("journal: {error}", error=error)))
    unsaid = [operation.records[-1].at for operation in world.unannounced()]
    unsaid += [incident.records[-1].at for incident in world.unshown()]
    if unsaid and now - min(unsaid) > PATIENCE:
        problems.append(
            tr(
                "the chat has not been told for {seconds:.0f} s what happened",
                seconds=(now - min(unsaid)).total_seconds(),
            )
        )
    unaudited = [record.at for record in world.records[world.audited :] if record.entry.kind in AUDITED_KINDS]
    if unaudited and now - min(unaudited) > PATIENCE:
        problems.append(
            tr(
                "the audit channel has not been told for {seconds:.0f} s what happened",
                seconds=(now - min(unaudited)).total_seconds(),
            )
        )
    return Health(records=world.seq, under_way=sum(1 for _ in world.unfinished()), problems=tuple(problems))
