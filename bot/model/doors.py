"""Where the data path is knocked at."""

from ipaddress import IPv4Address

from bot.model.value import Value


class Door(Value):
    """One place to knock at: a TCP port, and the protocol that is spoken there."""

    label: str
    address: IPv4Address
    port: int
    speak: str
