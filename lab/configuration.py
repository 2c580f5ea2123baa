"""A bot's configuration for the lab: the repository's example with the lab's addresses and people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.slack import people
from lab.slack.model import TEAM
from lab.topology import ARTICLE, DNS_SERVER


@dataclass(frozen=True)
class Places:
    """Where everything is for this bot. Secrets come as environment variables, see `bot_settings`."""

    journal: Path
    slack_api: str
    fortigate: str
    fortigate_ca: Path
    windows: str
    windows_ca: Path
    windows_user: str
    kubeconfig: Path
    vantage: str = "direct"
    listen: str | None = None  # where Slack's requests are taken; without it Socket Mode
    locale: str = "en"


def bot_settings(places: Places) -> dict[str, Any]:
    """The content of an app.yaml.

    It expects SLACK_BOT_TOKEN, FORTIGATE_TOKEN, WINRM_PASSWORD and SLACK_APP_TOKEN, or in HTTP mode
    SLACK_SIGNING_SECRET, in the environment.
    """
    dns = ARTICLE.host(DNS_SERVER).address
    dns_leg = next(segment for segment in ARTICLE.segments if dns in segment.network)
    mode = (
        {"mode": "http", "signing_secret": {"env": "SLACK_SIGNING_SECRET"}, "listen": places.listen}
        if places.listen
        else {"app_token": {"env": "SLACK_APP_TOKEN"}}
    )
    return {
        "instance": "lab",
        "locale": places.locale,
        "slack": {
            "team": TEAM,
            "bot_token": {"env": "SLACK_BOT_TOKEN"},
            "audit_channel": people.AUDIT,
            "api_url": places.slack_api,
            **mode,
        },
        "store": {"url": f"sqlite:///{places.journal}"},
        "firewalls": {
            "fw": {
                "type": "fortigate",
                "url": places.fortigate,
                "token": {"env": "FORTIGATE_TOKEN"},
                "tls": {"ca_file": str(places.fortigate_ca)},
                "request_timeout_s": 5,  # also how long a restarted bot waits for what its predecessor sent
            }
        },
        "dns_servers": {
            "dc1": {
                "address": str(dns),
                "interface": dns_leg.interface,
                "server": {
                    "type": "windows_dns",
                    "endpoint": places.windows,
                    "user": places.windows_user,
                    "password": {"env": "WINRM_PASSWORD"},
                    "ca_file": str(places.windows_ca),
                },
            }
        },
        "offices": {
            "hq": {
                "interface": "internal",
                "networks": {"office-hq": str(ARTICLE.segment("internal").network)},
                "dns_servers": ["dc1"],
            }
        },
        "clusters": {
            "qa": {
                "kubernetes": {"kubeconfig": str(places.kubeconfig), "pod_networks": [str(ARTICLE.pod_network)]},
                "firewall": "fw",
                "interface": "Test",
                "gateway": ARTICLE.gateway_node,
                "service_object": "k8s_SERVICE_CIDR",
                "pod_object": "k8s_POD_CIDR",
                "self_confirm": True,
                "watch": {"channel": people.NET_OPS, "oncall": [people.ON_CALL], "fallback": [people.OPERATORS]},
            }
        },
        "roles": [
            {"role": "developer", "users": [f"{TEAM}/{people.DANA}"]},
            {"role": "operator", "groups": [people.OPERATORS]},
            {"role": "oncall", "groups": [people.ON_CALL]},
            {"role": "admin", "groups": [people.ADMINS]},
        ],
        "probes": {"vantage": places.vantage},
    }
