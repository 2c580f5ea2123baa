"""What can be told of wishes before anything is written: names that nothing stands behind."""

from collections.abc import Coroutine, Sequence
from typing import Any

from backends.fortigate.client import Client, Refused
from backends.fortigate.reading import Reader
from backends.fortigate.references import References
from backends.fortigate.wire import GlobalSettings
from bot.engine.side_by_side import together
from bot.engine.targets import Foresight
from bot.model.resources import Policy, Resource, Route
from bot.model.wording import tr


class Foreseer:
    """Reads a few rows more than a plan does, and writes nothing."""

    def __init__(self, client: Client, reader: Reader, references: References) -> None:
        self._client = client
        self._reader = reader
        self._references = references

    async def foresee(self, wishes: Sequence[Resource]) -> Foresight:
        """See `Foresees`."""
        policies = [wish for wish in wishes if isinstance(wish, Policy)]
        routes = [wish for wish in wishes if isinstance(wish, Route)]
        questions = []
        if policies or routes:
            questions.append(_allowed(tr("its interfaces"), self._references.interfaces(policies, routes)))
        if policies:
            questions.append(self._mode())
            questions.append(_allowed(tr("its services"), self._references.services(policies)))
            questions.append(_allowed(tr("its schedules"), self._references.schedules(policies)))
        if policies or routes:
            questions.append(self._saving())
        async with self._reader.in_time():
            parts = await together(questions)
        return Foresight(
            obstacles=tuple(text for part in parts for text in part.obstacles),
            warnings=tuple(text for part in parts for text in part.warnings),
        )

    async def _mode(self) -> Foresight:
        """In the other mode `firewall/policy` does not decide which packets pass."""
        if not await self._client.policy_based():
            return Foresight()
        return Foresight(
            obstacles=(
                tr(
                    "the VDOM is in policy-based NGFW mode, in which security policies decide and those that k8snet "
                    "writes do not: it needs a VDOM in profile-based mode (config system settings / set ngfw-mode)"
                ),
            )
        )

    async def _saving(self) -> Foresight:
        """Whether what is written outlasts a restart."""
        return Foresight(warnings=_unsaved(await self._client.saving()))


def _unsaved(how: GlobalSettings) -> tuple[str, ...]:
    match how.cfg_save:
        case "manual":
            text = tr(
                "The firewall is set to save by hand (cfg-save manual): it forgets at its next restart whatever nobody "
                "has saved by then (execute cfg save)."
            )
        case "revert":
            text = tr(
                "The firewall is set to go back to what was saved (cfg-save revert): it restarts {seconds} s after a "
                "change and forgets it, unless somebody saves in time (execute cfg save).",
                seconds=how.cfg_revert_timeout,
            )
        case "automatic":
            return ()
    return (text,)


async def _allowed(what: str, question: Coroutine[Any, Any, Foresight]) -> Foresight:
    """A right that is missing leaves something unknown, and a plan says so; it is no error."""
    try:
        return await question
    except Refused as no:
        return Foresight(
            warnings=(tr("The firewall could not be asked about {what}: {problem}.", what=what, problem=no.problem),)
        )
