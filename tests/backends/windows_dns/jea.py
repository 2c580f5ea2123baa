"""A simulated server with k8snet's JEA endpoint, made of the very files that an administrator installs."""

from pathlib import Path

from lab.windows_dns.psrp.configuration import SessionConfiguration
from tests.backends.windows_dns.simulated import DOMAIN_USER, Office

DEPLOY = Path(__file__).parents[3] / "deploy/windows"
MODULE = DEPLOY / "K8snetDns/K8snetDns.psm1"
ROLE = DEPLOY / "K8snetDns/RoleCapabilities/K8snetDns.psrc"
NAME = "K8snetDns"
JEA = {"transport": "jea", "configuration_name": NAME}


def install(dc: Office, *accounts: str, role: str = "", module: str = "") -> None:
    """The account may enter the endpoint and nothing else."""
    dc.server.endpoints[NAME.lower()] = SessionConfiguration(
        NAME,
        module or MODULE.read_text(encoding="ascii"),
        role or ROLE.read_text(encoding="ascii"),
        frozenset(accounts or (DOMAIN_USER,)),
    )
    for account in dc.server.accounts:
        account.shell, account.dns = False, "none"
