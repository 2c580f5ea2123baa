"""A way into a cluster, and single steps towards it."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bot.model.resources import Address, AddressGroup, Policy, Resource, Route
from lab.fortigate.profile import RELEASES
from tests.backends.fortigate.conftest import Office, ours, step
from tests.contract.fortigate_subject import refs

VERSIONS = [version for version, _ in RELEASES.values()]
PODS = Address(name="k8snet-qa-pods", network=IPv4Network("10.68.0.0/16"))
SERVICES = Address(name="k8snet-qa-services", network=IPv4Network("10.69.0.0/16"))
GROUP = AddressGroup(name="k8snet-qa", members=(PODS.name, SERVICES.name))
ROUTE = Route(destination=PODS.network, gateway=IPv4Address("172.16.1.67"), device="Test")
POLICY = Policy(
    name="k8snet-qa-hq",
    source_interfaces=("internal",),
    destination_interfaces=("Test",),
    sources=("office",),
    destinations=(PODS.name,),
    services=("ALL_TCP",),
)


async def apply(office: Office, before: Resource | None, after: Resource | None) -> str:
    return (await office.target.apply(step(before, after))).kind


async def create(office: Office, resource: Resource, row: int | None = None) -> Resource:
    made = ours(resource, row)
    assert await apply(office, None, made) == "applied"
    return made


def wishes(policy: dict[str, Any] | None = None, route: dict[str, Any] | None = None) -> list[Resource]:
    return [
        ours(PODS),
        ours(ROUTE.model_copy(update=route or {}), 1000),
        ours(POLICY.model_copy(update=policy or {}), 1000),
    ]


def deny(office: Office, number: int = 50, **changes: Any) -> None:
    """A person's denying policy at the end of the list: of everything, unless told otherwise."""
    row = {
        "policyid": number, "name": f"deny-{number}", "srcintf": refs(("any",)), "dstintf": refs(("any",)),
        "srcaddr": refs(("all",)), "dstaddr": refs(("all",)), "service": refs(("ALL",)), "schedule": "always",
        "action": "deny",
    }  # fmt: skip
    office.device.create("firewall/policy", {**row, **changes})


def everything() -> list[Resource]:
    """Shaped like the first exposure: 4 addresses, 2 routes, 3 policies."""
    pods_route, services_route = ROUTE, ROUTE.model_copy(update={"destination": SERVICES.network})
    addresses = [
        PODS,
        SERVICES,
        Address(name="k8snet-office", network=IPv4Network("172.16.0.0/24")),
        Address(name="k8snet-dns", network=IPv4Network("172.16.2.3/32")),
    ]
    policies = [
        POLICY,
        POLICY.model_copy(update={"name": "k8snet-qa-ping", "services": ("PING",)}),
        POLICY.model_copy(
            update={
                "name": "k8snet-qa-dns",
                "source_interfaces": ("dmz",),
                "sources": ("k8snet-dns",),
                "destinations": (SERVICES.name,),
                "services": ("DNS",),
            }
        ),
    ]
    return [
        *(ours(address) for address in addresses),
        *(ours(route, 1000 + number) for number, route in enumerate((pods_route, services_route))),
        *(ours(policy, 1000 + number) for number, policy in enumerate(policies)),
    ]
