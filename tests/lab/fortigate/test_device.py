"""The firewall as an object: state, subscribers, consistency."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lab.fortigate import article, tables
from lab.fortigate.cmdb_reading import default_row
from lab.fortigate.configuration import Configuration
from lab.fortigate.device import Change, Device
from lab.fortigate.errors import ConfigError, NoSuchRow
from lab.fortigate.table import catalogue


@pytest.fixture
def device() -> Device:
    return Device.from_json(article.state("secret"))


def test_state_survives_a_round_trip(device):
    device.create("firewall/address", {"name": "pods", "subnet": "172.20.0.0/16"})
    device.move("firewall/policy", 7, 1, after=False)
    device.update("system/global", "", {"admin-lockout-threshold": 5})
    device.create("system/vdom", {"name": "ignored"})
    dumped = device.to_json()
    again = Device.from_json(json.loads(json.dumps(dumped)))
    assert again.to_json() == dumped
    for name in device.tables:
        if name != "system/vdom":
            assert again.rows(name) == device.rows(name)


def test_groups_may_be_loaded_before_their_members():
    rows = [{"name": "outer", "member": [{"name": "inner"}]}, {"name": "inner", "member": [{"name": "all"}]}]
    device = Device.from_json({"vdoms": {"root": {"firewall/addrgrp": rows}}})
    assert [row["name"] for row in device.rows("firewall/addrgrp")] == ["outer", "inner"]
    with pytest.raises(ConfigError, match="contain itself"):
        device.update("firewall/addrgrp", "inner", {"member": [{"name": "outer"}]})


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"firewall/adress": [{}]}, "firewall/adress, row 1: there is no such table"),
        ({"router/static": [{"gateway": "x"}]}, "router/static, row 1: value parse error before 'x'"),
        ({"firewall/address": [{"name": "a"}, {"comment": "b"}]}, "firewall/address, row 2: Empty value"),
    ],
)
def test_wrong_state_is_located(contents, message):
    with pytest.raises(ValueError, match=message):
        Device.from_json({"vdoms": {"root": contents}})


def test_wrong_version_is_explained():
    with pytest.raises(ValueError, match=r"write it like v7\.4\.4"):
        Device.from_json({"version": "seven"})


def test_subscribers_hear_of_effective_changes_only(device):
    heard: list[Change] = []
    stop = device.subscribe(heard.append)
    device.create("firewall/address", {"name": "pods"})
    device.update("firewall/address", "pods", {"comment": ""})
    device.update("firewall/address", "pods", {"comment": "x"})
    with pytest.raises(ConfigError):
        device.delete("firewall/address", "office")
    with pytest.raises(NoSuchRow):
        device.delete("firewall/address", "nobody")
    device.move("firewall/policy", 2, 1, after=True)
    device.move("firewall/policy", 2, 1, after=False)
    device.set_link("Test", up=False)
    device.set_link("Test", up=False)
    device.load(article.state("other"))
    stop()
    device.delete("firewall/address", "none")
    assert heard == [
        Change("root", "firewall/address", "pods", "create"),
        Change("root", "firewall/address", "pods", "update"),
        Change("root", "firewall/policy", 2, "move"),
        Change("root", "", "Test", "link"),
        Change("", "", "", "load"),
    ]


def test_nested_objects_are_merged_and_shown_whole(device):
    device.update("system/accprofile", "net-assistant", {"sysgrp-permission": {"mnt": "read-write"}})
    [row] = [row for row in device.rows("system/accprofile") if row["name"] == "net-assistant"]
    assert row["sysgrp-permission"] == {"admin": "none", "upd": "none", "cfg": "read", "mnt": "read-write"}
    assert device.update("system/accprofile", "net-assistant", row) is False


@pytest.mark.parametrize("version", [(6, 4, 14), (7, 0, 15), (7, 4, 4), (7, 6, 6)])
def test_every_row_that_is_read_may_be_written_back(version):
    known = catalogue(tables.ALL, version)
    for table in known.values():
        for row in [*table.built_in, {}]:
            shown = table.render(row) if row else default_row(table)
            parsed = table.canonical(table.parse(shown))
            assert table.render(parsed) == shown


def test_a_firewall_as_big_as_they_come_is_quick():
    state = article.state("secret")
    root = state["vdoms"]["root"]
    root["firewall/address"] += [{"name": f"a{i}", "subnet": f"10.{i // 250}.{i % 250}.0/24"} for i in range(5000)]
    root["router/static"] += [
        {"seq-num": i + 10, "dst": f"10.{i // 250}.{i % 250}.0/24", "gateway": "172.16.1.1", "device": "Test"}
        for i in range(2000)
    ]
    template = root["firewall/policy"][0]
    root["firewall/policy"] += [
        {**template, "policyid": 100 + i, "name": f"p{i}", "dstaddr": [{"name": f"a{i % 5000}"}]} for i in range(10000)
    ]
    began = time.process_time()
    device = Device.from_json(state)
    assert len(device.rows("firewall/policy")) == 10007
    assert time.process_time() - began < 10  # about 0.7 s on a desktop; the bound only catches squares


CONCERNED = ("firewall/address", "firewall/addrgrp", "system/interface", "system/zone")
NAMES = ("a", "b", "c", "d")


class Consistency(RuleBasedStateMachine):
    """Whatever is written, in whatever order: references hold, and what was refused changed nothing."""

    def __init__(self):
        super().__init__()
        self.rows = Configuration(
            {name: table for name, table in catalogue(tables.ALL, (7, 4, 4)).items() if name in CONCERNED},
            "seed",
            -651,
        )

    def attempt(self, action):
        before = self.rows.dump()
        try:
            action()
        except (ConfigError, NoSuchRow):
            assert self.rows.dump() == before

    @rule(name=st.sampled_from(NAMES))
    def create_address(self, name):
        self.attempt(lambda: self.rows.create("firewall/address", {"name": name}))

    @rule(name=st.sampled_from(NAMES), members=st.lists(st.sampled_from(NAMES), max_size=3))
    def create_group(self, name, members):
        body = {"name": f"g-{name}", "member": [{"name": member} for member in members]}
        self.attempt(lambda: self.rows.create("firewall/addrgrp", body))

    @rule(name=st.sampled_from(NAMES), members=st.lists(st.sampled_from([*NAMES, "g-a", "g-b"]), max_size=3))
    def change_group(self, name, members):
        body = {"member": [{"name": member} for member in members]}
        self.attempt(lambda: self.rows.update("firewall/addrgrp", f"g-{name}", body))

    @rule(old=st.sampled_from(NAMES), new=st.sampled_from(NAMES))
    def rename_address(self, old, new):
        self.attempt(lambda: self.rows.update("firewall/address", old, {"name": new}))

    @rule(name=st.sampled_from([*NAMES]))
    def delete_address(self, name):
        self.attempt(lambda: self.rows.delete("firewall/address", name))

    @rule(name=st.sampled_from([*NAMES]))
    def delete_group(self, name):
        self.attempt(lambda: self.rows.delete("firewall/addrgrp", f"g-{name}"))

    @invariant()
    def references_hold(self):
        named = {}
        for row in self.rows.rows("firewall/addrgrp").values():
            for member in row.get("member", ()):
                named[member["name"]] = named.get(member["name"], 0) + 1
        for table in ("firewall/address", "firewall/addrgrp"):
            for key in self.rows.rows(table):
                assert self.rows.reference_count(table, key) == named.pop(key, 0)
        assert named == {}


Consistency.TestCase.settings = settings(max_examples=40)
TestConsistency = Consistency.TestCase
