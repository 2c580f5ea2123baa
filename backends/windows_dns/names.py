"""What may be sent to a Windows DNS server as a forwarder; everything else is refused with the reason."""

from backends.windows_dns.settings import ForwarderDefaults
from bot.model.resources import Forwarder
from bot.model.wording import tr
from bot.model.zones import canonical_zone, refuse_masters

MAX_MASTERS = 16
MAX_TIMEOUT_S = 15  # the largest value Add-DnsServerConditionalForwarderZone takes


def canonical_forwarder(wish: Forwarder, server: str = "", defaults: ForwarderDefaults | None = None) -> Forwarder:
    """The forwarder as it will read back, without a mark: there is no place for one. Raises ValueError.

    What the wish leaves open comes from `defaults`. `server` is the DNS server's own host name or address as far as
    we know it.
    """
    zone = canonical_zone(wish.zone)
    refuse_masters(zone, wish.masters, server, MAX_MASTERS)
    open_fields = {} if defaults is None else defaults.model_dump(exclude=wish.model_fields_set)
    whole = wish.model_copy(update={"zone": zone, "mark": None, **open_fields})
    if not 1 <= whole.timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(
            tr(
                "zone {zone}: a forwarder timeout of {timeout_s} s; Windows takes 1 to {most}",
                zone=zone,
                timeout_s=whole.timeout_s,
                most=MAX_TIMEOUT_S,
            )
        )
    return whole
