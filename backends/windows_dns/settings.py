"""How to reach a Windows DNS server and what to write there."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bot.model.hosts import possible_host
from bot.model.secrets import Secret
from bot.model.value import Value
from bot.model.wording import tr
from bot.model.zones import canonical_zone

Transport = Literal["ntlm", "basic", "kerberos", "credssp", "certificate", "jea"]
_SEALING = ("ntlm", "kerberos", "credssp", "jea")  # transports that can encrypt inside HTTP
Storage = Literal["file", "domain", "forest", "legacy", "custom"]

_EXAMPLE = "https://dc1.corp.example:5986/wsman"
_PLAIN_PORT, _TLS_PORT = 5985, 5986

# How long the server keeps a shell that nobody asks for anything: a process whose shell we could not close ends then,
# and until then the shell occupies one of the account's few places.
IDLE_TIMEOUT_S = 120


class ForwarderDefaults(Value):
    """What a new forwarder is made with when the exposure says nothing else."""

    timeout_s: int = Field(
        default=3,
        ge=1,
        le=15,
        description="Seconds the DNS server waits for one master before it asks the next. With the usual 8 s for"
        " the whole recursion, more than 3 means that the second master is never asked in time.",
    )
    recursion: bool = Field(
        default=False,
        description="Ask the root servers when every master is silent. That leaks private names to the internet"
        " and answers them with a public 'does not exist'.",
    )


class WindowsDnsSettings(Value):
    """One Windows DNS server, reached over WinRM."""

    type: Literal["windows_dns"]
    endpoint: str = Field(
        description=f"The WinRM listener of the DNS server itself, in full: {_EXAMPLE}. Name one server, never a"
        " name shared by several: a forwarder is written and read on exactly this machine.",
    )
    transport: Transport = Field(
        default="ntlm",
        description="How to log in. ntlm works for domain and local accounts and is on by default; basic knows"
        " local accounts only; kerberos, credssp and certificate need the server and this host to be set up. jea is no"
        " shell but an endpoint with a handful of functions, for an account without any other rights.",
    )
    configuration_name: str = Field(
        default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$", description="Name of the JEA endpoint; only with jea."
    )
    jea_login: Literal["ntlm", "kerberos"] = Field(
        default="ntlm", description="How to log in to the JEA endpoint; the settings of kerberos count here, too."
    )
    user: str = Field(
        default="",
        description="CORP\\\\name, name@corp.example or HOST\\\\name; for kerberos name@corp.example, or nothing: then"
        " whoever the keytab or ticket is for. Unused with certificate.",
    )
    password: Secret | None = Field(
        default=None,
        description="{env: NAME} or {file: PATH}; unused with certificate. With kerberos one of `password`,"
        " `keytab_file` and `ticket_cache_file`; without any of them, the tickets of the environment (KRB5CCNAME).",
    )
    keytab_file: Path | None = Field(
        default=None, description="File with the account's Kerberos keys; k8snet then gets its tickets itself."
    )
    ticket_cache_file: Path | None = Field(
        default=None, description="File with a Kerberos ticket that somebody else keeps fresh."
    )
    kerberos_service: Literal["HTTP", "WSMAN", "host"] = Field(
        default="HTTP",
        description="First part of the server's service name. WSMAN where another service on that machine, such as"
        " IIS under an account of its own, has taken HTTP.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file with the authority that signed the listener's certificate, if a private one.",
    )
    certificate_file: Path | None = Field(
        default=None, description="PEM file with the client certificate, for transport certificate."
    )
    certificate_key_file: Path | None = Field(
        default=None, description="PEM file with the key of the client certificate."
    )
    message_encryption: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Encrypt inside HTTP. auto does so exactly where TLS does not, if the transport can.",
    )
    insecure_accept_any_certificate: bool = Field(
        default=False,
        description="DANGEROUS: talk to whoever answers. Anybody on the path can then take over the account.",
    )
    insecure_plain_text: bool = Field(
        default=False,
        description="DANGEROUS: allow basic, or any transport with encryption off, over http. The password or"
        " the whole conversation crosses the network readable.",
    )
    storage: Storage = Field(
        default="file",
        description="Where new forwarders live: file is this server only; domain, forest and legacy put them"
        " into Active Directory with that replication scope, so that the other DNS servers learn them; custom into"
        " `directory_partition`.",
    )
    directory_partition: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*)?$",
        max_length=255,
        description="DNS name of an application directory partition in which this server is enlisted; with storage"
        " custom.",
    )
    delegating_zones: tuple[str, ...] = Field(
        default=(),
        description="Zones this server holds itself and in which the cluster's names are delegated. Without the"
        " delegation it would answer from such a zone instead of forwarding, so forwarders below others are refused.",
    )
    forwarder: ForwarderDefaults = Field(
        default=ForwarderDefaults(), description="Defaults of new forwarders on this server."
    )
    timeout_s: int = Field(
        default=60, ge=1, le=300, description="Seconds after which any one call to this server is over."
    )
    write_limit_s: int = Field(
        default=20,
        ge=1,
        le=25,
        description="Seconds after which the server itself refuses to begin a write that was sent to it. Must"
        " stay below the 30 s after which another instance of k8snet may take an operation over.",
    )

    @field_validator("endpoint")
    @classmethod
    def _full_url(cls, endpoint: str) -> str:
        """WinRM clients guess what is missing, and guess wrongly; so nothing may be missing."""
        try:
            url = urlsplit(endpoint)
            port = url.port
        except ValueError as error:
            raise ValueError(
                tr("no usable URL ({error}); write it as {example}", error=error, example=_EXAMPLE)
            ) from None
        if url.scheme not in ("https", "http"):
            raise ValueError(tr("begins with neither https:// nor http://; write it as {example}", example=_EXAMPLE))
        if not possible_host(url.hostname) or any(character.isspace() for character in endpoint):
            raise ValueError(tr("names no host; write it as {example}", example=_EXAMPLE))
        if url.username is not None or url.password is not None:
            raise ValueError(tr("holds a user or password; they belong in `user` and `password`"))
        if port is None:
            raise ValueError(
                tr("names no port; WinRM listens on 5986 (https) or 5985 (http): {example}", example=_EXAMPLE)
            )
        if (url.scheme, port) in (("https", _PLAIN_PORT), ("http", _TLS_PORT)):
            raise ValueError(
                tr("port {port} does not speak {scheme}; https is on 5986, http on 5985", port=port, scheme=url.scheme)
            )
        if url.path in ("", "/") or url.query or url.fragment:
            raise ValueError(tr("must end in the listener's path, usually /wsman: {example}", example=_EXAMPLE))
        return endpoint

    @field_validator("delegating_zones")
    @classmethod
    def _zone_names(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical_zone(zone) for zone in zones)

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if self.transport == "certificate":
            if not self.tls or self.certificate_file is None or self.certificate_key_file is None:
                raise ValueError(tr("transport certificate needs https, `certificate_file` and `certificate_key_file`"))
        elif self.login == "kerberos":
            self._kerberos_credentials()
        elif not self.user:
            raise ValueError(tr("transport {transport} needs `user`", transport=self.transport))
        elif self.password is None:
            raise ValueError(tr("transport {transport} needs `password`", transport=self.transport))
        if self.login != "kerberos" and (self.keytab_file or self.ticket_cache_file):
            raise ValueError(tr("`keytab_file` and `ticket_cache_file` are for logging in with kerberos"))
        if (self.transport == "jea") != bool(self.configuration_name):
            raise ValueError(tr("transport jea and `configuration_name` (the name of its endpoint) go together"))
        return self

    def _kerberos_credentials(self) -> None:
        given = [self.password, self.keytab_file, self.ticket_cache_file]
        if sum(each is not None for each in given) > 1:
            raise ValueError(tr("kerberos takes one of `password`, `keytab_file` and `ticket_cache_file`"))
        if self.password is not None and not self.user:
            raise ValueError(tr("kerberos with `password` needs `user`"))
        if self.user and not re.fullmatch(r"[^@\\/\s]+@[^@\\/\s]+", self.user):
            raise ValueError(tr("kerberos knows `user` as name@corp.example only"))
        if _is_address(self.host):
            raise ValueError(tr("kerberos knows no addresses: let `endpoint` name the server by its full host name"))

    @model_validator(mode="after")
    def _partition(self) -> Self:
        if (self.storage == "custom") != bool(self.directory_partition):
            raise ValueError(tr("storage custom and `directory_partition` (where the forwarders are kept) go together"))
        return self

    @model_validator(mode="after")
    def _readable_by_nobody_else(self) -> Self:
        encrypts = self.transport in _SEALING
        if self.message_encryption == "always" and not encrypts:
            raise ValueError(
                tr(
                    "transport {transport} cannot encrypt messages: set `message_encryption: auto`",
                    transport=self.transport,
                )
            )
        plain = not self.tls and (not encrypts or self.message_encryption == "never")
        if plain and not self.insecure_plain_text:
            raise ValueError(
                tr(
                    "transport {transport} over http would be readable on the network: use an "
                    "https endpoint, or, in a lab, `insecure_plain_text: true`",
                    transport=self.transport,
                )
            )
        return self

    @property
    def host(self) -> str:
        """The host name or address in `endpoint`, in lower case."""
        return urlsplit(self.endpoint).hostname or ""

    @property
    def login(self) -> Transport:
        """How the account proves itself, to a shell or to an endpoint."""
        return self.jea_login if self.transport == "jea" else self.transport

    @property
    def kerberos_user(self) -> str:
        """`user` with its realm: that of an Active Directory domain is the domain's name in upper case."""
        name, separator, domain = self.user.partition("@")
        return name + separator + domain.upper()

    @property
    def tls(self) -> bool:
        return self.endpoint.startswith("https:")

    @property
    def encrypts_messages(self) -> bool:
        """Whether bodies are sealed inside HTTP."""
        if self.message_encryption == "auto":
            return not self.tls and self.transport in _SEALING
        return self.message_encryption == "always"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
