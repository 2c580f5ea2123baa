"""Kerberos for `requests`: pypsrp's login with pyspnego's tickets, and the sealing of messages as pywinrm asks for it.

pywinrm's own Kerberos knows only tickets that somebody has put into the process's environment.
"""

from pypsrp.negotiate import HTTPNegotiateAuth
from spnego import Credential


class KerberosSession(HTTPNegotiateAuth):
    """Logs in to `service` on whatever host is asked. `contexts` holds the security context by host."""

    def __init__(self, credential: Credential, service: str, seals: bool) -> None:
        super().__init__(credential, None, "kerberos", service=service, wrap_required=seals)  # type: ignore[arg-type]

    def wrap_winrm(self, host: str, message: bytes) -> tuple[bytes, bytes]:
        """Sealed message and signature."""
        sealed = self.contexts[host].wrap_winrm(message)
        return sealed.data, sealed.header

    def unwrap_winrm(self, host: str, message: bytes, signature: bytes) -> bytes:
        """The plain message. Raises SpnegoError."""
        plain: bytes = self.contexts[host].unwrap_winrm(signature, message)
        return plain
