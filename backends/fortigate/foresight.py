"""What can be told of wishes before anything is written: names that nothing stands behind, and policies in the way."""

from collections.abc import Coroutine, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from backends.fortigate.client import Refused
from backends.fortigate.position import no_anchor
from backends.fortigate.reading import Reader
from backends.fortigate.references import References
from backends.fortigate.services import Traffic
from backends.fortigate.shadowing import Covers, Order, Shadowing, covers, meeting
from backends.fortigate.wire import DenyRow
from bot.engine.ports import Foresight
from bot.engine.side_by_side import together
from bot.model.resources import Policy, Resource, Route


class Foreseer:
    """Reads a few rows more than a plan does, and writes nothing."""

    def __init__(
        self, system: str, reader: Reader, references: References, shadowing: Shadowing, before_policy: str | None
    ) -> None:
        self._system = system
        self._reader = reader
        self._references = references
        self._shadowing = shadowing
        self._before_policy = before_policy

    async def foresee(self, wishes: Sequence[Resource]) -> Foresight:
        """See `Foresees`."""
        policies = [wish for wish in wishes if isinstance(wish, Policy)]
        routes = [wish for wish in wishes if isinstance(wish, Route)]
        questions = []
        if policies or routes:
            questions.append(_allowed("its interfaces", self._references.interfaces(policies, routes)))
        if policies:
            questions.append(_allowed("its services", self._references.services(policies)))
            questions.append(_allowed("its schedules", self._references.schedules(policies)))
            questions.append(_allowed("policies that come before", self._shadows(policies, wishes)))
        async with self._reader.in_time():
            parts = await together(questions)
        return Foresight(
            obstacles=tuple(text for part in parts for text in part.obstacles),
            warnings=tuple(text for part in parts for text in part.warnings),
        )

    async def _shadows(self, policies: Sequence[Policy], wishes: Sequence[Resource]) -> Foresight:
        anchor = self._before_policy
        order = await self._shadowing.order([*(policy.name for policy in policies), *([anchor] if anchor else [])])
        if not order.complete:
            return Foresight(
                warnings=(
                    f"{self._system} has so many denying policies that it was not looked at whether one of them comes "
                    "before the new ones and stops their traffic; the proof after the change will tell.",
                )
            )
        if anchor is not None and not order.holds(anchor):
            return Foresight(obstacles=(no_anchor(anchor),))
        denies = {policy.name: meeting(self._before(order, policy), policy) for policy in policies}
        concerned = [deny for of in denies.values() for deny in of]
        if not concerned:
            return Foresight()
        networks, services = await self._meanings(concerned, policies, wishes)
        return Foresight(
            warnings=tuple(
                self._shadow(policy, deny, extent)
                for policy in policies
                for deny in denies[policy.name]
                if (extent := covers(deny, policy, networks, services)) is not Covers.NOTHING
            )
        )

    def _before(self, order: Order, policy: Policy) -> Sequence[DenyRow]:
        """A policy that is there already stays where it is; a new one goes before the anchor, or to the end."""
        if order.holds(policy.name):
            return order.denies_before(policy.name)
        return order.denies_before(self._before_policy)

    async def _meanings(
        self, denies: Sequence[DenyRow], policies: Sequence[Policy], wishes: Sequence[Resource]
    ) -> tuple[Mapping[str, Sequence[IPv4Network]], Mapping[str, Traffic]]:
        """What the names in these policies stand for, as far as it is simple."""
        addresses = {name for deny in denies for name in (*deny.srcaddr, *deny.dstaddr)}
        addresses |= {name for policy in policies for name in (*policy.sources, *policy.destinations)}
        services = {name for row in (*denies,) for name in row.service}
        services |= {name for policy in policies for name in policy.services}
        return (
            await self._shadowing.networks(addresses, wishes),
            await self._shadowing.services(services),
        )

    def _shadow(self, policy: Policy, deny: DenyRow, extent: Covers) -> str:
        there = f"policy {deny.policyid}{f' ({deny.name})' if deny.name else ''}, which denies,"
        effect = (
            f"{there} stands before it and matches all of its traffic: nothing would come through"
            if extent is Covers.EVERYTHING
            else f"{there} stands before it and may match part of its traffic"
        )
        remedy = (
            f"If that is not meant, name the first such policy as firewalls.{self._system}.before_policy in app.yaml, "
            "or move it on the device."
        )
        return f"Policy {policy.name}: {effect}. {remedy}"


async def _allowed(what: str, question: Coroutine[Any, Any, Foresight]) -> Foresight:
    """A right that is missing leaves something unknown, and a plan says so; it is no error."""
    try:
        return await question
    except Refused as no:
        return Foresight(warnings=(f"The firewall could not be asked about {what}: {no.problem}.",))
