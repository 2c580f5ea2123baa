"""app.yaml: the example is complete and true, and every mistake is named with its path, all at once."""

import re
from pathlib import Path

import pytest
import yaml

from bot.model.errors import ConfigurationError
from bot.model.wording import spoken
from bot.settings import Settings, load

EXAMPLE = Path(__file__).parent.parent / "app.yaml"
ENVIRON = {
    "SLACK_BOT_TOKEN": "xoxb-the-bot-token",
    "TWO_LINES": "xoxb-the-bot\ntoken",
    "SLACK_APP_TOKEN": "xapp-the-app-token",
    "FORTIGATE_TOKEN": "fortigate-secret-token",
    "WINRM_PASSWORD": "windows secret password",
}


def problems(tmp_path: Path, change: dict[str, object] | str, environ: dict[str, str] = ENVIRON) -> str:
    """What loading the example says after a change: `{"path.to.key": value}`, or a whole text."""
    text = change if isinstance(change, str) else None
    if text is None:
        tree = yaml.safe_load(EXAMPLE.read_text())
        for path, value in change.items():
            *parents, last = path.split(".")
            place = tree
            for parent in parents:
                place = place[parent]
            place[last] = value
        text = yaml.safe_dump(tree)
    file = tmp_path / "app.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load(file, environ)
    for secret in environ.values():
        assert secret not in str(refused.value)
    return str(refused.value)


def test_the_example_is_the_articles_network() -> None:
    site = load(EXAMPLE, ENVIRON).site()
    assert str(site.offices[0].networks["office-hq"]) == "172.16.0.0/24"
    assert str(site.dns_servers[0].address) == "172.16.2.3"
    assert (site.clusters[0].interface, site.clusters[0].gateway) == ("Test", "k8s-qa-node-02")


def test_the_example_names_every_setting_there_is() -> None:
    text = EXAMPLE.read_text()
    missing = [name for name in _setting_names(Settings.model_json_schema()) if not re.search(rf"\b{name}:", text)]
    assert missing == []


def _setting_names(schema: dict[str, object]) -> set[str]:
    names: set[str] = set()
    for part in (schema, *schema.get("$defs", {}).values()):
        if part.get("title") not in ("Person", "Listen"):  # written as one text
            names |= set(part.get("properties", {}))
    return names


def test_all_problems_come_at_once_with_their_paths(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        {
            "clusters.qa.gatway": "typo",
            "firewalls.fw.url": "http://172.16.2.254",
            "offices.hq.networks": {"office-hq": "172.16.0.300/24"},
            "slack.bot_token": {"env": "NOT_THERE"},
            "dns_servers.dc1.server.password": {"file": "nowhere"},
        },
    )
    assert "has 5 problems" in said
    assert "clusters.qa.gatway: there is no such setting; check the spelling" in said
    assert "firewalls.fw.url: 'http://172.16.2.254' must start with https://" in said
    assert "offices.hq.networks.office-hq:" in said
    assert "slack.bot_token: the environment has no variable NOT_THERE" in said
    assert "dns_servers.dc1.server.password: cannot read" in said


HQ: dict[str, object] = {
    "interface": "internal",
    "networks": {"office-hq": "172.16.0.0/24"},
    "dns_servers": ["dc1"],
}
BRANCH = {**HQ, "networks": {"office-hq": "172.17.0.0/24"}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"offices.hq.dns_servers": ["dc9"]}, "offices.hq.dns_servers: there is no dns_servers.dc9"),
        ({"clusters.qa.firewall": "wall"}, "clusters.qa.firewall: there is no firewalls.wall"),
        ({"slack.bot_token": "xoxb-plain"}, "a secret does not belong in this file"),
        ({"slack.app_token": {"env": "SLACK_BOT_TOKEN"}}, "slack.app_token: must begin with xapp-"),
        ({"slack.bot_token": {"env": "TWO_LINES"}}, "slack.bot_token: the token is empty or has blanks, line ends or"),
        ({"roles": [{"role": "king"}]}, "roles.0.role:"),
        ({"roles": [{"role": "admin", "users": ["omar"]}]}, "must be TEAM_ID/USER_ID"),
        ({"roles": [{"role": "admin", "users": ["T9/U1"]}]}, "T9/U1 is not of workspace T0ACME0001"),
        ({"roles": [{"role": "admin", "users": ["T0ACME0001/@omar"]}]}, "must be TEAM_ID/USER_ID"),
        ({"roles": [{"role": "admin", "groups": ["net-ops"]}]}, "roles.0.groups.0:"),
        (
            {"roles": [{"role": "admin", "groups": ["S0ADMIN01"], "clusters": ["qqa"]}]},
            "roles.0.clusters: no cluster is called qqa",
        ),
        ({"roles": [{"role": "admin", "groups": ["S0ADMIN01"], "clusters": []}]}, "roles.0.clusters:"),
        ({"instance": ""}, "instance:"),
        ({"instance": "a\nb"}, "instance:"),
        (
            {"offices": {"hq": HQ, "branch": BRANCH}},
            "object office-hq stands for 172.17.0.0/24 (offices.branch) and for 172.16.0.0/24 (offices.hq)",
        ),
        ({"clusters.qa.pod_object": "k8s_SERVICE_CIDR"}, "address object k8s_SERVICE_CIDR stands for"),
        ({"clusters.qa.pod_object": "office-hq"}, "address object office-hq stands for"),
        ({"dns_servers.dc1.address_object": "office-hq"}, "address object office-hq stands for"),
        ({"dns_servers.dc1.address_object": "k8snet-qa-kube-dns"}, "address object k8snet-qa-kube-dns stands for"),
        ({"offices": {"dns-dc1": HQ}}, "clusters.qa: the policies of office dns-dc1 and of DNS server dc1 would both"),
        ({"clusters": {}}, "clusters:"),
        ({"store": {"url": "mysql://x"}}, "the URL must begin with sqlite:///"),
        ("slack: [", "is not valid YAML"),
        ("slack: {}\nslack: {}\n", "'slack' stands here twice"),
        ("? [a, b]\n: c\n", "is not valid YAML"),
        ("slack: &slack {team: *slack}\n", "slack.team: refers to what it is a part of"),
        ("[" * 3000, "is nested too deeply"),
        ("- a list\n", "must be a mapping"),
        ("", "must be a mapping"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: dict[str, object] | str, says: str) -> None:
    assert says in problems(tmp_path, change)


