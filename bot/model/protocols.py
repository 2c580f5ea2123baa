"""Which application protocol a service port speaks, told by its name first and its number second."""

from bot.model.facts import ServicePort

_BY_NAME = ("redis", "https", "http", "amqp", "dns")
_BY_NUMBER = {53: "dns", 80: "http", 443: "https", 5672: "amqp", 6379: "redis", 6443: "https", 8080: "http"}


def spoken_on(port: ServicePort) -> str:
    """A word that `Prober.connect` can speak, or "" when nothing tells.

    Kubernetes names ports `<protocol>[-<suffix>]` by convention, so a name like `http-metrics` counts.
    """
    head = port.name.split("-")[0].lower()
    if head in _BY_NAME:
        return head
    return _BY_NUMBER.get(port.port, "")
