"""What the configuration layer answers when it refuses: negative codes, carried by HTTP 500."""

from __future__ import annotations

TABLE_FULL = -4
DUPLICATE_KEY = -5
BAD_ADDRESS = -8
BAD_NETMASK = -9
PERMISSION_DENIED = -14
DUPLICATE_CONTENT = -15
IN_USE = -23
TOO_LONG = -51
EMPTY = -56
BAD_INPUT = -61
RANGE_REVERSED = -73
SERVICE_GROUP_NAME_CLASH = -162
ADDRESS_GROUP_NAME_CLASH = -163
KEY_TOO_LONG = -166
FORBIDDEN_CHARACTER = -173
OUT_OF_RANGE = -650
INVALID_VALUE = -651
EXCLUSIVE = -652
NOT_FOUND = -3
INVALID_ACTION = -10000


class ConfigError(Exception):
    """The configuration layer refused; nothing was changed.

    `code` is the vendor's negative number, `text` the lines its command line would have printed
    before the closing "Command fail" line.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code
        self.text = text

    @property
    def cli_error(self) -> str:
        """The text as FortiOS 7.0 and later put it into the envelope."""
        return f"{self.text}\nCommand fail. Return code {self.code}\n"


class NoSuchRow(Exception):
    """The row in the URL does not exist: HTTP 404, without an error code."""


class NotAllowed(Exception):
    """This method makes no sense at this URL: HTTP 405, without an error code."""


def missing_reference(name: str, code: int) -> ConfigError:
    """The error for a value that names an object which does not exist."""
    return ConfigError(code, f"node_check_object fail! for name {name}\nvalue parse error before '{name}'")


def bad_value(value: object, code: int) -> ConfigError:
    """The error for a value that its attribute cannot hold."""
    return ConfigError(code, f"value parse error before '{value}'")