UNBOUND = {
    "type": "unbound",
    "endpoint": "172.16.2.4:8953",
    "server_certificate_file": "unbound_server.pem",
    "certificate_file": "unbound_control.pem",
    "certificate_key_file": "unbound_control.key",
}


WINDOWS = {
    "type": "windows_dns",
    "endpoint": "https://dc2.corp.example:5986/wsman",
    "user": "k8snet",
    "password": {"env": "WINRM_PASSWORD"},
}


def dc2(**settings: object) -> dict[str, object]:
    return {"dns_servers.dc2": {"address": "172.16.2.4", "interface": "dmz", **settings}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dc2(), "dns_servers.dc2: needs `server` (how to write to it) or `replica_of`"),
        (dc2(server=UNBOUND, replica_of="dc1"), "dns_servers.dc2: an Unbound learns from nobody"),
        (dc2(replica_of="dc9"), "dns_servers.dc2.replica_of: there is no dns_servers.dc9"),
        (dc2(replica_of="dc2"), "dns_servers.dc2.replica_of: dc2 is a replica itself"),
        (dc2(server=WINDOWS, replica_of="dc2"), "dns_servers.dc2.replica_of: dc2 is a replica itself"),
        (dc2(replica_of="dc1"), "dc1 keeps forwarders to itself; set dns_servers.dc1.server.storage to domain"),
        (dc2(server={**UNBOUND, "endpoint": "dc2"}), "dns_servers.dc2.server.unbound.endpoint: must be host:port"),
        (dc2(server={"type": "bind"}), "dns_servers.dc2.server:"),
        (
            {"dns_servers.dc1.server": UNBOUND, **dc2(replica_of="dc1")},
            "dns_servers.dc2.replica_of: dc1 is an Unbound, which tells nobody",
        ),
    ],
)
def test_a_dns_server_is_written_to_or_learns_from_one(tmp_path: Path, change: dict[str, object], says: str) -> None:
    assert says in problems(tmp_path, change)


def test_a_replica_whose_cache_can_be_cleared_forgets(tmp_path: Path) -> None:
    tree = yaml.safe_load(EXAMPLE.read_text())
    servers = tree["dns_servers"]
    servers["dc1"]["server"]["storage"] = "domain"
    servers["dc2"] = {"address": "172.16.2.4", "interface": "dmz", "replica_of": "dc1", "server": WINDOWS}
    tree["offices"]["hq"]["dns_servers"] = ["dc1", "dc2"]
    (tmp_path / "app.yaml").write_text(yaml.safe_dump(tree))
    site = load(tmp_path / "app.yaml", ENVIRON).site()
    assert [(server.name, server.target, server.forgets) for server in site.dns_servers] == [
        ("dc1", "dc1", False),
        ("dc2", "dc1", True),
    ]


