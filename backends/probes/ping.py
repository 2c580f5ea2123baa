"""One ICMP echo, by the rights that this process has."""

from ipaddress import IPv4Address

from icmplib import ICMPLibError, SocketPermissionError, async_ping

from bot.model.probes import PingAnswer
from bot.model.wording import marked, tr

NOT_ALLOWED = marked("this process may not send ICMP echo: its group is outside net.ipv4.ping_group_range")


async def ping(address: IPv4Address, timeout_s: float) -> PingAnswer:
    """Whether the machine answers an echo. A datagram socket where the kernel allows it, a raw one for root, else None.

    Linux gives datagram sockets for ICMP to the groups of net.ipv4.ping_group_range (`ping_group_range` in icmp(7)).
    """
    for privileged in (False, True):
        try:
            host = await async_ping(str(address), count=1, timeout=timeout_s, privileged=privileged)
        except SocketPermissionError:
            continue
        except (ICMPLibError, OSError) as error:
            return PingAnswer(address=address, answered=None, problem=str(error))
        return PingAnswer(address=address, answered=host.is_alive, elapsed_ms=round(host.max_rtt))
    return PingAnswer(address=address, answered=None, problem=tr(NOT_ALLOWED))
