"""Who speaks against what all connections have in common. Pure.

One silent comparison proves nothing about the gateway: that service may be broken by itself, or its node, or a policy
keeps the office from its namespace. It takes two that have nothing in common but the way to them.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from bot.model.causes.signals import Tested, tested
from bot.model.diagnosis import Evidence, Place

ENOUGH = 2


class Seen:
    """The comparable connections, sorted."""

    def __init__(self, e: Evidence) -> None:
        self.all = tested(e)
        self._namespace = e.namespace
        through = [one for one in self.all if not one.lost]
        self._alive = {one.nodes[0] for one in through if len(one.nodes) == 1}
        self._closed = not any(one.answered for one in self.all if one.namespace == e.namespace)

    def of(self, kind: str, *places: Place) -> list[Tested]:
        return [one for one in self.all if one.kind == kind and (not places or one.place in places)]

    def witnesses(self, found: Iterable[Tested]) -> int:
        """How many of these services tell something about the way to them: 2 stands for all numbers above."""
        speaking = [one for one in found if self.speaks(one)]
        if any(self._apart(one, other) for one, other in combinations(speaking, 2)):
            return ENOUGH
        return min(1, len(speaking))

    def speaks(self, one: Tested) -> bool:
        """Not of the checked service, for what that suffers from is the question; nor of another one of its namespace
        while nothing there answers; nor of one whose pods are silent themselves."""
        if one.own or (self._closed and one.namespace == self._namespace):
            return False
        return one.kind == "pod" or not self._explained(one)

    def _explained(self, service: Tested) -> bool:
        """Its own pods are silent, or all pods of a node that it may have been led to."""
        pods = self.of("pod")
        its_own = [pod for pod in pods if pod.service == service.service]
        there = [[pod for pod in pods if node in pod.nodes] for node in service.nodes]
        return any(map(_all_lost, [its_own, *there]))

    def _apart(self, one: Tested, other: Tested) -> bool:
        """Not the same service, and not to be explained by a node that both stand on and nothing answers from."""
        doubtful = set(one.nodes) & set(other.nodes) - self._alive
        elsewhere = set(one.nodes) > doubtful and set(other.nodes) > doubtful
        return one.service != other.service and (not doubtful or elsewhere)


def _all_lost(pods: Sequence[Tested]) -> bool:
    return bool(pods) and all(pod.lost for pod in pods)