def test_a_replica_and_an_unbound_can_stand_beside_a_windows_server(tmp_path: Path) -> None:
    tree = yaml.safe_load(EXAMPLE.read_text())
    servers = tree["dns_servers"]
    servers["dc1"]["server"]["storage"] = "domain"
    servers["dc2"] = {"address": "172.16.2.4", "interface": "dmz", "replica_of": "dc1"}
    servers["ns1"] = {"address": "172.16.2.5", "interface": "dmz", "server": UNBOUND}
    tree["offices"]["hq"]["dns_servers"] = ["dc1", "dc2", "ns1"]
    (tmp_path / "app.yaml").write_text(yaml.safe_dump(tree))
    site = load(tmp_path / "app.yaml", ENVIRON).site()
    assert [(server.name, server.target, server.replication_s) for server in site.dns_servers] == [
        ("dc1", "dc1", 0),
        ("dc2", "dc1", 300),
        ("ns1", "ns1", 0),
    ]


def test_mistakes_are_named_in_the_language_that_the_file_asks_for(tmp_path: Path) -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != "WINRM_PASSWORD"}
    text = problems(tmp_path, {"locale": "zh-CN", "slack.mode": "http"}, environ)
    assert "有 2 个问题" in text
    assert "dns_servers.dc1.server.password: 环境中没有变量 WINRM_PASSWORD" in text
    assert "slack.signing_secret：缺失" in text
    said = problems(tmp_path, {"locale": "zh-CN", "store": {"url": 7}, "clusters.qa.plan_lifetime_s": 0, "probes": 1})
    assert "clusters.qa.plan_lifetime_s: 应大于或等于" in said
    assert "Input" not in said
    assert spoken() == "en", "only what was said about the file is in its language"


def test_a_missing_file_says_how_to_give_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*nowhere.yaml: No such file.*--config"):
        load(tmp_path / "nowhere.yaml", ENVIRON)


def test_networks_that_offices_share_may_have_one_name(tmp_path: Path) -> None:
    tree = yaml.safe_load(EXAMPLE.read_text())
    tree["offices"] = {"hq": HQ, "branch": HQ}
    (tmp_path / "app.yaml").write_text(yaml.safe_dump(tree))
    assert len(load(tmp_path / "app.yaml", ENVIRON).offices) == 2


def test_what_stands_in_several_places_can_be_written_once(tmp_path: Path) -> None:
    text = EXAMPLE.read_text() + "\nprobes_of_all: &probes {vantage: direct}\n"
    text = text.replace("probes:\n  vantage: direct", "probes:\n  <<: {vantage: direct}").replace("probes_of_all", "#")
    (tmp_path / "app.yaml").write_text(text)
    assert load(tmp_path / "app.yaml", ENVIRON).probes.vantage == "direct"


@pytest.mark.parametrize("value", ["", "\n"])
def test_an_empty_secret_is_none(tmp_path: Path, value: str) -> None:
    (tmp_path / "empty").write_text(value)
    environ = {name: secret for name, secret in ENVIRON.items() if name != "WINRM_PASSWORD"}
    (tmp_path / "app.yaml").write_text(EXAMPLE.read_text())
    with pytest.raises(ConfigurationError, match="password: WINRM_PASSWORD is empty"):
        load(tmp_path / "app.yaml", {**environ, "WINRM_PASSWORD": value})
    said = problems(tmp_path, {"slack.app_token": {"file": str(tmp_path / "empty")}})
    assert "slack.app_token:" in said
    assert "empty is empty" in said


def test_a_line_end_behind_a_secret_is_no_part_of_it(tmp_path: Path) -> None:
    settings = load(EXAMPLE, {**ENVIRON, "SLACK_BOT_TOKEN": "xoxb-the-bot-token\r\n"})
    assert settings.slack.bot_token.get_secret_value() == "xoxb-the-bot-token"


def test_an_office_whose_policy_a_firewall_cannot_name_is_named(tmp_path: Path) -> None:
    tree = yaml.safe_load(EXAMPLE.read_text())
    tree["clusters"]["a-long-cluster1"] = tree["clusters"].pop("qa")
    tree["offices"]["a-long-office-1"] = tree["offices"].pop("hq")
    said = problems(tmp_path, yaml.safe_dump(tree))
    assert "clusters.a-long-cluster1, offices.a-long-office-1: a policy name would have 38 characters" in said


def test_a_long_pair_of_names_that_a_firewall_cannot_hold_is_named(tmp_path: Path) -> None:
    tree = yaml.safe_load(EXAMPLE.read_text())
    tree["clusters"]["a-long-cluster"] = tree["clusters"].pop("qa")
    tree["dns_servers"]["a-long-server-1"] = tree["dns_servers"].pop("dc1")
    tree["offices"]["hq"]["dns_servers"] = ["a-long-server-1"]
    assert "a policy name would have 41 characters, FortiOS allows 35" in problems(tmp_path, yaml.safe_dump(tree))


def test_no_secret_shows_when_settings_are_printed() -> None:
    printed = repr(load(EXAMPLE, ENVIRON)) + str(load(EXAMPLE, ENVIRON).model_dump())
    assert not any(secret in printed for secret in ENVIRON.values())
