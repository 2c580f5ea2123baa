"""Long lines in a fixed-width box go on under their own beginning, in every language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.text import LINE, fold, width

POLICY = "  + policy k8snet-qa-hq: office-hq (internal) → k8s_POD_CIDR, k8s_SERVICE_CIDR (Test), ALL_TCP, ALL_UDP"
CHINESE = "! 策略会把集群的整个服务网段和 Pod 网段向办公网开放（包括其他命名空间）；只有域名解析限于该命名空间，请确认"


def test_what_fits_stays_as_it_is() -> None:
    assert fold("  ✓ k8s-qa-node-03  fine") == ["  ✓ k8s-qa-node-03  fine"]
    assert fold("one\n\n  two") == ["one", "", "  two"]


@pytest.mark.parametrize("line", [POLICY, CHINESE])
def test_a_long_line_is_broken_between_words_and_set_in(line: str) -> None:
    first, second = fold(line)
    assert width(first) <= LINE
    assert second.startswith(" " * (len(line) - len(line.lstrip()) + 4))
    assert "".join((first + second).split()) == "".join(line.split())


def test_a_number_keeps_its_unit_and_a_bracket_its_word() -> None:
    assert fold(f"{'x' * 70} by udp in 27 ms")[1] == "    27 ms"
    assert fold(f"{'错' * 39}（网段）")[1] == "    （网段）"
    assert fold(f"{'错' * 39}误。")[1] == "    误。"


@given(st.text())
def test_nothing_is_lost(line: str) -> None:
    assert "".join("".join(fold(line)).split()) == "".join(line.split())
