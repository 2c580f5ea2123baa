"""Who may what: the whole table of roles and permissions, and the sentence a refusal says."""

import pytest

from bot.model.people import PERMISSIONS, WHOLE_CLUSTER, Grant, Permission, Person, Profile, RoleName, may

ANA = Person(team="T1", user="U1")
WHO = Profile(person=ANA, groups=frozenset({"S1"}))


def grant(role: RoleName, **more: object) -> Grant:
    return Grant.model_validate({"role": role, "people": [ANA], "clusters": ["qa"], **more})


@pytest.mark.parametrize("role", PERMISSIONS)
@pytest.mark.parametrize("permission", Permission)
def test_a_role_allows_exactly_what_its_table_says(role: RoleName, permission: Permission) -> None:
    refused = may(WHO, permission, [grant(role)], "qa", "default")
    assert (refused is None) == (permission in PERMISSIONS[role])


@pytest.mark.parametrize("permission", Permission)
def test_an_empty_table_allows_nothing(permission: Permission) -> None:
    assert may(WHO, permission, [], "qa", "default") is not None


def test_a_refusal_names_the_missing_role_and_the_ones_held() -> None:
    refusal = may(WHO, Permission.CONFIRM, [grant("developer")], "qa", "default")
    assert refusal is not None
    assert refusal.reason == (
        "To confirm you need the role operator or admin on cluster qa for namespace default; you have developer."
    )


@pytest.mark.parametrize(("cluster", "namespace"), [("prod", "default"), ("qa", "kube-system")])
def test_a_role_counts_only_where_it_was_given(cluster: str, namespace: str) -> None:
    grants = [grant("admin", namespaces=["default", "qa-*"])]
    assert may(WHO, Permission.LOOK, grants, cluster, namespace) is not None
    assert may(WHO, Permission.LOOK, grants, "qa", "qa-orders") is None


def test_a_user_group_gives_its_members_the_role() -> None:
    by_group = Grant(role="operator", groups=frozenset({"S1"}), clusters=("qa",))
    assert may(WHO, Permission.CONFIRM, [by_group], "qa", "default") is None
    assert may(Profile(person=ANA), Permission.CONFIRM, [by_group], "qa", "default") is not None


def test_somebody_barred_may_nothing_whatever_the_roles() -> None:
    barred = WHO.model_copy(update={"refused": "guests may not"})
    refusal = may(barred, Permission.LOOK, [grant("admin")], "qa", "default")
    assert refusal is not None
    assert "guests may not" in refusal.reason


def test_the_same_user_id_in_another_workspace_is_somebody_else() -> None:
    stranger = Profile(person=Person(team="T2", user="U1"))
    assert may(stranger, Permission.LOOK, [grant("admin")], "qa", "default") is not None


@pytest.mark.parametrize("permission", [Permission.FAIL_OVER, Permission.ADMINISTER])
def test_a_role_for_some_namespaces_does_not_cover_the_whole_cluster(permission: Permission) -> None:
    refusal = may(WHO, permission, [grant("admin", namespaces=["qa-*"])], "qa", WHOLE_CLUSTER)
    assert refusal is not None
    assert "on cluster qa for all namespaces" in refusal.reason
    assert may(WHO, permission, [grant("admin", namespaces=["qa-*", "*"])], "qa", WHOLE_CLUSTER) is None
