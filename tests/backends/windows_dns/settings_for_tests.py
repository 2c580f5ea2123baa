"""Settings of servers on the loopback."""

from typing import Any

from pydantic import SecretStr

from backends.windows_dns.settings import WindowsDnsSettings
from tests.backends.windows_dns.clock import DEADLINE_S

USER = "k8snet"
PASSWORD = "Päss w0rd’$(x)"


def loopback(endpoint: str, **changes: Any) -> WindowsDnsSettings:
    """Basic over http, which needs nothing but a socket, unless changed."""
    return WindowsDnsSettings(
        **{
            "type": "windows_dns",
            "endpoint": endpoint,
            "transport": "basic",
            "user": USER,
            "password": SecretStr(PASSWORD),
            "insecure_plain_text": True,
            "timeout_s": DEADLINE_S,
            **changes,
        }
    )
