"""What a simulated server is made of, as values that travel as JSON. The cache is not part of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ZoneType = Literal["Primary", "Secondary", "Stub", "Forwarder"]
Scope = Literal["None", "Domain", "Forest", "Legacy", "Custom"]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Zone(_Value):
    """A zone of the table. `records` are zone-file lines relative to the zone: `www 300 A 192.0.2.1`.

    `timeout` is ForwarderTimeout in seconds. `masters` keep their order.
    """

    name: str
    type: ZoneType = "Forwarder"
    masters: list[str] = Field(default_factory=list)
    timeout: int = 5
    use_recursion: bool = False
    ds_integrated: bool = False
    scope: Scope = "None"
    partition: str | None = None
    auto_created: bool = False
    records: list[str] = Field(default_factory=list)


class Account(_Value):
    """Somebody who may log on. A domain account has the form `CORP\\name` or `name@corp.example`.

    `shell`: may open a WinRS shell (Administrators by default). `dns`: rights on the DNS server.
    """

    user: str
    password: str
    shell: bool = True
    dns: Literal["none", "read", "write"] = "write"

    @property
    def domain_account(self) -> bool:
        return "\\" in self.user or "@" in self.user


class CertificateMapping(_Value):
    """An entry of `winrm/config/service/certmapping`: whoever shows such a certificate is this local account.

    `issuer` is the SHA-1 thumbprint of an authority in the certificate's chain, `subject` a pattern for the user
    principal name in its subject alternative name (`*` stands for anything).
    """

    issuer: str
    subject: str
    user: str
    enabled: bool = True


class Settings(_Value):
    """Everything that an administrator, or the age of the machine, decides."""

    hostname: str = "DC1"
    domain: str = "corp.example"
    language: Literal["en-US", "de-DE"] = "en-US"
    addresses: list[str] = Field(default_factory=lambda: ["127.0.0.1", "::1"])
    # Active Directory
    has_directory: bool = True
    partitions: list[str] = Field(default_factory=list)
    # DNS
    dns_service: Literal["running", "stopped", "absent"] = "running"
    forwarders: list[str] = Field(default_factory=list)
    forwarders_timeout: int = 3
    use_root_hints: bool = True
    root_hints: Literal["nxdomain", "silent"] = "nxdomain"
    recursion: bool = True
    recursion_timeout: float = 8
    jitter: float = 0.5
    max_cache_ttl: int = 86400
    max_negative_ttl: int = 900
    edns_payload: int = 4000
    edns_probes: bool = True
    client_timeout: float = 12
    suffixes: list[str] = Field(default_factory=list)
    duplicate_code: Literal[9609, 9619] = 9609
    # Accounts: wrong passwords within so many seconds that lock one, for as long; 0, as in a new domain: never
    lockout_threshold: int = 0
    lockout_window: float = 1800
    # Windows Remote Management
    auth_basic: bool = True
    auth_ntlm: bool = True
    # Kerberos takes a place in a realm: a file with the keys of this machine's services. None: not in one.
    keytab: str | None = None
    auth_credssp: bool = False
    auth_certificate: bool = False
    client_authorities: list[str] = Field(default_factory=list)  # PEM; whose client certificates are believed
    certificate_mappings: list[CertificateMapping] = Field(default_factory=list)
    channel_bindings: Literal["none", "relaxed", "strict"] = "relaxed"  # CbtHardeningLevel
    allow_unencrypted: bool = False
    max_shells_per_user: int = 30
    max_operations_per_user: int = 1500
    idle_timeout: float = 7200
    shell_details: bool = True
    output_piece: int = 4096
    strict_markers: bool = True


def automatic_zones() -> list[Zone]:
    """What every server has from the first start."""
    reverse = [Zone(name=f"{octet}.in-addr.arpa", type="Primary", auto_created=True) for octet in (0, 127, 255)]
    return [*reverse, Zone(name="TrustAnchors", type="Primary")]


class State(_Value):
    settings: Settings = Field(default_factory=Settings)
    zones: list[Zone] = Field(default_factory=automatic_zones)
    accounts: list[Account] = Field(default_factory=list)

    @classmethod
    def from_json(cls, document: dict[str, Any] | str) -> State:
        """Raises pydantic.ValidationError naming every wrong or unknown field."""
        return cls.model_validate_json(document) if isinstance(document, str) else cls.model_validate(document)

    def to_json(self) -> dict[str, Any]:
        """Passwords included: it is made-up data, and a dump has to be loadable."""
        return self.model_dump(mode="json")


def article_state() -> State:
    """A domain controller of an office: its own zone with a few hosts, and nothing forwarded yet."""
    records = [
        "@ 3600 SOA dc1.corp.example. hostmaster.corp.example. 1 900 600 86400 3600",
        "@ 3600 NS dc1.corp.example.",
        "dc1 3600 A 172.16.0.53",
        "fileserver 3600 A 172.16.0.20",
        "intranet 3600 CNAME fileserver",
        "pc-ana 1200 A 172.16.0.10",
    ]
    zone = Zone(name="corp.example", type="Primary", ds_integrated=True, scope="Domain", records=records)
    msdcs = Zone(name="_msdcs.corp.example", type="Primary", ds_integrated=True, scope="Forest")
    return State(zones=[*automatic_zones(), zone, msdcs])
