"""The small company that the lab's workspace starts with."""

from __future__ import annotations

from lab.slack.model import PARTNER_TEAM, SLACKBOT, TEAM, Channel, State, User, UserGroup

APP_ID = "A0K8SNET01"
BOT_ID = "B0K8SNET01"
BOT_USER = "U0BOT00001"

DANA, OMAR, OLGA, ADA = "U0DANA0001", "U0OMAR0001", "U0OLGA0001", "U0ADA00001"
GUS, SAM, WANDA = "U0GUS00001", "U0SAM00001", "U0WANDA001"

NET_OPS, AUDIT, GENERAL, PARTNER = "C0NETOPS01", "C0AUDIT001", "C0GENERAL1", "C0PARTNER1"
OPERATORS, ON_CALL, ADMINS = "S0NETOPER1", "S0ONCALL01", "S0NETADM01"

STAFF = [DANA, OMAR, OLGA, ADA]


def company(seed: str = "k8snet", created: int = 1_790_000_000) -> State:
    """People of different roles, the channels they meet in, and the bot where it was invited."""
    users = [
        User(id=DANA, name="dana", real_name="Dana Park", role="developer", color="2b6cb0"),
        User(id=OMAR, name="omar", real_name="Omar Haddad", role="network operator", color="2f855a"),
        User(id=OLGA, name="olga", real_name="Olga Lind", role="operator, on call", color="b7791f"),
        User(id=ADA, name="ada", real_name="Ada Moreau", role="administrator", color="9b2c2c", is_admin=True),
        User(
            id=GUS,
            name="gus",
            real_name="Gus Weber",
            role="guest of one channel",
            color="718096",
            is_restricted=True,
            is_ultra_restricted=True,
        ),
        User(
            id=SAM,
            name="sam",
            real_name="Sam Ortiz",
            role="partner company (Slack Connect)",
            color="6b46c1",
            team_id=PARTNER_TEAM,
            is_stranger=True,
        ),
        User(id=WANDA, name="wanda", real_name="Wanda Frost", role="left the company", color="a0aec0", deleted=True),
        User(id=BOT_USER, name="k8snet", real_name="k8snet", role="app", color="1a3c5e", is_bot=True),
        User(id=SLACKBOT, name="slackbot", real_name="Slackbot", role="Slack itself", color="4a154b"),
    ]
    groups = [
        UserGroup(id=OPERATORS, handle="net-operators", name="Network operators", users=[OMAR, OLGA, WANDA]),
        UserGroup(id=ON_CALL, handle="net-oncall", name="Network on call", users=[OLGA]),
        UserGroup(id=ADMINS, handle="net-admins", name="Network administrators", users=[ADA]),
    ]
    channels = [
        Channel(
            id=NET_OPS,
            name="net-ops",
            kind="public",
            purpose="Network changes, asked for and done in the open",
            members=[*STAFF, GUS, BOT_USER],
        ),
        Channel(
            id=AUDIT,
            name="k8snet-audit",
            kind="private",
            purpose="Every change, who made it and what came of it",
            members=[OMAR, OLGA, ADA, BOT_USER],
        ),
        Channel(
            id=GENERAL,
            name="general",
            kind="public",
            purpose="Company-wide; the app was not invited",
            members=STAFF,
        ),
        Channel(
            id=PARTNER,
            name="partner-net",
            kind="public",
            purpose="Shared with the partner company",
            members=[OMAR, ADA, SAM, BOT_USER],
            is_ext_shared=True,
            connected_team_ids=[TEAM, PARTNER_TEAM],
        ),
    ]
    for channel in channels:
        channel.created = created
    return State(
        seed=seed,
        users={user.id: user for user in users},
        groups={group.id: group for group in groups},
        channels={channel.id: channel for channel in channels},
    )
