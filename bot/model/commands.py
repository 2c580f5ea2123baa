"""The one registry of commands: grammar, permission, help. Slack, the terminal, help and the manifest all read it."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from bot.model.people import Permission
from bot.model.value import Value
from bot.model.wording import marked


class Expose(Value):
    verb: Literal["expose"] = "expose"
    namespace: str
    office: str | None = None
    cluster: str | None = None
    reason: str = ""


class Unexpose(Value):
    verb: Literal["unexpose"] = "unexpose"
    namespace: str
    office: str | None = None
    cluster: str | None = None
    reason: str = ""


class Failover(Value):
    """Move the cluster's routes to another gateway node; without `node`, to the best candidate.

    `incident` is `<incident>.<version>` when a button of an incident asked for it.
    """

    verb: Literal["failover"] = "failover"
    node: str | None = None
    cluster: str | None = None
    reason: str = ""
    incident: str | None = None


class Drill(Value):
    """Move the cluster's routes to another node and back again, and measure what new connections notice of it."""

    verb: Literal["drill"] = "drill"
    node: str | None = None
    cluster: str | None = None
    reason: str = ""


class ClearDnsCache(Value):
    """Make every DNS server of the namespace's offices forget what it remembers; proven by names of the namespace."""

    verb: Literal["clear-dns-cache"] = "clear-dns-cache"
    namespace: str
    cluster: str | None = None
    reason: str = ""


class Check(Value):
    """`name` is as typed, cleaned of what chat clients do to text; what it means is decided with the facts at hand.

    "" is everything that is exposed.
    """

    verb: Literal["check"] = "check"
    name: str = ""
    cluster: str | None = None


class DryPlan(Value):
    verb: Literal["plan"] = "plan"
    namespace: str
    office: str | None = None
    cluster: str | None = None


class Status(Value):
    verb: Literal["status"] = "status"


class ListExposures(Value):
    verb: Literal["list"] = "list"


class History(Value):
    """Changes asked for so far, newest first; of one namespace when it is named."""

    verb: Literal["history"] = "history"
    namespace: str | None = None


class Audit(Value):
    verb: Literal["audit"] = "audit"


class WhoAmI(Value):
    verb: Literal["whoami"] = "whoami"


class Help(Value):
    verb: Literal["help"] = "help"


Change = Annotated[Expose | Unexpose | Failover | Drill | ClearDnsCache, Field(discriminator="verb")]
Question = Check | DryPlan | Status | ListExposures | History | Audit | WhoAmI | Help
Command = Annotated[
    Expose | Unexpose | Failover | Drill | ClearDnsCache | Question,
    Field(discriminator="verb"),
]


class CommandSpec(Value):
    """How a command is typed and who may. `permission` None means everybody; `forms` are what `<what>` can be.

    `without` tells, by preposition, why an option that one might expect is not there.
    """

    verb: str
    usage: str
    summary: str
    permission: Permission | None
    mutating: bool
    forms: tuple[tuple[str, str], ...] = ()
    without: tuple[tuple[str, str], ...] = ()


COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec(
        verb="expose",
        usage=marked("expose <namespace> [from <office>] [on <cluster>] [because …]"),
        summary=marked("make a namespace's services reachable from the office by name"),
        permission=Permission.REQUEST,
        mutating=True,
    ),
    CommandSpec(
        verb="unexpose",
        usage=marked("unexpose <namespace> [from <office>] [on <cluster>] [because …]"),
        summary=marked("take that back; firewall and DNS read as before"),
        permission=Permission.REQUEST,
        mutating=True,
    ),
    CommandSpec(
        verb="failover",
        usage=marked("failover [to <node>] [on <cluster>] [because …]"),
        summary=marked("move the routes to another gateway node, the best one if none is named"),
        permission=Permission.FAIL_OVER,
        mutating=True,
    ),
    CommandSpec(
        verb="drill",
        usage=marked("drill [to <node>] [on <cluster>] [because …]"),
        summary=marked("move the routes to another node and back, and measure what people notice"),
        permission=Permission.FAIL_OVER,
        mutating=True,
    ),
    CommandSpec(
        verb="clear-dns-cache",
        usage=marked("clear-dns-cache <namespace> [on <cluster>] [because …]"),
        summary=marked("make the office's DNS servers forget old answers and ask anew"),
        permission=Permission.REQUEST,
        mutating=True,
        without=(("from", marked("Caches are cleared for every office. Type: {usage}")),),
    ),
    CommandSpec(
        verb="check",
        usage=marked("check [<what>] [on <cluster>]"),
        summary=marked("walk the path to it, or to everything exposed, and name the broken hop"),
        permission=Permission.LOOK,
        mutating=False,
        forms=(
            (marked("<service>.<namespace>[:<port>]"), marked("a service, or one port of it")),
            (marked("<service>.<namespace>.svc.<domain>"), marked("the same, by its full name")),
            (marked("<pod>.<service>.<namespace>"), marked("one pod of a StatefulSet")),
            (marked("<service>"), marked("a service of only one namespace")),
            (marked("<address>[:<port>]"), marked("a service's address, or a pod's")),
            (marked("<namespace>"), marked("all its services")),
            (marked("(nothing)"), marked("everything that is exposed")),
        ),
        without=(("from", marked("`check` looks from every office. Type: {usage}")),),
    ),
    CommandSpec(
        verb="plan",
        usage=marked("plan <namespace> [from <office>] [on <cluster>]"),
        summary=marked("show what expose would change, without asking anybody"),
        permission=Permission.LOOK,
        mutating=False,
    ),
    CommandSpec(
        verb="status",
        usage="status",
        summary=marked("clusters, gateways, incidents, exposures, the last 24 hours; with pictures"),
        permission=Permission.LOOK,
        mutating=False,
    ),
    CommandSpec(
        verb="list",
        usage="list",
        summary=marked("what is exposed, since when, by whom"),
        permission=Permission.LOOK,
        mutating=False,
    ),
    CommandSpec(
        verb="history",
        usage=marked("history [<namespace>]"),
        summary=marked("the latest changes: who asked, who said yes, what came of it"),
        permission=Permission.LOOK,
        mutating=False,
    ),
    CommandSpec(
        verb="audit",
        usage="audit",
        summary=marked("verify the journal's hash chain and its anchor in the audit channel"),
        permission=Permission.LOOK,
        mutating=False,
    ),
    CommandSpec(verb="whoami", usage="whoami", summary=marked("your roles here"), permission=None, mutating=False),
    CommandSpec(verb="help", usage="help", summary=marked("this list"), permission=None, mutating=False),
)

SPEC = {spec.verb: spec for spec in COMMANDS}


# A command's class is its grammar: at most one of these fields is what stands behind the verb, and an option is there
# exactly when its field is. A new option (`for 8h`) is a line here and a field, a new verb a class and its CommandSpec.
SUBJECTS = ("namespace", "name")
OPTIONS = (("to", "node"), ("from", "office"), ("on", "cluster"), ("because", "reason"))


def _types() -> dict[str, type[Value]]:
    types = get_args(get_args(Command)[0])
    return {one.model_fields["verb"].default: one for one in types}


TYPES = _types()


def subject(verb: str) -> str | None:
    """The field of what stands behind the verb, if anything does."""
    return next((field for field in SUBJECTS if field in TYPES[verb].model_fields), None)


def options(verb: str) -> dict[str, str]:
    """By preposition, the field of what stands behind it."""
    return {word: field for word, field in OPTIONS if field in TYPES[verb].model_fields}


def typed(command: Command) -> str:
    """The command as one would type it, for audit lines and cards."""
    words: list[str] = [command.verb]
    for preposition, field in (*(("", field) for field in SUBJECTS), *OPTIONS):
        if value := getattr(command, field, None):
            words += [preposition, value] if preposition else [value]
    return " ".join(words)
