"""The scripts as they travel."""

import base64
import json
from typing import get_args

import pytest

from backends.windows_dns import scripts

OPERATIONS = get_args(scripts.Operation)
CMD_LIMIT = 8191


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_script_names_its_operation_first(operation: scripts.Operation) -> None:
    assert scripts.script(operation).splitlines()[0] == f"# op: {operation} v1"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_travels_is_the_script(operation: scripts.Operation) -> None:
    *options, encoded = scripts.arguments(operation)
    assert options == [*scripts.OPTIONS]
    assert base64.b64decode(encoded).decode("utf-16-le") == scripts.script(operation)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_command_line_stays_below_what_cmd_takes(operation: scripts.Operation) -> None:
    line = " ".join((scripts.PROGRAM, *scripts.arguments(operation)))
    assert len(line) <= scripts.MAX_COMMAND_LINE < CMD_LIMIT


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_cmdlet_that_can_fail_stops_and_none_asks(operation: scripts.Operation) -> None:
    for line in scripts.script(operation).splitlines():
        if "-DnsServer" in line and "@a" not in line:
            assert "-ErrorAction Stop" in line, line
        if line.startswith(("Remove-DnsServerZone", "Clear-DnsServerCache")):
            assert "-Force -Confirm:$false" in line, line


@pytest.mark.parametrize("operation", OPERATIONS)
def test_taking_comments_and_indentation_away_changes_no_meaning(operation: scripts.Operation) -> None:
    text = scripts.script(operation)
    for changed_by_it in ("@'", '@"', "<#", "`\n"):
        assert changed_by_it not in text


def test_parameters_survive_as_base64_json() -> None:
    data = {"zone": "a\u2019$(x)\n\0", "masters": ["10.68.0.10"]}
    value = scripts.parameters(data)
    assert json.loads(base64.b64decode(value)) == data
    assert value.isascii()


def test_parameters_that_cannot_travel_are_refused() -> None:
    largest = "x" * (scripts.MAX_PARAMETER_BYTES - len('{"a": ""}'))
    assert len(scripts.parameters({"a": largest})) < 32767
    with pytest.raises(ValueError, match="environment variable"):
        scripts.parameters({"a": largest + "x"})
