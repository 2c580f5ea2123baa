"""Who may do what: bearer tokens with RBAC rules."""

import hmac
from dataclasses import dataclass
from typing import Self

from lab.cluster.resources import Json

ANONYMOUS = "system:anonymous"
PUBLIC_PATHS = frozenset({"/version", "/healthz", "/livez", "/readyz"})
"""Open to everybody by the default role ``system:public-info-viewer``."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a request wants: a verb on a resource, of one namespace (or of all) and perhaps one name."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a ClusterRole, or of a Role when it has a namespace. ``*`` stands for everything."""

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    names: frozenset[str] = frozenset()
    namespace: str = ""

    @classmethod
    def load(cls, document: Json) -> Self:
        return cls(
            groups=frozenset(document.get("apiGroups", [""])),
            resources=frozenset(document["resources"]),
            verbs=frozenset(document["verbs"]),
            names=frozenset(document.get("resourceNames", [])),
            namespace=document.get("namespace", ""),
        )

    def dump(self) -> Json:
        document: Json = {
            "apiGroups": sorted(self.groups),
            "resources": sorted(self.resources),
            "verbs": sorted(self.verbs),
        }
        if self.names:
            document["resourceNames"] = sorted(self.names)
        if self.namespace:
            document["namespace"] = self.namespace
        return document

    def allows(self, attempt: Attempt) -> bool:
        return (
            bool(self.groups & {"*", attempt.group})
            and bool(self.resources & {"*", attempt.resource})
            and bool(self.verbs & {"*", attempt.verb})
            and (not self.names or attempt.name in self.names)
            and self.namespace in ("", attempt.namespace)
        )


@dataclass(frozen=True, slots=True)
class Account:
    """The user behind a token."""

    user: str
    token: str
    rules: tuple[Rule, ...]

    @classmethod
    def load(cls, document: Json) -> Self:
        rules = tuple(Rule.load(rule) for rule in document.get("rules", []))
        return cls(document["user"], document["token"], rules)

    def dump(self) -> Json:
        return {"user": self.user, "token": self.token, "rules": [rule.dump() for rule in self.rules]}

    def allows(self, attempt: Attempt) -> bool:
        return any(rule.allows(attempt) for rule in self.rules)

    def __repr__(self) -> str:
        return f"Account(user={self.user!r})"


NOBODY = Account(ANONYMOUS, "", ())


def account_of(header: str | None, accounts: list[Account]) -> Account | None:
    """The account that an Authorization header proves: `NOBODY` without one, None when the token is wrong."""
    if not header:
        return NOBODY
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    candidate = token.strip().encode()
    return next((a for a in accounts if hmac.compare_digest(a.token.encode(), candidate)), None)


_READ = ["get", "list", "watch"]
READER_RULES: tuple[Json, ...] = (
    {"apiGroups": [""], "resources": ["nodes", "namespaces", "services"], "verbs": _READ},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["servicecidrs", "networkpolicies"], "verbs": _READ},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": _READ,
        "namespace": "kube-node-lease",
    },
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get"],
        "resourceNames": ["coredns", "kube-proxy", "kubeadm-config"],
        "namespace": "kube-system",
    },
)
"""The least that a reader of services and nodes needs: no secret, no pod, no write."""


def reader(token: str, user: str = "system:serviceaccount:kube-system:office-bridge-reader") -> Account:
    """An account with exactly `READER_RULES`."""
    return Account.load({"user": user, "token": token, "rules": list(READER_RULES)})
