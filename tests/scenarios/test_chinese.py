"""A day's work with a bot that speaks Chinese: not one English sentence is left in what people read."""

import re

from bot.locales import catalogue
from bot.model.wording import speaking
from lab.slack.driver import Driver, driving
from tests.engine.watched import ADDRESS, GATEWAY, NEXT, watched_facts
from tests.office import Company
from tests.scenarios.chat import RULES, Chat, bot_in, home, workspace

# What stays as it is in every language: commands as typed, codes, names of things, addresses, units, quotes of peers.
STAYS = re.compile(
    r"""
      (?<=变更\ )[0-9a-z]+ | (?<=故障事件\ )[0-9a-z]+      # ids, which may look like a word
    | K8SNET-[A-Z]+-[0-9]+ | \b[0-9a-f]{12,64}\b
    | /k8snet\ [a-z]+ | `[^`]*` | \[(?:from|on|to|because)\b | <pod>|\.svc\b
    | \b(?:expose|unexpose|failover|drill|check|plan|history|status|list|audit|whoami|help)\b
    | (?<=failover\ )to\b | \bon\ qa\b | \bbecause\b   # the prepositions of a typed command
    | [\w*.]+(?:[-_./:@][\w*.-]+)+ | [@#]\w+            # names with hyphens or dots, addresses, people, channels
    | [0-9.]+\ (?:ms|s|min|h)(?![a-z]) | \b[A-Z][a-z]{2}\ [0-9]+,\ [0-9]{4}\b
    | \b(?:viewer|developer|operator|oncall|admin)\b
    | \(\w+:\ [\w ./]+\) | HTTP/1\.1\ 200\ OK
    | \b(?:UTC|SOA|NXDOMAIN|DNS|TCP|UDP|API|CNI|VDOM|ECMP|Pod|Slack|ping|Windows|macOS|Linux|mDNS|StatefulSet|Ready)\b
    | \b(?:k8snet|kubelet|default|defualt|expsoe|monitoring|qa|hq|fw|dc1|Test|dmz|internal|udp|tcp)\b
    | \[image:
    | Names\ in | \.local\b | \bpod\b | <!\w+\^\w+> | the\ test  # a heading of the documents; the vantage
    """,
    re.VERBOSE,
)
ENGLISH = re.compile(r"[A-Za-z]{2,}")


def left_in_english(text: str) -> list[str]:
    """The lines in which words are left that stay in no language."""
    unfolded = re.sub(r"\n +", " ", text)
    found = ((line, ENGLISH.findall(STAYS.sub(" ", line))) for line in unfolded.splitlines())
    return [f"{', '.join(words)}   in: {line}" for line, words in found if words]


async def read(slack: Driver) -> list[str]:
    """What people see now: cards, threads, answers to single people, the audit channel."""
    found: list[str] = []
    for by in ("omar", "olga", "dana"):
        for channel in ("net-ops", "k8snet-audit") if by != "dana" else ("net-ops",):
            for message in await slack.messages(channel, by=by):
                said = [message, *await slack.messages(channel, by=by, thread=message.ts)]
                found += [text for one in said for text in (one.text, one.spoken, *one.buttons)]
    return [*dict.fromkeys(found)]


async def test_a_day_of_changes_checks_and_a_dead_gateway_leaves_no_english_sentence() -> None:
    with speaking(catalogue("zh-CN")):
        company = Company(self_confirm=True, watch=RULES)
        company.cluster.now = watched_facts()
        async with (
            workspace() as workspace_,
            bot_in(workspace_, company) as (engine, ears),
            driving(workspace_.page_url) as slack,
        ):
            seen: list[str] = []
            await slack.say("/k8snet expose defualt")
            await slack.until(contains="无法制定计划")
            await slack.say("/k8snet expose default because 第十二个迭代")
            await slack.until(contains="计划：等待确认")
            seen += await read(slack)
            await slack.click("确认")
            await slack.until(contains="完成：10 个步骤已应用并通过验证")
            await slack.say("/k8snet check web-abc.default")
            await slack.until(contains="正常：域名解析到")
            await slack.say("/k8snet check web-abc.defualt:1")
            await slack.until(contains="您是不是指")
            company.wire.dead.add(ADDRESS[GATEWAY])
            await slack.until(contains="集群 qa 的网关节点故障：k8s-qa-node-02")
            seen += await read(slack)
            await slack.click(f"切换到 {NEXT}", by="dana")
            await slack.until(contains="需要角色 oncall 或 admin", by="dana")
            await slack.open_home(by="olga")
            await slack.click(f"切换到 {NEXT}", by="olga")
            await slack.until(contains="已切换，并通过验证")
            for command in ("history", "status", "list", "audit", "whoami", "help", "plan default", "expsoe default"):
                after = (await slack.last()).seq
                await slack.say(f"/k8snet {command}")
                await slack.until(after=after, regex=".")
            await slack.until("k8snet-audit", contains="结束：完成")
            seen += await read(slack)
            seen.append((await home(Chat(slack, workspace_, company, engine, ears), "olga", "您的角色"))["plain"])
        left = "\n".join(line for text in dict.fromkeys(seen) for line in left_in_english(text))
        assert not left, left
