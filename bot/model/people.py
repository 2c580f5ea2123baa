"""Who asks, and what they may do. Identity is the pair (team id, user id); names never decide anything."""

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from bot.model.value import Value
from bot.model.wording import listed, marked, tr

RoleName = Literal["viewer", "developer", "operator", "oncall", "admin"]


class Person(Value):
    """A member of one workspace. The terminal's user has team "local"."""

    team: str
    user: str

    def __str__(self) -> str:
        return f"{self.team}/{self.user}"


WHOLE_CLUSTER = "*"  # in place of a namespace: what concerns all of them
ITSELF = Person(team="k8snet", user="watch")  # the bot, where it asks or answers for nobody


class Profile(Value):
    """What the directory says about a person now. `refused` is why this person may never act, or None."""

    person: Person
    groups: frozenset[str] = frozenset()
    refused: str | None = None


class Permission(StrEnum):
    """What a command needs."""

    LOOK = marked("look")  # check, plan, status, list
    REQUEST = marked("request")  # ask for a change
    CONFIRM = marked("confirm")  # say yes to a change somebody may ask for
    FAIL_OVER = marked("fail over")
    ADMINISTER = marked("administer")


PERMISSIONS: dict[RoleName, frozenset[Permission]] = {
    "viewer": frozenset({Permission.LOOK}),
    "developer": frozenset({Permission.LOOK, Permission.REQUEST}),
    "operator": frozenset({Permission.LOOK, Permission.REQUEST, Permission.CONFIRM}),
    "oncall": frozenset({Permission.LOOK, Permission.FAIL_OVER}),
    "admin": frozenset(Permission),
}


class Grant(Value):
    """One line of `roles:` in app.yaml: these people and groups have this role on these clusters and namespaces."""

    role: RoleName
    people: frozenset[Person] = frozenset()
    groups: frozenset[str] = frozenset()
    clusters: tuple[str, ...]
    namespaces: tuple[str, ...] = ("*",)  # shell patterns; * alone covers cluster-wide commands

    def covers(self, profile: Profile, cluster: str | None, namespace: str | None) -> bool:
        """`None` stands for "any": a command that names no cluster or namespace. See WHOLE_CLUSTER."""
        if profile.person not in self.people and not (self.groups & profile.groups):
            return False
        if cluster is not None and not any(fnmatchcase(cluster, pattern) for pattern in self.clusters):
            return False
        if namespace == WHOLE_CLUSTER:
            return WHOLE_CLUSTER in self.namespaces
        return namespace is None or any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)


class Refusal(Value):
    """Why somebody may not do something, in one sentence, and which roles may."""

    reason: str


def roles(
    profile: Profile, grants: Sequence[Grant], cluster: str | None, namespace: str | None
) -> tuple[RoleName, ...]:
    """The roles this person has there, without duplicates, in the order of PERMISSIONS."""
    if profile.refused is not None:
        return ()
    held = {grant.role for grant in grants if grant.covers(profile, cluster, namespace)}
    return tuple(role for role in PERMISSIONS if role in held)


def able_roles(permission: Permission) -> tuple[RoleName, ...]:
    """Roles that include a permission."""
    return tuple(role for role, permissions in PERMISSIONS.items() if permission in permissions)


def permissions(profile: Profile, grants: Sequence[Grant]) -> frozenset[Permission]:
    """What this person may do anywhere: on at least one cluster, for at least one namespace."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles(profile, grants, None, None)))


def barred(profile: Profile) -> Refusal | None:
    """Why this person may do nothing at all, not even read the help; None for an ordinary member."""
    if profile.refused is None:
        return None
    return Refusal(reason=tr("You may not use k8snet: {why}.", why=profile.refused))


def may(
    profile: Profile,
    permission: Permission,
    grants: Sequence[Grant],
    cluster: str | None = None,
    namespace: str | None = None,
) -> Refusal | None:
    """None when allowed. An empty table of grants allows nothing."""
    if (refusal := barred(profile)) is not None:
        return refusal
    held = roles(profile, grants, cluster, namespace)
    if any(permission in PERMISSIONS[role] for role in held):
        return None
    able = tr(" or ").join(able_roles(permission))
    where = tr(" on cluster {cluster}", cluster=cluster) if cluster else ""
    if namespace == WHOLE_CLUSTER:
        where += tr(" for all namespaces")
    elif namespace:
        where += tr(" for namespace {namespace}", namespace=namespace)
    have = tr("you have {roles}", roles=listed(held)) if held else tr("you have no role there")
    return Refusal(
        reason=tr(
            "To {do} you need the role {roles}{where}; {have}.",
            do=tr(permission.value),
            roles=able,
            where=where,
            have=have,
        )
    )
