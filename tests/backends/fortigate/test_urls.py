"""No address can name a table where a row is meant."""

from urllib.parse import parse_qsl

import pytest

from backends.fortigate.urls import RowUrl, TableUrl, between, lookups, query_string


@pytest.mark.parametrize("key", ["", " ", ".", "..", "0", 0, -1])
def test_a_row_without_a_key_cannot_be_named(key: str | int) -> None:
    with pytest.raises(ValueError, match="is not a row"):
        RowUrl("firewall/address", key)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a/b", "/api/v2/cmdb/firewall/address/a%2Fb"),
        ("../policy", "/api/v2/cmdb/firewall/address/..%2Fpolicy"),
        ("a b?c#d%e", "/api/v2/cmdb/firewall/address/a%20b%3Fc%23d%25e"),
        ("ü", "/api/v2/cmdb/firewall/address/%C3%BC"),
        (7, "/api/v2/cmdb/firewall/address/7"),
    ],
)
def test_nothing_in_a_key_is_left_with_a_meaning(key: str | int, path: str) -> None:
    assert RowUrl("firewall/address", key).path == path


def test_a_row_lies_below_its_table() -> None:
    assert RowUrl("router/static", 1).path == TableUrl("router/static").path + "/1"


def test_a_comma_in_a_value_is_no_or() -> None:
    """Also an encoded comma separates alternatives, so such a value never gets into a filter."""
    queries = list(lookups("name", ["a", "a,b", "c&d=="]))
    assert queries == [(("key", "name"), ("pattern", "a,b")), (("filter", "name==a,name==c%26d%3D%3D"),)]
    assert query_string(queries[0]) == "key=name&pattern=a%2Cb"


def test_long_filters_are_divided_and_lose_nothing() -> None:
    names = [f"address-{number:04}" for number in range(500)]
    filters = [query[0][1] for query in lookups("name", names)]
    assert all(len(text) <= 2000 for text in filters)
    assert [part.removeprefix("name==") for text in filters for part in text.split(",")] == names


def test_a_query_is_encoded_once_and_blanks_are_no_plus_signs() -> None:
    [lookup] = lookups("dst", ["10.68.0.0 255.255.0.0"])
    query = query_string((("vdom", "root"), *lookup, ("format", "seq-num|dst")))
    assert query == "vdom=root&filter=dst==10.68.0.0%20255.255.0.0&format=seq-num%7Cdst"
    assert parse_qsl(query)[1] == ("filter", "dst==10.68.0.0 255.255.0.0")


def test_a_range_is_two_filters_that_must_both_hold() -> None:
    assert query_string(between("policyid", 1, 9)) == "filter=policyid%3E=1&filter=policyid%3C=9"
