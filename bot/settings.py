"""app.yaml and the environment, read once into frozen settings; every problem is reported at once, with its path."""

import os
import re
import socket
from collections.abc import Hashable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, ValidationError, model_validator

from backends.fortigate.settings import FortiGateSettings
from backends.kubernetes.settings import KubernetesSettings
from backends.oncall.settings import RotationSettings
from backends.probes.settings import ProbeSettings
from backends.store.settings import StoreSettings
from backends.unbound.settings import UnboundSettings
from backends.windows_dns.settings import WindowsDnsSettings
from bot.locales import catalogue
from bot.model.errors import ConfigurationError
from bot.model.people import Grant, Person, RoleName
from bot.model.site import CheckLimits, ClusterSite, DnsServer, Office, Site, WatchSite
from bot.model.value import Value
from bot.model.wording import Locale, speaking, tr, tr_n
from bot.references import contradictions
from bot.validation import described
from handlers.settings import Address, ChannelId, Notified, SlackSettings

# Names become part of object names on devices, of comments and of commands.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$")]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 ._/-]{1,79}$")]
Interface = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]{1,35}$")]


_USER_ID = re.compile(r"[UW][A-Z0-9]+")


def _person(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    team, slash, user = text.partition("/")
    if not (slash and team and _USER_ID.fullmatch(user)):
        raise ValueError(
            tr("{text!r} must be TEAM_ID/USER_ID, such as T0LAB0001/U0OMAR0001: names decide nothing", text=text)
        )
    return {"team": team, "user": user}


GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,}$")]
Instance = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,253}$")]  # a host name, or something like it


class OfficeSettings(Value):
    """A network whose people use the cluster."""

    interface: Interface = Field(description="The firewall interface that this office's packets enter.")
    zone: Interface | None = Field(
        default=None, description="The firewall zone that it is a member of; policies name it."
    )
    networks: dict[ObjectName, IPv4Network] = Field(
        min_length=1, description="Address object name on the firewall -> network; made if missing."
    )
    dns_servers: tuple[Name, ...] = Field(min_length=1, description="The DNS servers that these people's machines ask.")


class DnsServerSettings(Value):
    """A DNS server of the office: what it is on the network, and how to write to it."""

    address: IPv4Address = Field(description="The address it answers on, and from which it asks kube-dns.")
    interface: Interface = Field(description="The firewall interface that its packets enter.")
    zone: Interface | None = Field(
        default=None, description="The firewall zone that it is a member of; policies name it."
    )
    address_object: ObjectName | None = Field(default=None, description="Its address object; k8snet-dns-<name>.")
    server: WindowsDnsSettings | UnboundSettings | None = Field(
        default=None,
        discriminator="type",
        description="How to write to it. A replica is never written to: with `server`, its cache is cleared once it has"
        " learned a change; without, names that it was asked for too early stay unknown there for a while.",
    )
    replica_of: Name | None = Field(
        default=None, description="The DNS server that forwarders are written to and that this one learns them from."
    )
    replication_s: int = Field(
        default=300, ge=0, le=3600, description="Seconds within which a replica has learned a change."
    )

    @model_validator(mode="after")
    def _written_or_learned(self) -> Self:
        if self.server is None and self.replica_of is None:
            raise ValueError(tr("needs `server` (how to write to it) or `replica_of` (whom it learns from)"))
        if self.replica_of is not None and isinstance(self.server, UnboundSettings):
            raise ValueError(tr("an Unbound learns from nobody; leave out `replica_of`"))
        return self


