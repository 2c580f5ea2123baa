"""All tables that the simulator knows."""

from lab.fortigate.tables import firewall, router, service, system

ALL = [*system.TABLES, *firewall.TABLES, *service.TABLES, *router.TABLES]
