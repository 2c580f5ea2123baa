"""Names of the Kubernetes world, checked before anything is looked up or sent."""

import re
from ipaddress import IPv4Address

from bot.model.errors import UserError
from bot.model.value import Value
from bot.model.wording import marked, tr

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_label(text: str) -> bool:
    """A DNS label as RFC 1123 and Kubernetes namespaces have it: lower case, at most 63 characters."""
    return _LABEL.fullmatch(text) is not None


def namespace(text: str) -> str:
    """The text, if it can be a namespace. Raises UserError that says what is wrong with it."""
    if is_label(text):
        return text
    raise UserError(
        tr(
            "{text!r} cannot be a namespace: use lower-case letters, digits and -, at most "
            "63 characters, beginning and ending with a letter or digit.",
            text=text[:80],
        )
    )


class Asked(Value):
    """What somebody wants checked, as far as the text alone tells.

    Nothing set means everything that is exposed. `word` alone can be a service or a namespace: only the cluster's
    facts tell. `domain` is the cluster domain that was typed with a full name.
    """

    word: str | None = None
    name: str | None = None
    namespace: str | None = None
    host: str | None = None
    address: IPv4Address | None = None
    port: int | None = None
    domain: str | None = None


def asked(text: str) -> Asked:
    """Understand `service.namespace`, `pod.service.namespace`, full names, addresses, `*.namespace`, a bare word and
    nothing, each but the last with an optional `:port`. Raises UserError that says what is wrong and what would do.
    """
    host, colon, port_text = text.strip().partition(":")
    port = _port(port_text) if colon else None
    host = host.rstrip(".").lower()
    if not host:
        if text.strip():
            raise UserError(tr("{text!r} is not a service name: {forms}.", text=text[:80], forms=tr(_FORMS)))
        return Asked()
    if _LOOKS_LIKE_ADDRESS.fullmatch(host):
        return Asked(address=_address(host), port=port)
    host, separator, domain = f"{host}.".partition(".svc.")
    labels = host.rstrip(".").split(".")
    if labels[0] == "*" and len(labels) == 2 and is_label(labels[1]) and port is None:
        return Asked(namespace=labels[1])
    if not 1 <= len(labels) <= 3 or not all(is_label(label) for label in labels):
        raise UserError(tr("{text!r} is not a service name of a cluster: {forms}.", text=text[:80], forms=tr(_FORMS)))
    if len(labels) == 1:
        if separator:
            raise UserError(
                tr(
                    "{text!r} has no service in front of the namespace. For all services: *.{namespace}",
                    text=text[:80],
                    namespace=labels[0],
                )
            )
        return Asked(word=labels[0], port=port)
    pod, name, namespace_ = labels if len(labels) == 3 else (None, *labels)
    return Asked(host=pod, name=name, namespace=namespace_, port=port, domain=domain.rstrip(".") or None)


_FORMS = marked(
    "write <service>.<namespace>[:port], such as redis.default:6379, <pod>.<service>.<namespace>, a cluster's "
    "address, a namespace, or nothing for everything that is exposed"
)
_LOOKS_LIKE_ADDRESS = re.compile(r"[0-9.]+(/[0-9]+)?")


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= len("65535") and 0 < int(text) < 65536:
        return int(text)
    raise UserError(tr("{text!r} is not a port: write a number from 1 to 65535 after the colon.", text=text[:20]))


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError:
        raise UserError(
            tr("{text!r} is not an IPv4 address; networks are not checked, single addresses are.", text=text[:40])
        ) from None