class WatchSettings(Value):
    """The watch over the gateway node, and who is asked when it fails."""

    channel: ChannelId = Field(description="Where people are asked; the bot must be in it.")
    oncall: tuple[Notified, ...] = Field(min_length=1, description="User groups (S…) or people (U…) called first.")
    fallback: tuple[Notified, ...] = Field(default=(), description="Who is called as well when nobody answers.")
    rotation: RotationSettings | None = Field(
        default=None, description="A schedule that tells who is on call; `oncall` is called when it does not."
    )
    escalate_after_s: int = Field(default=300, ge=30, description="How long an answer may take.")
    snooze_s: int = Field(default=1800, ge=60, description="How long Snooze keeps the bot from calling again.")
    interval_s: float = Field(default=2.0, ge=0.5, le=60, description="One look at everything in so many seconds.")
    timeout_s: float = Field(default=1.0, ge=0.1, le=10, description="How long one look waits for an answer.")
    bad: int = Field(default=5, ge=2, description="So many bad looks …")
    window: int = Field(default=8, ge=2, le=60, description="… among the last so many make a failure.")
    auto: bool = Field(default=False, description="Move without a person when the gateway is down in both families.")
    hold_down_s: int = Field(default=600, ge=0, description="After a move, none without a person for so long.")
    moves_per_hour: int = Field(default=2, ge=0, description="So many moves an hour without a person.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.bad > self.window:
            raise ValueError(tr("bad ({bad}) cannot be more than window ({window})", bad=self.bad, window=self.window))
        if self.timeout_s > self.interval_s:
            raise ValueError(
                tr(
                    "timeout_s ({timeout_s:g}) must not be more than interval_s ({interval_s:g})",
                    timeout_s=self.timeout_s,
                    interval_s=self.interval_s,
                )
            )
        return self


class ClusterSettings(Value):
    """A Kubernetes cluster and where it hangs on the firewall."""

    kubernetes: KubernetesSettings
    firewall: Name
    interface: Interface = Field(description="The firewall interface towards the nodes; routes name it.")
    zone: Interface | None = Field(
        default=None, description="The firewall zone that it is a member of; policies name it."
    )
    gateway: str = Field(min_length=1, max_length=253, description="Name of the node that the routes point at.")
    services: tuple[ObjectName, ...] = Field(
        default=("ALL_TCP", "ALL_UDP"), min_length=1, description="Firewall services that the office may use."
    )
    service_object: ObjectName | None = Field(default=None, description="Address object of the service network.")
    pod_object: ObjectName | None = Field(default=None, description="Address object of the pod network.")
    self_confirm: bool = Field(default=False, description="Whether a requester may confirm the own request.")
    canary: str | None = Field(
        default=None, max_length=63, description="Namespace of deploy/kubernetes/canary.yaml; without it no canaries."
    )
    clear_stale_sessions: bool = Field(
        default=False, description="After leaving a dead gateway, make the firewall forget our sessions over it."
    )
    plan_lifetime_s: int = Field(default=1800, ge=60, le=86400, description="How long a plan waits for its yes.")
    channels: tuple[ChannelId, ...] = Field(
        default=(), description="Slack channels it is operated from; all that the bot was invited to."
    )
    availability_s: int = Field(
        default=60,
        ge=0,
        le=900,
        description="Look at each exposure once in so many seconds: its names, and data to its services. 0: never.",
    )
    watch: WatchSettings | None = Field(default=None, description="Watch the gateway node; without it nobody is asked.")


class RoleSettings(Value):
    """These people have this role there."""

    role: RoleName
    users: tuple[Annotated[Person, BeforeValidator(_person)], ...] = ()
    groups: tuple[GroupId, ...] = Field(default=(), description="Slack user-group ids (S…), not handles.")
    clusters: tuple[str, ...] = Field(default=("*",), min_length=1)
    namespaces: tuple[str, ...] = Field(default=("*",), min_length=1)


class HealthSettings(Value):
    """For the supervisor of the process: GET /healthz answers 200, or 503 with the reasons."""

    listen: Address
    metrics: bool = Field(default=False, description="Also serve /metrics, for Prometheus.")


class Settings(Value):
    """Everything of app.yaml."""

    instance: Instance = Field(default_factory=socket.gethostname, description="This bot's name among its replicas.")
    locale: Locale = Field(default="en", description="The language that people are spoken to in.")
    slack: SlackSettings
    store: StoreSettings = StoreSettings()
    firewalls: dict[Name, FortiGateSettings] = Field(min_length=1)
    dns_servers: dict[Name, DnsServerSettings] = Field(min_length=1)
    offices: dict[Name, OfficeSettings] = Field(min_length=1)
    clusters: dict[Name, ClusterSettings] = Field(min_length=1)
    roles: tuple[RoleSettings, ...] = ()
    probes: ProbeSettings = ProbeSettings()
    check: CheckLimits = Field(default=CheckLimits(), description="What one check may cost.")
    health: HealthSettings | None = Field(default=None, description="Where /healthz is served; nowhere.")

    @model_validator(mode="after")
    def _references(self) -> Self:
        problems = list(dict.fromkeys(contradictions(self)))  # some are of every cluster
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def site(self) -> Site:
        """The network as the model sees it."""
        return Site(
            offices=tuple(
                Office(name=name, interface=o.interface, zone=o.zone, networks=o.networks, dns_servers=o.dns_servers)
                for name, o in self.offices.items()
            ),
            dns_servers=tuple(
                DnsServer(
                    name=name,
                    address=server.address,
                    interface=server.interface,
                    zone=server.zone,
                    address_object=server.address_object or f"k8snet-dns-{name}",
                    replica_of=server.replica_of,
                    replication_s=server.replication_s if server.replica_of else 0,
                    forgets=server.replica_of is not None and server.server is not None,
                )
                for name, server in self.dns_servers.items()
            ),
            clusters=tuple(
                ClusterSite(
                    name=name,
                    firewall=cluster.firewall,
                    interface=cluster.interface,
                    zone=cluster.zone,
                    gateway=cluster.gateway,
                    services=cluster.services,
                    service_object=cluster.service_object or f"k8snet-{name}-services",
                    pod_object=cluster.pod_object or f"k8snet-{name}-pods",
                    kube_dns_object=f"k8snet-{name}-kube-dns",
                    policy_prefix=f"k8snet-{name}",
                    self_confirm=cluster.self_confirm,
                    clear_stale_sessions=cluster.clear_stale_sessions,
                    canary=cluster.canary,
                    plan_lifetime_s=cluster.plan_lifetime_s,
                    channels=frozenset(cluster.channels),
                    watch=WatchSite(**cluster.watch.model_dump(exclude={"rotation"})) if cluster.watch else None,
                    availability_s=cluster.availability_s,
                )
                for name, cluster in self.clusters.items()
            ),
            check=self.check,
        )

    def grants(self) -> tuple[Grant, ...]:
        """Who may what."""
        return tuple(
            Grant(
                role=role.role,
                people=frozenset(role.users),
                groups=frozenset(role.groups),
                clusters=role.clusters,
                namespaces=role.namespaces,
            )
            for role in self.roles
        )


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: the first would vanish without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, tr("a list or a mapping cannot be a name"), key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, tr("{key!r} stands here twice", key=key), key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read app.yaml. Raises ConfigurationError with every problem at once; no secret is ever in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else tr("it is not UTF-8 text")
        raise ConfigurationError(
            tr("cannot read {path}: {reason}. Give the file with --config.", path=path, reason=reason)
        ) from None
    try:
        tree = yaml.load(text, _StrictLoader)  # noqa: S506  # a SafeLoader, only stricter
    except yaml.YAMLError as error:
        raise ConfigurationError(tr("{path} is not valid YAML: {error}", path=path, error=error)) from None
    except RecursionError:
        raise ConfigurationError(tr("{path} is nested too deeply.", path=path)) from None
    if not isinstance(tree, dict):
        raise ConfigurationError(
            tr("{path} must be a mapping of settings; see the app.yaml that comes with k8snet.", path=path)
        )
    with speaking(catalogue("zh-CN" if tree.get("locale") == "zh-CN" else "en")):
        return _validated(tree, path, environ)


def _validated(tree: dict[Any, Any], path: Path, environ: Mapping[str, str]) -> Settings:
    missing: dict[str, str] = {}
    resolved = _secrets(tree, "", path.parent, environ, missing)
    problems = [f"{where}: {problem}" for where, problem in missing.items()]
    try:
        settings = Settings.model_validate(resolved)
    except ValidationError as error:
        problems += described(error, missing)
    else:
        if not problems:
            return settings
    lines = "\n".join(f"  {problem}" for problem in problems)
    raise ConfigurationError(
        tr_n(
            "{path} has {count} problem:\n{lines}",
            "{path} has {count} problems:\n{lines}",
            len(problems),
            path=path,
            lines=lines,
        )
    )


def _secrets(
    tree: Any, where: str, base: Path, environ: Mapping[str, str], missing: dict[str, str], above: tuple[int, ...] = ()
) -> Any:
    """The tree with every {env: NAME} and {file: PATH} replaced by the secret; paths are relative to app.yaml.

    `above` are the ids of what this is a part of: an alias may lead back there.
    """
    if id(tree) in above:
        missing[where] = tr("refers to what it is a part of")
        return None

    def part(place: object, value: Any) -> Any:
        return _secrets(value, f"{where}.{place}".lstrip("."), base, environ, missing, (*above, id(tree)))

    match tree:
        case {"env": str() as name, **rest} if not rest:
            if name not in environ:
                missing[where] = tr("the environment has no variable {name}", name=name)
                return SecretStr("")
            return _secret(environ[name].strip("\r\n"), name, where, missing)
        case {"file": str() as name, **rest} if not rest:
            try:
                text = (base / name).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else tr("it is not UTF-8 text")
                missing[where] = tr("cannot read {file}: {reason}", file=base / name, reason=reason)
                return SecretStr("")
            return _secret(text, str(base / name), where, missing)
        case dict():
            return {key: part(key, value) for key, value in tree.items()}
        case list():
            return [part(number, value) for number, value in enumerate(tree)]
        case _:
            return tree


def _secret(value: str, source: str, where: str, missing: dict[str, str]) -> SecretStr:
    if not value:
        missing[where] = tr("{source} is empty", source=source)
    return SecretStr(value)
