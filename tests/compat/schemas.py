"""The simulated FortiGate has no attribute, and no value to choose, that the vendor's schema lacks in that release.

The schema is the one that the vendor's Ansible collection carries for each table, with the releases that have a thing.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.fortigate import tables
from lab.fortigate.attributes import Attribute, Version
from lab.fortigate.profile import Profile
from lab.fortigate.table import Table

Known = Mapping[str, Any]
LEFT_OUT = {
    ("firewall/policy", "label"),  # titles of sections in the browser; recordings show them
    ("firewall/policy", "global-label"),
    ("firewall/address", "passive-fqdn-learning"),  # newer than the collection
    ("system/interface", "type"),  # by model rather than by release
}


def strangers(release: str, modules: Path) -> Iterator[str]:
    """What the simulator knows in that release (such as `v7.4.4`) and the vendor does not. `modules` is the folder of
    the collection's modules."""
    for table in tables.ALL:
        module = modules / f"fortios_{re.sub('[/.-]', '_', table.full_name)}.py"
        known = _schema(module.read_text())["children"]
        for attribute in table.at(Profile(release).version).attributes:
            if (table.full_name, attribute.name) not in LEFT_OUT:
                yield from _strange(table, attribute, known.get(attribute.name.replace("-", "_")), release)


def _strange(table: Table, attribute: Attribute, known: Known | None, release: str) -> Iterator[str]:
    version = Profile(release).version
    if known is None or not _has(known, version):
        yield f"{table.full_name} has no {attribute.name} in {release}"
        return
    options = {option["value"] for option in known.get("options", ()) if _has(option, version)}
    for option in set(attribute.options) - options if options else ():
        yield f"{table.full_name} has no {attribute.name} {option} in {release}"


def _schema(source: str) -> Known:
    """The value of `versioned_schema` in a module."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "versioned_schema":
            schema: Known = ast.literal_eval(statement.value)
            return schema
    raise ValueError("the module has no versioned_schema")


def _has(thing: Known, version: Version) -> bool:
    """Whether a release has it: `v_range` are the first and last releases of spans, an empty last one is open."""
    spans = thing.get("v_range", [["v0.0.0", ""]])
    return any(_version(first) <= version and (not last or version <= _version(last)) for first, last in spans)


def _version(text: str) -> Version:
    return Profile(text).version
