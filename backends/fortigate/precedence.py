"""What comes before policies of ours: denying ones that hide them, accepting ones that make them idle, and the policy
routes that lead their traffic away."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network

from backends.fortigate.anchor import no_anchor
from backends.fortigate.client import Refused
from backends.fortigate.detours import MOST_ROWS, Detours, Table, way_of
from backends.fortigate.mapping import mark_of
from backends.fortigate.order import Order, meeting
from backends.fortigate.reading import Reader
from backends.fortigate.services import Traffic
from backends.fortigate.shadowing import Covers, Shadowing, covers
from backends.fortigate.wire import EarlierRow, PolicyRouteRow
from bot.engine.side_by_side import both
from bot.engine.targets import Precedence
from bot.model.resources import Key, Policy, Position, Resource
from bot.model.wording import listed, marked, tr

_MOST_NAMED = 3


class Predecessors:
    """See `OrdersPolicies`. `before_policy` is the anchor before which app.yaml puts new policies."""

    def __init__(self, system: str, reader: Reader, detours: Detours, before_policy: str | None) -> None:
        self._system = system
        self._reader = reader
        self._shadowing = Shadowing(reader)
        self._detours = detours
        self._anchor = before_policy

    async def precedence(self, wishes: Sequence[Resource]) -> Mapping[Key, Precedence]:
        """See `OrdersPolicies.precedence`. One round trip when nothing comes before; two requests at least."""
        policies = [wish for wish in wishes if isinstance(wish, Policy)]
        if not policies:
            return {}
        try:
            async with self._reader.in_time():
                return await self._judged(policies, wishes)
        except Refused as no:
            return {policy.key: Precedence(notes=(_unasked(no),)) for policy in policies}

    async def _judged(self, policies: Sequence[Policy], wishes: Sequence[Resource]) -> Mapping[Key, Precedence]:
        names = [*(policy.name for policy in policies), *([self._anchor] if self._anchor else [])]
        (denying, (accepting, unasked)), table = await both(
            both(self._shadowing.denying(names), self._accepting(policies, wishes, names)), self._detours.table()
        )
        denies = {one.name: _meeting(self._denials(denying, one), one) for one in policies}
        accepts = {one.name: _meeting(self._strangers(accepting, one), one) for one in policies}
        concerned = [row for of in (*denies.values(), *accepts.values()) for row in of]
        (networks, services), detours = await both(
            self._meanings(concerned, policies, wishes), self._detours.ahead(table, policies, wishes)
        )

        def judged(policy: Policy, rows: Sequence[EarlierRow]) -> Sequence[tuple[EarlierRow, Covers]]:
            return [(row, covers(row, policy, networks, services)) for row in rows]

        found = {}
        for policy in policies:
            denying_it = judged(policy, denies[policy.name])
            now = denying.position(policy.name, self._anchor) if denying.complete else None
            better = now and self._better(now, denying_it)
            hidden = list(self._hidden(policy, denying_it, self._remedy(now if better else None)))
            led_away, partly = _led_away(policy, detours.get(policy.name, ()))
            found[policy.key] = Precedence(
                obstacles=self._obstacles(denying),
                hiding=(*self._misplaced(denying, policy), *hidden, *led_away),
                better=(now, better) if now and better else None,
                moving=(*_moving(now, better, denying_it), *led_away) if now and better else (),
                notes=(
                    *unasked,
                    *_unseen(table),
                    *self._unseen(denying, accepting),
                    *([] if hidden else self._cut(policy, denying_it, self._remedy())),
                    *_open(policy, judged(policy, accepts[policy.name])),
                    *partly,
                ),
            )
        return found

    async def _accepting(
        self, policies: Sequence[Policy], wishes: Sequence[Resource], names: Sequence[str]
    ) -> tuple[Order, Sequence[str]]:
        """And why there are none: a device that does not take this question must still tell what denies."""
        try:
            return await self._shadowing.accepting(policies, wishes, names), ()
        except Refused as no:
            return Order([]), (_unasked(no),)

    def _place(self, order: Order, policy: Policy) -> str | None:
        """A policy that is there already stays where it is; a new one goes before the anchor, or to the end."""
        return policy.name if order.holds(policy.name) else self._anchor

    def _denials(self, order: Order, policy: Policy) -> Sequence[EarlierRow]:
        """Nothing when there are too many to judge."""
        return order.before(self._place(order, policy), "deny") if order.complete else ()

    def _strangers(self, order: Order, policy: Policy) -> Sequence[EarlierRow]:
        """Those before it that are not ours: what other exposures open is no news."""
        return [row for row in order.before(self._place(order, policy), "accept") if mark_of(row.comments) is None]

    def _obstacles(self, order: Order) -> tuple[str, ...]:
        missing = self._anchor is not None and order.complete and not order.holds(self._anchor)
        return (no_anchor(self._anchor),) if self._anchor is not None and missing else ()

    def _unseen(self, denying: Order, accepting: Order) -> Iterator[str]:
        if not denying.complete:
            yield (
                tr(
                    "{system} has so many denying policies that it was not looked at whether one "
                    "of them comes before the new ones and stops their traffic; the proof after "
                    "the change will tell.",
                    system=self._system,
                )
            )
        if not accepting.complete:
            yield (
                tr(
                    "{system} has so many accepting policies towards these networks that only the "
                    "first ones were compared with the new ones.",
                    system=self._system,
                )
            )

    async def _meanings(
        self, rows: Sequence[EarlierRow], policies: Sequence[Policy], wishes: Sequence[Resource]
    ) -> tuple[Mapping[str, Sequence[IPv4Network]], Mapping[str, Traffic]]:
        """What the names in these policies stand for, as far as it is simple. Nothing is asked for no rows."""
        if not rows:
            return {}, {}
        addresses = {name for row in rows for name in (*row.srcaddr, *row.dstaddr)}
        addresses |= {name for policy in policies for name in (*policy.sources, *policy.destinations)}
        services = {name for row in rows for name in row.service}
        services |= {name for policy in policies for name in policy.services}
        return await both(self._shadowing.networks(addresses, wishes), self._shadowing.services(services))

    def _better(self, now: Position, denying: Sequence[tuple[EarlierRow, Covers]]) -> Position | None:
        """The nearest position before the anchor and before what denies all; what denies a part keeps its place."""
        wrong = {row.policyid for row, extent in denying if extent is Covers.EVERYTHING}
        first = next((one for one in now.behind if one.row in wrong or one.name == self._anchor), None)
        return now.before(first) if first is not None else None

    def _misplaced(self, order: Order, policy: Policy) -> Iterator[str]:
        now = order.position(policy.name, self._anchor)
        if now is not None and self._anchor in [one.name for one in now.behind]:
            yield tr(
                "Policy {name} stands behind {anchor}, before which app.yaml puts it (before_policy). {remedy}",
                name=policy.name,
                anchor=self._anchor,
                remedy=self._remedy(now),
            )

    def _hidden(self, policy: Policy, denying: Sequence[tuple[EarlierRow, Covers]], remedy: str) -> Iterator[str]:
        """The first that takes everything: what stands behind that makes no difference."""
        full = next((row for row, extent in denying if extent is Covers.EVERYTHING), None)
        if full is not None:
            yield tr(
                "Policy {name}: {called}, which denies, stands before it and matches all of its traffic: nothing would "
                "come through. {remedy}",
                name=policy.name,
                called=_called(full),
                remedy=remedy,
            )

    def _cut(self, policy: Policy, denying: Sequence[tuple[EarlierRow, Covers]], remedy: str) -> Iterator[str]:
        """Those that take a part, or nobody knows how much, in one sentence."""
        part = [row for row, extent in denying if extent is Covers.SOME]
        if part:
            yield tr(
                "Policy {name}: part of its traffic may be denied before it, by {named}. {remedy}",
                name=policy.name,
                named=_all_called(part),
                remedy=remedy,
            )

    def _remedy(self, misplaced: Position | None = None) -> str:
        """What to do about policies that stand before ours; `misplaced` when another position would mend it."""
        if misplaced is not None and misplaced.owner is not None:
            return tr("If that is not meant, expose the namespace again: the plan moves it.")
        if misplaced is not None:
            return tr("If that is not meant, move it on the device: k8snet moves only what it made.")
        return tr(
            "If that is not meant, name the first such policy as "
            "firewalls.{system}.before_policy in app.yaml, or move it on the device.",
            system=self._system,
        )


def _led_away(policy: Policy, detours: Sequence[tuple[PolicyRouteRow, Covers]]) -> tuple[Sequence[str], Sequence[str]]:
    """What is said of policy routes that take all of the traffic, and of those that take a part."""
    if not detours:
        return (), ()
    row, extent = detours[-1]  # behind one that takes everything nothing else counts
    if extent is Covers.EVERYTHING:
        text = tr(
            "Policy {name}: policy route {row} sends all of its traffic via {way} before the static routes are looked "
            "at. If that is not meant, put one before it that stops policy routing (deny) for these networks.",
            name=policy.name,
            row=row.seq_num,
            way=way_of(row),
        )
        return (text,), ()
    named = [row for row, _ in detours[:_MOST_NAMED]]
    rows = listed(tr("policy route {row} (via {way})", row=row.seq_num, way=way_of(row)) for row in named)
    more = len(detours) - _MOST_NAMED
    text = tr(
        "Policy {name}: part of its traffic may be sent another way before the static routes are looked at, by {rows}.",
        name=policy.name,
        rows=rows + (tr(" and {count} more", count=more) if more > 0 else ""),
    )
    return (), (text,)


def _unseen(table: Table) -> Iterator[str]:
    if table.problem:
        yield tr("The firewall could not be asked about policy routes: {problem}.", problem=table.problem)
    if not table.whole:
        yield tr("The firewall has so many policy routes that only the first {count} were looked at.", count=MOST_ROWS)


def _moving(now: Position, better: Position, denying: Sequence[tuple[EarlierRow, Covers]]) -> Iterator[str]:
    """What a move overrules: people may have meant what stands there now."""
    passed = {one.row for one in now.passed(better)}
    rows = [row for row, extent in denying if row.policyid in passed and extent is not Covers.NOTHING]
    if rows:
        yield tr(
            "Policy {name} is moved before {named}, which may have been put before it on purpose: "
            "what is denied there now will be let through.",
            name=now.policy,
            named=_all_called(rows),
        )


def _meeting(rows: Sequence[EarlierRow], policy: Policy) -> Sequence[EarlierRow]:
    return meeting(rows, policy.source_interfaces, policy.destination_interfaces)


def _unasked(no: Refused) -> str:
    return tr("The firewall could not be asked about policies that come before: {problem}.", problem=no.problem)


def _called(row: EarlierRow) -> str:
    if row.name:
        return tr("policy {number} ({name})", number=row.policyid, name=row.name)
    return tr("policy {number}", number=row.policyid)


def _all_called(rows: Sequence[EarlierRow]) -> str:
    """The first few by name, and how many more there are."""
    more = len(rows) - _MOST_NAMED
    named = listed([_called(row) for row in rows[:_MOST_NAMED]])
    return named + (tr(" and {count} more", count=more) if more > 0 else "")


def _open(policy: Policy, accepting: Sequence[tuple[EarlierRow, Covers]]) -> Iterator[str]:
    """One sentence, if there is anything to say: the policy that takes everything, or those that take a part."""
    for row, extent in accepting:
        if extent is Covers.EVERYTHING:
            more = [tr(text) for text, switch in _EFFECTS if getattr(row, switch) == "enable"]
            yield (
                tr(
                    "Policy {name}: {called}, which accepts, stands before it and matches all of "
                    "its traffic: the way is open already, and stays open when the exposure ends.",
                    name=policy.name,
                    called=_called(row),
                )
                + (tr(" That policy {more}.", more=tr(" and ").join(more)) if more else "")
            )
            return
    part = [row for row, extent in accepting if extent is Covers.SOME]
    if part:
        yield tr(
            "Policy {name}: part of its traffic may be accepted before it already, by {named}.",
            name=policy.name,
            named=_all_called(part),
        )


_EFFECTS = ((marked("hides the office's addresses (nat)"), "nat"), (marked("inspects what passes (utm)"), "utm_status"))
